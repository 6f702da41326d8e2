package dev.sluice.simulation;

import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import dev.sluice.linux.NativeMemory;
import dev.sluice.simulation.GuestRequest.Kind;
import dev.sluice.virtio.layout.VirtioBlkDiscardSegment;
import dev.sluice.virtio.layout.VirtioBlkRequestHeader;
import dev.sluice.virtio.layout.VirtqAvail;
import dev.sluice.virtio.layout.VirtqUsed;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/** One virtqueue as its driver has it: makes requests available, sleeps until it is interrupted, has every completion checked. */
final class GuestQueue implements AutoCloseable {
    static final int UNWRITTEN = 0xEE;
    private static final int SIZE = Layout.QUEUE_SIZE;

    final int index;
    private final GuestRegion rings;
    private final long base;
    private final MemorySegment memory;
    private final SplittableRandom random;
    private final DiskModel disk;
    private final Trace trace;
    private final CompletionCheck check;
    private final ChainBuilder chains;
    private final DataSlots slots;
    final boolean eventIdx;
    private Fd kick;
    private Fd call;
    private final Fd err;

    private final @Nullable GuestRequest[] requests = new GuestRequest[SIZE];
    private int outstanding;
    private int availIdx;
    private int usedIdx;
    private int lateKicks;
    private boolean asleep;
    private boolean errorSeen;
    /** The device may touch what the driver has given it. */
    boolean running;
    /** Without a kick eventfd: the device looks by itself. */
    boolean polled;
    /** The driver has made its ring invalid; it goes on after a reset only. */
    boolean broken;
    /** In a way that the device has to find. */
    private boolean mustBeFound;

    private Faults faults;

    GuestQueue(
            int index, GuestRegion rings, long base, SplittableRandom random, DiskModel disk, CompletionCheck check, Trace trace, boolean eventIdx,
            boolean indirect,
            Faults faults) {
        this.index = index;
        this.rings = rings;
        this.base = base;
        this.memory = rings.memory().asSlice(base, Layout.bytes(eventIdx));
        this.random = random;
        this.disk = disk;
        this.check = check;
        this.trace = trace;
        this.eventIdx = eventIdx;
        this.chains = new ChainBuilder(rings, base, memory, random, indirect);
        this.slots = new DataSlots(index, rings, base, random);
        this.faults = faults;
        this.kick = eventFd();
        this.call = eventFd();
        this.err = eventFd();
        reset();
    }

    private static Fd eventFd() {
        return Fd.adopt(EventFd.create(0, EventFd.EFD_CLOEXEC | EventFd.EFD_NONBLOCK));
    }

    void faults(Faults chosen) {
        faults = chosen;
    }

    /** A driver that starts over: an empty ring, nothing outstanding. */
    void reset() {
        memory.asSlice(0, Layout.TABLES).fill((byte) 0);
        memory.asSlice(Layout.USED, Layout.usedBytes(eventIdx)).fill((byte) 0);
        if (!eventIdx) {
            // Not the device's: the driver keeps something of its own there, as behind the used ring, where the region's pattern stays.
            VirtqAvail.usedEvent(memory, Layout.AVAIL, SIZE, 0x5AA5);
        }
        // A driver whose memory the device before has left as it was: of a killed one NO_NOTIFY may be there.
        VirtqUsed.flags(memory, Layout.USED, VirtqUsed.F_NO_NOTIFY);
        rings.changed(base, Layout.TABLES);
        rings.changed(base + Layout.USED, Layout.usedBytes(eventIdx));
        for (GuestRequest request : requests) {
            if (request != null) {
                giveUp(request);
            }
        }
        availIdx = 0;
        usedIdx = 0;
        lateKicks = 0;
        broken = false;
        mustBeFound = false;
        asleep = false;
        errorSeen = false;
        long _ = EventFd.drain(err.number());
        long _ = EventFd.drain(call.number());
    }

    /** The next process executes what is left in the ring, in the cache mode that it has. */
    void processStarted(boolean writeThrough) {
        for (GuestRequest request : requests) {
            if (request != null) {
                request.mayBeExecutedInMode(writeThrough);
            }
        }
    }

    private void giveUp(GuestRequest request) {
        trace.add("queue " + index + " gives " + request + " up");
        if (request.changesDisk()) {
            disk.lost(request.sector, request.sectors);
        } else if (request.readsDisk()) {
            disk.endRead(request.sector, request.sectors);
        }
        allow(request);
        free(request);
    }

    long userAddress(long at) {
        return rings.userAddress() + base + at;
    }

    int kickFd() {
        return kick.number();
    }

    int callFd() {
        return call.number();
    }

    int errFd() {
        return err.number();
    }

    /** Another eventfd to be interrupted by, whatever the old one may still bring. */
    void newCallFd() {
        asleep &= EventFd.drain(call.number()) <= 0;
        call.close();
        call = eventFd();
    }

    void newKickFd() {
        kick.close();
        kick = eventFd();
    }

    int outstanding() {
        return outstanding;
    }

    /** How far the device has shown. */
    int deviceUsedIdx() {
        return VirtqUsed.idxAcquire(memory, Layout.USED);
    }

    boolean uses(GuestRegion region) {
        for (GuestRequest request : requests) {
            if (request != null && request.region == region) {
                return true;
            }
        }
        return false;
    }

    // ---- making requests

    /** Makes a request available, if there is room for it. Returns whether it did. */
    boolean submit(GuestRequest request) {
        if (outstanding >= SIZE || !slots.place(request)) {
            return false;
        }
        int head = chains.freeDescriptor();
        if (head < 0) {
            slots.free(request);
            return false;
        }
        request.head = head;
        request.headerAt = Layout.HEADERS + (long) head * Layout.HEADER_BYTES;
        fillIn(request);
        if (!chains.build(request)) {
            free(request);
            return false;
        }
        check.begin(request);
        requests[head] = request;
        outstanding++;
        VirtqAvail.ring(memory, Layout.AVAIL, availIdx & Layout.QUEUE_MASK, head);
        availIdx = (availIdx + 1) & 0xFFFF;
        trace.add("queue " + index + " makes " + request + " available" + (request.durable ? ", durable" : ""));
        return true;
    }

    private void fillIn(GuestRequest request) {
        boolean ranged = request.kind == Kind.DISCARD || request.kind == Kind.WRITE_ZEROES;
        long sector = request.kind == Kind.BEYOND ? disk.sectors() : ranged ? 0 : request.sector;
        VirtioBlkRequestHeader.set(memory, request.headerAt, request.kind.type, sector);
        memory.set(ValueLayout.JAVA_BYTE, request.statusAt(), (byte) UNWRITTEN);
        MemorySegment data = request.region.memory();
        switch (request.kind) {
            case WRITE, BEYOND -> {
                request.stamp = disk.stampsFor(request.sectors);
                for (int i = 0; i < request.sectors; i++) {
                    DiskModel.fill(data, request.dataAt + (long) i * DiskModel.SECTOR, request.stamp + i);
                }
            }
            case DISCARD -> VirtioBlkDiscardSegment.set(data, request.dataAt, request.sector, request.sectors, 0);
            case WRITE_ZEROES ->
                    VirtioBlkDiscardSegment.set(data, request.dataAt, request.sector, request.sectors, request.unmap ? VirtioBlkDiscardSegment.F_UNMAP : 0);
            case READ, GET_ID, FLUSH -> {}
        }
        if (request.bytes() > 0) {
            request.region.changed(request.dataAt, request.bytes());
        }
        rings.changed(base + request.headerAt, Layout.HEADER_BYTES);
    }

    /** Shows the device what was made available, and kicks where it wants to be kicked: now or later. */
    void publish() {
        int old = VirtqAvail.idxAcquire(memory, Layout.AVAIL);
        if (old != availIdx) {
            VirtqAvail.idxRelease(memory, Layout.AVAIL, availIdx);
            NativeMemory.fullFence();
            boolean wanted = !polled && (eventIdx
                    ? VirtqUsed.needsEvent(VirtqUsed.availEvent(memory, Layout.USED, SIZE), availIdx, old)
                    : (VirtqUsed.flags(memory, Layout.USED) & VirtqUsed.F_NO_NOTIFY) == 0);
            trace.add("queue " + index + " publishes " + availIdx + (wanted ? ", kicks" : ""));
            if (wanted) {
                if (Faults.happens(random, faults.lateKick())) {
                    lateKicks++;
                } else {
                    kick();
                }
            }
        }
        rings.changed(base, Layout.HEADERS);
    }

    private void kick() {
        int _ = EventFd.signal(kick.number());
    }

    boolean kickIsLate() {
        return lateKicks > 0;
    }

    void lateKick() {
        if (lateKicks > 0) {
            lateKicks = 0;
            kick();
        }
    }

    void spuriousKick() {
        kick();
    }

    // ---- what a hostile driver does

    /** Breaks the ring in one of the ways that there are. */
    void breakRing() {
        broken = true;
        int way = random.nextInt(3);
        trace.add("queue " + index + " breaks its ring, way " + way);
        int slot = availIdx & Layout.QUEUE_MASK;
        switch (way) {
            case 0 -> VirtqAvail.ring(memory, Layout.AVAIL, slot, SIZE + random.nextInt(3) * 300);
            case 1 -> {
                // The device may have completed it before it looks.
                VirtqAvail.ring(memory, Layout.AVAIL, slot, duplicate());
                availIdx = (availIdx + 1) & 0xFFFF;
                VirtqAvail.ring(memory, Layout.AVAIL, availIdx & Layout.QUEUE_MASK, duplicate());
            }
            default -> availIdx = (availIdx + SIZE) & 0xFFFF;
        }
        mustBeFound = way != 1;
        availIdx = (availIdx + 1) & 0xFFFF;
        VirtqAvail.idxRelease(memory, Layout.AVAIL, availIdx);
        rings.changed(base, Layout.TABLES);
        kick();
    }

    /** A head that is out already, or one beyond the ring. */
    private int duplicate() {
        for (int i = SIZE - 1; i >= 0; i--) {
            GuestRequest request = requests[i];
            if (request != null && request.kind == Kind.READ) {
                return i;
            }
        }
        return SIZE;
    }

    /** The device has said through the error eventfd that the ring is broken, where it has to say so. */
    boolean errorReported() {
        errorSeen |= EventFd.drain(err.number()) > 0;
        return errorSeen || !mustBeFound;
    }

    // ---- hearing of completions

    /** The driver's handler: runs when interrupted, and goes to sleep when there is no more. */
    void handleInterrupt() {
        boolean interrupted = EventFd.drain(call.number()) > 0;
        if ((asleep && !interrupted) || broken) {
            return;
        }
        asleep = false;
        if (!eventIdx) {
            flags(VirtqAvail.F_NO_INTERRUPT);
        }
        while (true) {
            consume();
            if (eventIdx) {
                VirtqAvail.usedEvent(memory, Layout.AVAIL, SIZE, usedIdx);
                rings.changed(base, Layout.TABLES);
            } else {
                flags(0);
            }
            NativeMemory.fullFence();
            if (VirtqUsed.idxAcquire(memory, Layout.USED) == usedIdx) {
                asleep = true;
                return;
            }
        }
    }

    /** Takes what is there without having been interrupted. */
    void poll() {
        if (!broken) {
            consume();
        }
    }

    private void flags(int flags) {
        VirtqAvail.flags(memory, Layout.AVAIL, flags);
        rings.changed(base, Layout.TABLES);
    }

    private void consume() {
        int shown = VirtqUsed.idxAcquire(memory, Layout.USED);
        int count = (shown - usedIdx) & 0xFFFF;
        if (count > outstanding) {
            throw new Violation("queue " + index + ": used index went from " + usedIdx + " to " + shown + " with " + outstanding + " requests outstanding");
        }
        while (usedIdx != shown) {
            int slot = usedIdx & Layout.QUEUE_MASK;
            // The device may have written it in this same step.
            allowElement(usedIdx);
            complete(VirtqUsed.elementId(memory, Layout.USED, slot), VirtqUsed.elementLen(memory, Layout.USED, slot));
            usedIdx = (usedIdx + 1) & 0xFFFF;
        }
    }

    private void complete(int id, int written) {
        GuestRequest request = id >= 0 && id < SIZE ? requests[id] : null;
        if (request == null) {
            throw new Violation("queue " + index + ": head " + id + " was completed, which is not outstanding");
        }
        int status = memory.get(ValueLayout.JAVA_BYTE, request.statusAt()) & 0xFF;
        trace.add("queue " + index + " sees " + request + ": status " + status + ", " + written + " bytes");
        allow(request);
        check.completed(index, request, status, written);
        free(request);
    }

    /** The device was free to write what this request gave it. */
    private void allow(GuestRequest request) {
        if (request.deviceWritesData() && !request.unsupported) {
            request.region.changed(request.dataAt, request.bytes());
        }
        if (request.flaw == null || request.flaw.hasStatus) {
            rings.changed(base + request.statusAt(), 1);
        }
    }

    private void free(GuestRequest request) {
        if (requests[request.head] == request) {
            requests[request.head] = null;
            outstanding--;
        }
        chains.free(request);
        slots.free(request);
    }

    // ---- what the device may have written until now

    /** Before a check of the memory: everything that the device may write while it runs. */
    void allowWhatWasGiven() {
        if (!running) {
            return;
        }
        for (GuestRequest request : requests) {
            if (request != null) {
                allow(request);
            }
        }
        // flags and idx
        rings.changed(base + Layout.USED, 4);
        // A head that a hostile driver has made available twice is completed twice.
        int elements = broken ? SIZE : outstanding;
        for (int i = 0; i < elements; i++) {
            allowElement(usedIdx + i);
        }
        if (eventIdx) {
            rings.changed(base + Layout.USED + VirtqUsed.RING + (long) SIZE * VirtqUsed.ELEMENT_SIZE, 2);
        }
    }

    private void allowElement(int idx) {
        rings.changed(base + Layout.USED + VirtqUsed.RING + (long) (idx & Layout.QUEUE_MASK) * VirtqUsed.ELEMENT_SIZE, VirtqUsed.ELEMENT_SIZE);
    }

    String state() {
        return "queue " + index + ": avail " + availIdx + ", used by the device " + VirtqUsed.idxAcquire(memory, Layout.USED) + ", seen " + usedIdx
                + ", outstanding "
                + outstanding + (asleep ? ", asleep" : "") + (running ? "" : ", stopped") + (polled ? ", polled" : "")
                + (broken ? ", broken" + (errorReported() ? "" : " and not reported") : "")
                + (eventIdx
                        ? ", avail_event " + VirtqUsed.availEvent(memory, Layout.USED, SIZE) + ", used_event "
                                + VirtqAvail.usedEvent(memory, Layout.AVAIL, SIZE)
                        : ", used flags " + VirtqUsed.flags(memory, Layout.USED));
    }

    @Override
    public void close() {
        kick.close();
        call.close();
        err.close();
    }
}
