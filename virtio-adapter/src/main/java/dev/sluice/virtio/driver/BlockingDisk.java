package dev.sluice.virtio.driver;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * One request at a time on a queue, waiting for each: for tests and demos, not for load.
 *
 * <p><b>Threading</b>: the queue's thread. <b>Ownership</b>: of nothing; the queue is idle between calls. <b>Failure</b>:
 * {@code IOException} for a request that failed or took longer than {@link #TIMEOUT_MILLIS}. <b>Allocation</b>: small.
 */
public final class BlockingDisk {
    /** How long a request may take. */
    public static final int TIMEOUT_MILLIS = 30_000;

    private static final int NO_SLOT = -1;

    private final DriverQueue queue;
    private final boolean canFlush;
    private final CompletionHandler handler = this::completed;
    private int doneSlot = NO_SLOT;
    private int status;
    private int writtenBytes;

    BlockingDisk(DriverQueue queue, boolean canFlush) {
        this.queue = queue;
        this.canFlush = canFlush;
    }

    /** Reads at a multiple of 512; any length that is one. Long reads are several requests. */
    public void read(long offsetBytes, MemorySegment target) throws IOException {
        for (long done = 0; done < target.byteSize();) {
            int bytes = (int) Math.min(target.byteSize() - done, queue.shape().slotDataBytes());
            int slot = finish(BlkRequest.T_IN, queue.submit(BlkRequest.T_IN, sector(offsetBytes + done), bytes));
            if (writtenBytes != bytes + 1) {
                throw new IOException("a read of " + bytes + " bytes wrote " + writtenBytes + ", status included");
            }
            MemorySegment.copy(queue.memory(), queue.dataOffset(slot), target, done, bytes);
            done += bytes;
        }
    }

    /** Writes at a multiple of 512; any length that is one. Long writes are several requests. */
    public void write(long offsetBytes, MemorySegment source) throws IOException {
        for (long done = 0; done < source.byteSize();) {
            int bytes = (int) Math.min(source.byteSize() - done, queue.shape().slotDataBytes());
            int slot = queue.submit(BlkRequest.T_OUT, sector(offsetBytes + done), bytes);
            if (slot != DriverQueue.FULL) {
                MemorySegment.copy(source, done, queue.memory(), queue.dataOffset(slot), bytes);
            }
            int _ = finish(BlkRequest.T_OUT, slot);
            done += bytes;
        }
    }

    /** Makes what was written durable; a disk without FLUSH is durable already. */
    public void flush() throws IOException {
        if (canFlush) {
            int _ = finish(BlkRequest.T_FLUSH, queue.submit(BlkRequest.T_FLUSH, 0, 0));
        }
    }

    /** Discards a range of sectors. */
    public void discard(long sector, long sectors) throws IOException {
        int _ = finish(BlkRequest.T_DISCARD, queue.submitRange(BlkRequest.T_DISCARD, sector, sectors, 0));
    }

    /** Zeroes a range of sectors; {@code unmap} lets the backend free them. */
    public void writeZeroes(long sector, long sectors, boolean unmap) throws IOException {
        int type = BlkRequest.T_WRITE_ZEROES;
        int _ = finish(type, queue.submitRange(type, sector, sectors, unmap ? 1 : 0));
    }

    /** The disk's serial. */
    public String id() throws IOException {
        int slot = finish(BlkRequest.T_GET_ID, queue.submit(BlkRequest.T_GET_ID, 0, BlkRequest.ID_BYTES));
        byte[] id = new byte[BlkRequest.ID_BYTES];
        MemorySegment.copy(queue.memory(), queue.dataOffset(slot), MemorySegment.ofArray(id), 0, id.length);
        // VIRTIO 1.3 §5.2.6: NUL padded, without a terminator when full.
        String text = new String(id, ISO_8859_1);
        int end = text.indexOf('\0');
        return end < 0 ? text : text.substring(0, end);
    }

    private static long sector(long offsetBytes) {
        if (offsetBytes % BlkRequest.SECTOR_BYTES != 0) {
            throw new IllegalArgumentException("offset " + offsetBytes + " is not a multiple of 512");
        }
        return offsetBytes / BlkRequest.SECTOR_BYTES;
    }

    private int finish(int type, int slot) throws IOException {
        if (slot == DriverQueue.FULL) {
            throw new IllegalStateException("queue " + queue.index() + " is in use");
        }
        boolean _ = queue.publish();
        doneSlot = NO_SLOT;
        while (doneSlot != slot) {
            if (!queue.await(TIMEOUT_MILLIS)) {
                throw new IOException(BlkRequest.typeName(type) + " not done after " + TIMEOUT_MILLIS + " ms");
            }
            int _ = queue.poll(handler);
        }
        if (status != BlkRequest.S_OK) {
            throw new IOException(BlkRequest.typeName(type) + " failed: " + BlkRequest.statusName(status));
        }
        return slot;
    }

    private void completed(int slot, int newStatus, int newWrittenBytes) {
        doneSlot = slot;
        status = newStatus;
        writtenBytes = newWrittenBytes;
    }
}
