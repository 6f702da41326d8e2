package dev.sluice.virtio.blk;

import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import dev.sluice.linux.Iovec;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.QueueSource;
import dev.sluice.pipeline.Shortcuts;
import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.SimulatedBackend;
import dev.sluice.pipeline.testing.SimulatedFaults;
import dev.sluice.pipeline.testing.SimulatedSink;
import dev.sluice.virtio.layout.VirtioFeatures;
import dev.sluice.virtio.layout.VirtqAvail;
import dev.sluice.virtio.layout.VirtqDesc;
import dev.sluice.virtio.layout.VirtqUsed;
import dev.sluice.virtio.queue.CallBatch;
import dev.sluice.virtio.queue.GuestMemory;
import dev.sluice.virtio.queue.MemoryRegion;
import dev.sluice.virtio.queue.RingAddresses;
import dev.sluice.virtio.queue.SplitRing;
import dev.sluice.virtio.vhostuser.RecordedEvents;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A queue in guest memory that a test writes by hand.
 *
 * <p>Two regions follow one another in guest addresses and not in host addresses, so that buffers can span them. The rings are at the start of
 * the first.
 */
final class QueueUnderTest implements AutoCloseable {
    static final int SIZE = 64;
    static final long GUEST = 0x1_0000_0000L;
    static final long REGION_BYTES = 1 << 20;
    static final long BORDER = GUEST + REGION_BYTES;
    static final long END = BORDER + REGION_BYTES;
    static final long DISK_BYTES = 4 << 20;
    static final int F_NEXT = VirtqDesc.F_NEXT;
    static final int F_WRITE = VirtqDesc.F_WRITE;
    static final int F_INDIRECT = VirtqDesc.F_INDIRECT;
    /** So few that a test runs out of them. */
    static final int LARGE_REQUESTS = 3;
    static final byte STATUS_UNTOUCHED = (byte) 0xEE;

    /** Free for requests: behind the rings. */
    static final long HEAP = GUEST + 0x4000;

    private static final long DESC = 0;
    private static final long AVAIL = 0x1000;
    private static final long USED = 0x2000;
    private static final long USER = 0x7000_0000_0000L;

    final ManualLoop loop;
    final NativeBlock low = NativeMemory.allocate(REGION_BYTES, 4096);
    final NativeBlock high = NativeMemory.allocate(REGION_BYTES, 4096);
    final RecordedEvents events = new RecordedEvents();
    final SimulatedBackend backend;
    final BlockPipeline pipeline;
    final VirtioBlkDevice device;
    final CallBatch calls;
    final Fd call = Fd.adopt(EventFd.create(0, EventFd.EFD_NONBLOCK | EventFd.EFD_CLOEXEC));
    final Fd err = Fd.adopt(EventFd.create(0, EventFd.EFD_NONBLOCK | EventFd.EFD_CLOEXEC));
    final VirtioBlkQueue queue;
    final QueueSource source;
    private final List<String> foreignAddresses = new ArrayList<>();
    private final boolean ownsLoop;
    private int avail;
    private int seenUsed;
    /** Of the requests that were polled. */
    int highestSlot = -1;

    record Used(int head, int bytes) {}

    QueueUnderTest(long features, int segMax) throws IOException {
        this(features, segMax, new BlockGeometry(DISK_BYTES, 512, 4096, 0, false, true, true), SimulatedFaults.NONE, 0);
    }

    QueueUnderTest(long features, int segMax, BlockGeometry geometry, SimulatedFaults faults, int firstIndex) throws IOException {
        this(features, segMax, geometry, faults, firstIndex, Shortcuts.ALL);
    }

    QueueUnderTest(long features, int segMax, BlockGeometry geometry, SimulatedFaults faults, int firstIndex, Shortcuts shortcuts) throws IOException {
        this(features, segMax, geometry, faults, firstIndex, shortcuts, new ManualLoop(), null);
    }

    /** On a loop of the caller's with its calls: the kernel takes milliseconds to give their context back. */
    QueueUnderTest(long features, int segMax, BlockGeometry geometry, ManualLoop loop, CallBatch calls) throws IOException {
        this(features, segMax, geometry, SimulatedFaults.NONE, 0, Shortcuts.ALL, loop, calls);
    }

    private QueueUnderTest(
            long features,
            int segMax,
            BlockGeometry geometry,
            SimulatedFaults faults,
            int firstIndex,
            Shortcuts shortcuts,
            ManualLoop loop,
            @Nullable CallBatch shared)
            throws IOException {
        this.loop = loop;
        this.ownsLoop = shared == null;
        backend = new SimulatedBackend(geometry, SimulatedBackend.DEFAULT_CAPACITY, faults);
        pipeline = BlockPipeline.builder()
                .backend(backend)
                .serial("0123456789abcdefghij")
                .observer(events)
                .shortcuts(shortcuts)
                .operator(flux -> flux.doOnNext(this::requireOwnAddresses))
                .build();
        device = new VirtioBlkDevice(geometry, 1, segMax);
        device.accept(features);
        calls = shared == null ? new CallBatch(loop) : shared;
        avail = firstIndex & 0xFFFF;
        seenUsed = avail;
        VirtqAvail.idxRelease(low.segment(), AVAIL, avail);
        VirtqUsed.idxRelease(low.segment(), USED, avail);
        GuestMemory memory = new GuestMemory(List.of(
                new MemoryRegion(BORDER, USER + 0x1000_0000L, NativeMemory.view(high.address(), REGION_BYTES)),
                new MemoryRegion(GUEST, USER, NativeMemory.view(low.address(), REGION_BYTES))));
        SplitRing ring = SplitRing.locate(memory, new RingAddresses(USER + DESC, USER + AVAIL, USER + USED), 0, SIZE, avail, device.accepted(VirtioFeatures.EVENT_IDX));
        queue = new VirtioBlkQueue(loop, 0, device, ring, memory, calls, events, pipeline.shortcuts(), LARGE_REQUESTS);
        source = new QueueSource(loop, queue);
        queue.eventFds(call.number(), err.number());
        queue.start(source::kicked);
        pipeline.connect(source);
        queue.enabled(true);
        tick();
    }

    static final long FEATURES = VirtioFeatures.VERSION_1
            | VirtioFeatures.INDIRECT_DESC
            | VirtioFeatures.BLK_FLUSH
            | VirtioFeatures.BLK_DISCARD
            | VirtioFeatures.BLK_WRITE_ZEROES;

    static QueueUnderTest open() throws IOException {
        return new QueueUnderTest(FEATURES, 126);
    }

    private void requireOwnAddresses(BlockRequest request) {
        highestSlot = Math.max(highestSlot, request.slot());
        for (int i = 0; i < request.iovecCount(); i++) {
            long base = Iovec.base(request.iovecsAddress(), i);
            long length = Iovec.length(request.iovecsAddress(), i);
            if (!within(low, base, length) && !within(high, base, length)) {
                foreignAddresses.add("0x" + Long.toHexString(base) + "+" + length);
            }
        }
    }

    private static boolean within(NativeBlock block, long base, long length) {
        return base >= block.address() && length > 0 && base - block.address() <= REGION_BYTES - length;
    }

    /** Iovecs that were handed on and lie outside guest memory. */
    List<String> foreignAddresses() {
        return foreignAddresses;
    }

    SimulatedSink sink() {
        return backend.sinkOf(loop);
    }

    // ---- what the guest writes

    void desc(int index, long address, long length, int flags, int next) {
        VirtqDesc.set(low.segment(), DESC + (long) index * VirtqDesc.SIZE, address, length, flags, next);
    }

    /** An entry of an indirect table in guest memory. */
    void entry(long table, int index, long address, long length, int flags, int next) {
        VirtqDesc.set(low.segment(), table - GUEST + (long) index * VirtqDesc.SIZE, address, length, flags, next);
    }

    void header(long address, int type, long sector) {
        for (int i = 0; i < 8; i++) {
            poke(address + i, (byte) (Integer.toUnsignedLong(type) >>> (8 * i)));
            poke(address + 8 + i, (byte) (sector >>> (8 * i)));
        }
    }

    void poke(long address, byte value) {
        NativeBlock block = address < BORDER ? low : high;
        block.segment().set(ValueLayout.JAVA_BYTE, address - (address < BORDER ? GUEST : BORDER), value);
    }

    byte peek(long address) {
        NativeBlock block = address < BORDER ? low : high;
        return block.segment().get(ValueLayout.JAVA_BYTE, address - (address < BORDER ? GUEST : BORDER));
    }

    /** Header, data and status in three descriptors from {@code first} on, with the status at {@code HEAP + 16 + first}. Returns the status address. */
    long plain(int first, int type, long sector, long data, long length) {
        long at = HEAP + first * 32L;
        long status = at + 16;
        header(at, type, sector);
        poke(status, STATUS_UNTOUCHED);
        int dataFlags = type == 0 || type == 8 ? F_WRITE : 0;
        desc(first, at, 16, F_NEXT, first + 1);
        desc(first + 1, data, length, dataFlags | F_NEXT, first + 2);
        desc(first + 2, status, 1, F_WRITE, 0);
        return status;
    }

    void offer(int head) {
        VirtqAvail.ring(low.segment(), AVAIL, avail & (SIZE - 1), head);
        avail = (avail + 1) & 0xFFFF;
    }

    void publish() {
        availIdx(avail);
    }

    void availIdx(int idx) {
        VirtqAvail.idxRelease(low.segment(), AVAIL, idx);
    }

    MemorySegment availRing() {
        return low.segment().asSlice(AVAIL, VirtqAvail.sizeBytes(SIZE, true));
    }

    MemorySegment usedRing() {
        return low.segment().asSlice(USED, VirtqUsed.sizeBytes(SIZE, true));
    }

    // ---- what the device does

    void tick() {
        source.kicked();
        loop.tickUntilIdle();
    }

    /** Offers one head, ticks, and returns the one used element that comes of it. */
    Used run(int head) {
        offer(head);
        publish();
        tick();
        List<Used> used = takeUsed();
        if (used.size() != 1) {
            throw new AssertionError("used elements: " + used);
        }
        return used.getFirst();
    }

    List<Used> takeUsed() {
        List<Used> taken = new ArrayList<>();
        int idx = VirtqUsed.idxAcquire(low.segment(), USED);
        while (seenUsed != idx) {
            int slot = seenUsed & (SIZE - 1);
            taken.add(new Used(VirtqUsed.elementId(low.segment(), USED, slot), VirtqUsed.elementLen(low.segment(), USED, slot)));
            seenUsed = (seenUsed + 1) & 0xFFFF;
        }
        return taken;
    }

    boolean called() {
        return EventFd.drain(call.number()) > 0;
    }

    boolean errSignalled() {
        return EventFd.drain(err.number()) > 0;
    }

    @Override
    public void close() {
        boolean[] drained = new boolean[1];
        source.stop(() -> drained[0] = true);
        loop.tickUntilIdle();
        if (!drained[0]) {
            throw new AssertionError(queue.inFlight() + " requests did not come back");
        }
        queue.close();
        if (ownsLoop) {
            calls.close();
        }
        pipeline.close();
        if (ownsLoop) {
            loop.close();
        }
        backend.close();
        call.close();
        err.close();
        low.close();
        high.close();
    }
}
