package dev.sluice.virtio.driver;

import static dev.sluice.virtio.driver.BlkRequest.S_NOT_WRITTEN;

import dev.sluice.virtio.layout.VirtioBlkRequestHeader;
import dev.sluice.virtio.layout.VirtqDesc;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The memory of a queue's requests. Each slot has a control block of its own cache lines and a page-aligned data buffer:
 *
 * <pre>
 * control: header (16) | indirect table (16 n) | status (1)       rounded up to 64
 * data:    ... header (16) ]page[ data (slotDataBytes) | ... 1 ]   so that header, data and status can also be one stream
 * </pre>
 *
 * <p>With the usual three descriptors the device reads the first line of the control block and writes the second one.
 * A framed request, see {@link ChainShape}, has its header right before its data and its status right after it.
 *
 * <p><b>Threading</b>: that of its queue. <b>Allocation</b>: at creation only.
 */
final class RequestSlots {
    private static final int LINE_BYTES = 64;
    private static final int PAGE_BYTES = 4096;
    private static final int FRAME_BYTES = VirtioBlkRequestHeader.SIZE + 1;

    private final MemorySegment memory;
    private final long guestAddress;
    private final long controlBase;
    private final int controlStride;
    private final int statusInControl;
    private final long dataBase;
    private final long dataStride;

    private final int[] free;
    private final long[] statusOffset;
    private final int[] writableBytes;
    private int freeCount;

    RequestSlots(MemoryRegion region, QueueShape shape) {
        this.memory = region.memory();
        this.guestAddress = region.guestAddress();
        this.statusInControl = VirtioBlkRequestHeader.SIZE + VirtqDesc.SIZE * shape.tableDescriptors();
        this.controlStride = controlStride(shape);
        this.dataStride = dataStride(shape);
        this.controlBase = region.allocate((long) controlStride * shape.slots(), LINE_BYTES);
        this.dataBase = region.allocate(PAGE_BYTES + dataStride * shape.slots(), PAGE_BYTES) + PAGE_BYTES;
        this.free = new int[shape.slots()];
        this.statusOffset = new long[shape.slots()];
        this.writableBytes = new int[shape.slots()];
        freeAll();
    }

    static long memoryBytes(QueueShape shape) {
        return LINE_BYTES + 2L * PAGE_BYTES + (controlStride(shape) + dataStride(shape)) * shape.slots();
    }

    private static int controlStride(QueueShape shape) {
        return roundUp(VirtioBlkRequestHeader.SIZE + VirtqDesc.SIZE * shape.tableDescriptors() + 1, LINE_BYTES);
    }

    private static long dataStride(QueueShape shape) {
        int frame = shape.slotDataBytes() + FRAME_BYTES;
        return roundUp(frame, shape.slotDataBytes() == 0 ? LINE_BYTES : PAGE_BYTES);
    }

    private static int roundUp(int bytes, int alignment) {
        return (bytes + alignment - 1) & -alignment;
    }

    void freeAll() {
        freeCount = free.length;
        for (int i = 0; i < free.length; i++) {
            free[i] = free.length - 1 - i;
        }
    }

    int freeCount() {
        return freeCount;
    }

    /** The slot that was freed last: its lines are the warmest. The caller has looked at {@link #freeCount()}. */
    int take() {
        return free[--freeCount];
    }

    void release(int slot) {
        free[freeCount++] = slot;
    }

    /** Writes the header and spoils the status byte, both in the control block. */
    void writeHeader(int slot, int type, long sector, int deviceWritableBytes) {
        writeHeader(slot, control(slot), control(slot) + statusInControl, type, sector, deviceWritableBytes);
    }

    /** Writes the header before the data and spoils the status byte after it. */
    void writeFrame(int slot, int type, long sector, int dataLength, int deviceWritableBytes) {
        long data = data(slot);
        writeHeader(
                slot, data - VirtioBlkRequestHeader.SIZE, data + dataLength, type, sector, deviceWritableBytes);
    }

    private void writeHeader(int slot, long header, long status, int type, long sector, int deviceWritableBytes) {
        VirtioBlkRequestHeader.set(memory, header, type, sector);
        memory.set(ValueLayout.JAVA_BYTE, status, (byte) S_NOT_WRITTEN);
        statusOffset[slot] = status;
        writableBytes[slot] = deviceWritableBytes;
    }

    int status(int slot) {
        return memory.get(ValueLayout.JAVA_BYTE, statusOffset[slot]) & 0xFF;
    }

    /** The most that a device may say it has written. */
    int writableBytes(int slot) {
        return writableBytes[slot];
    }

    long headerAddress(int slot) {
        return guestAddress + control(slot);
    }

    long statusAddress(int slot) {
        return guestAddress + control(slot) + statusInControl;
    }

    long tableAddress(int slot) {
        return guestAddress + table(slot);
    }

    long dataAddress(int slot) {
        return guestAddress + data(slot);
    }

    /** Offset of the data buffer in the region. */
    long data(int slot) {
        return dataBase + dataStride * slot;
    }

    private long control(int slot) {
        return controlBase + (long) controlStride * slot;
    }

    /** Offset of the indirect table in the region. */
    long table(int slot) {
        return control(slot) + VirtioBlkRequestHeader.SIZE;
    }
}
