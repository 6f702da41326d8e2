package dev.sluice.virtio.blk;

import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import dev.sluice.linux.Iovec;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.Mapping;
import dev.sluice.linux.Memfd;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.QueueSource;
import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.SimulatedBackend;
import dev.sluice.pipeline.testing.SimulatedFaults;
import dev.sluice.pipeline.testing.SimulatedSink;
import dev.sluice.virtio.layout.VirtioFeatures;
import dev.sluice.virtio.layout.VirtqAvail;
import dev.sluice.virtio.layout.VirtqDesc;
import dev.sluice.virtio.layout.VirtqUsed;
import dev.sluice.virtio.queue.CallBatch;
import dev.sluice.virtio.queue.DeviceRing;
import dev.sluice.virtio.queue.GuestMemory;
import dev.sluice.virtio.queue.GuestWrites;
import dev.sluice.virtio.queue.MemoryRegion;
import dev.sluice.virtio.queue.RingAddresses;
import dev.sluice.virtio.queue.SimulatedAio;
import dev.sluice.virtio.vhostuser.RecordedEvents;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
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
    private final Fd file = memoryFile();
    private final Mapping lowMapping = Mapping.shared(file.number(), REGION_BYTES, REGION_BYTES);
    private final Mapping highMapping = Mapping.shared(file.number(), 0, REGION_BYTES);
    final MemorySegment low = lowMapping.view(0, REGION_BYTES);
    final MemorySegment high = highMapping.view(0, REGION_BYTES);
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
    private final boolean ownsCalls;
    private final boolean connected;
    final int size;
    final GuestMemory memory;
    final SimulatedAio aio = new SimulatedAio();
    private int avail;
    private int seenUsed;
    /** Of the requests that were polled. */
    int highestSlot = -1;

    record Used(int head, int bytes) {}

    /** What a test chooses, and what it gets where it does not. */
    static final class Setup {
        long features = FEATURES;
        int segMax = 126;
        BlockGeometry geometry = new BlockGeometry(DISK_BYTES, 512, 4096, 0, false, true, true);
        SimulatedFaults faults = SimulatedFaults.NONE;
        int firstIndex;
        String serial = "0123456789abcdefghij";
        Ablation ablation = Ablation.NONE;
        int index;
        int size = SIZE;
        int largeRequests = LARGE_REQUESTS;
        /** Who hears of what is stored into guest memory. */
        GuestWrites writes = GuestWrites.UNRECORDED;
        /** Whether a pipeline serves the queue; else the test polls it, having enabled it. */
        boolean connected = true;
        /** Around the loop, for the queue alone. */
        UnaryOperator<IoLoop> queueLoop = UnaryOperator.identity();
        /** A loop of the test's own, and its calls. */
        @Nullable
        ManualLoop loop;

        @Nullable
        CallBatch calls;

        QueueUnderTest open() throws IOException {
            return new QueueUnderTest(this);
        }
    }

    static final long FEATURES = VirtioFeatures.VERSION_1
            | VirtioFeatures.INDIRECT_DESC
            | VirtioFeatures.BLK_FLUSH
            | VirtioFeatures.BLK_DISCARD
            | VirtioFeatures.BLK_WRITE_ZEROES;

    static QueueUnderTest open() throws IOException {
        return new Setup().open();
    }

    static QueueUnderTest open(long features, int segMax) throws IOException {
        Setup setup = new Setup();
        setup.features = features;
        setup.segMax = segMax;
        return setup.open();
    }

    private QueueUnderTest(Setup setup) throws IOException {
        ownsLoop = setup.loop == null;
        loop = setup.loop == null ? new ManualLoop() : setup.loop;
        ownsCalls = setup.calls == null;
        calls = setup.calls == null ? aio.openCalls(loop) : setup.calls;
        size = setup.size;
        connected = setup.connected;
        BlockGeometry small = new BlockGeometry(DISK_BYTES, 512, 512, 0, false, false, false);
        backend = new SimulatedBackend(connected ? setup.geometry : small, SimulatedBackend.DEFAULT_CAPACITY, setup.faults);
        pipeline = BlockPipeline.builder()
                .backend(backend)
                .observer(events)
                .operator(flux -> flux.doOnNext(this::requireOwnAddresses))
                .build();
        device = new VirtioBlkDevice(() -> setup.geometry, 1, setup.segMax, CacheMode.GUEST, setup.serial);
        device.accept(setup.features);
        avail = setup.firstIndex & 0xFFFF;
        seenUsed = avail;
        VirtqAvail.idxRelease(low, AVAIL, avail);
        VirtqUsed.idxRelease(low, USED, avail);
        memory = new GuestMemory(List.of(new MemoryRegion(BORDER, USER + 0x1000_0000L, high), new MemoryRegion(GUEST, USER, low)), setup.writes);
        DeviceRing ring = DeviceRing.locate(
                memory, new RingAddresses(USER + DESC, USER + AVAIL, USER + USED), setup.index, size, avail, device.accepted());
        queue = new VirtioBlkQueue(setup.queueLoop.apply(loop), setup.index, device, ring, memory, calls, events, setup.ablation, setup.largeRequests);
        source = new QueueSource(loop, queue);
        if (connected) {
            queue.eventFds(call.number(), err.number());
            queue.start(source::kicked);
            pipeline.connect(source);
            queue.enabled(true);
            tick();
        }
    }

    private static Fd memoryFile() throws IOException {
        Fd made = Fd.adopt(Memfd.create("guest", Memfd.MFD_CLOEXEC));
        if (LinuxFile.ftruncate(made.number(), 2 * REGION_BYTES) != 0) {
            throw new IOException("ftruncate");
        }
        return made;
    }

    /** As a front end may that is not ours: the rings, and all below {@link #BORDER}, are gone. */
    void truncateRings() throws IOException {
        if (LinuxFile.ftruncate(file.number(), REGION_BYTES) != 0) {
            throw new IOException("ftruncate");
        }
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

    private static boolean within(MemorySegment block, long base, long length) {
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
        VirtqDesc.set(low, DESC + (long) index * VirtqDesc.SIZE, address, length, flags, next);
    }

    /** An entry of an indirect table in guest memory. */
    void entry(long table, int index, long address, long length, int flags, int next) {
        VirtqDesc.set(low, table - GUEST + (long) index * VirtqDesc.SIZE, address, length, flags, next);
    }

    void header(long address, int type, long sector) {
        for (int i = 0; i < 8; i++) {
            poke(address + i, (byte) (Integer.toUnsignedLong(type) >>> (8 * i)));
            poke(address + 8 + i, (byte) (sector >>> (8 * i)));
        }
    }

    void poke(long address, byte value) {
        MemorySegment block = address < BORDER ? low : high;
        block.set(ValueLayout.JAVA_BYTE, address - (address < BORDER ? GUEST : BORDER), value);
    }

    byte peek(long address) {
        MemorySegment block = address < BORDER ? low : high;
        return block.get(ValueLayout.JAVA_BYTE, address - (address < BORDER ? GUEST : BORDER));
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
        VirtqAvail.ring(low, AVAIL, avail & (size - 1), head);
        avail = (avail + 1) & 0xFFFF;
    }

    void publish() {
        availIdx(avail);
    }

    void availIdx(int idx) {
        VirtqAvail.idxRelease(low, AVAIL, idx);
    }

    MemorySegment availRing() {
        return low.asSlice(AVAIL, VirtqAvail.sizeBytes(size, true));
    }

    MemorySegment usedRing() {
        return low.asSlice(USED, VirtqUsed.sizeBytes(size, true));
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
        int idx = VirtqUsed.idxAcquire(low, USED);
        while (seenUsed != idx) {
            int slot = seenUsed & (size - 1);
            taken.add(new Used(VirtqUsed.elementId(low, USED, slot), VirtqUsed.elementLen(low, USED, slot)));
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
        if (connected) {
            boolean[] drained = new boolean[1];
            source.stop(() -> drained[0] = true);
            loop.tickUntilIdle();
            if (!drained[0]) {
                throw new AssertionError(queue.inFlight() + " requests did not come back");
            }
        }
        queue.close();
        closeAllButQueue();
    }

    /** Where the test has closed the queue. */
    void closeAllButQueue() {
        if (ownsCalls) {
            calls.close();
        }
        pipeline.close();
        if (ownsLoop) {
            loop.close();
        }
        backend.close();
        call.close();
        err.close();
        lowMapping.close();
        highMapping.close();
        file.close();
    }
}
