package dev.sluice.simulation;

import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import dev.sluice.linux.NativeMemory;
import dev.sluice.simulation.GuestRequest.Kind;
import dev.sluice.virtio.layout.VirtioBlkDiscardSegment;
import dev.sluice.virtio.layout.VirtioBlkRequestHeader;
import dev.sluice.virtio.layout.VirtqAvail;
import dev.sluice.virtio.layout.VirtqDesc;
import dev.sluice.virtio.layout.VirtqUsed;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * One virtqueue as its driver has it: makes requests available, sleeps until it is interrupted, checks every completion against the model.
 *
 * <p>Layout of its share of the region, which ends with the used ring, so that the event word behind it is there only with EVENT_IDX.
 */
final class GuestQueue implements AutoCloseable {
    static final int SIZE = 32;
    private static final int DATA_SLOTS = 16;
    private static final int SLOT_BYTES = 4096 + 512;
    private static final int BIG_BYTES = 320 * 1024;
    private static final int TABLE_ENTRIES = 16;

    private static final long DESCRIPTORS = 0;
    private static final long AVAIL = DESCRIPTORS + (long) SIZE * VirtqDesc.SIZE;
    private static final long TABLES = 4096;
    private static final long HEADERS = TABLES + (long) SIZE * TABLE_ENTRIES * VirtqDesc.SIZE;
    private static final int HEADER_BYTES = 64;
    private static final long DATA = HEADERS + (long) SIZE * HEADER_BYTES;
    private static final long BIG = DATA + (long) DATA_SLOTS * SLOT_BYTES;
    private static final long USED = (BIG + BIG_BYTES + 4095) / 4096 * 4096;
    /** What a queue takes of the region; the last one ends with its used ring. */
    static final long BYTES = USED + 4096;

    private static final int UNWRITTEN = 0xEE;

    final int index;
    private final GuestRegion rings;
    private final long base;
    private final MemorySegment memory;
    private final SplittableRandom random;
    private final DiskModel disk;
    private final SimulatedKernel kernel;
    private final Trace trace;
    final boolean eventIdx;
    private final boolean indirect;
    private Fd kick;
    private Fd call;
    private final Fd err;

    private final @Nullable GuestRequest[] requests = new GuestRequest[SIZE];
    private final boolean[] descriptorUsed = new boolean[SIZE];
    private final boolean[] slotUsed = new boolean[DATA_SLOTS];
    private boolean bigUsed;
    private int outstanding;
    private int availIdx;
    private int usedIdx;
    private int lateKicks;
    private boolean asleep;
    /** The device may touch what the driver has given it. */
    boolean running;
    /** The driver has made its ring invalid; it goes on after a reset only. */
    boolean broken;

    private Faults faults;

    GuestQueue(
            int index, GuestRegion rings, long base, SplittableRandom random, DiskModel disk, SimulatedKernel kernel, Trace trace, boolean eventIdx, boolean indirect,
            Faults faults) {
        this.index = index;
        this.rings = rings;
        this.base = base;
        this.memory = rings.memory().asSlice(base, bytes(eventIdx));
        this.random = random;
        this.disk = disk;
        this.kernel = kernel;
        this.trace = trace;
        this.eventIdx = eventIdx;
        this.indirect = indirect;
        this.faults = faults;
        this.kick = eventFd();
        this.call = eventFd();
        this.err = eventFd();
        reset();
    }

    /** From its first byte to the end of its used ring, which has an event word only with EVENT_IDX. */
    static long bytes(boolean eventIdx) {
        return USED + VirtqUsed.sizeBytes(SIZE, eventIdx);
    }

    private static Fd eventFd() {
        return Fd.adopt(EventFd.create(0, EventFd.EFD_CLOEXEC | EventFd.EFD_NONBLOCK));
    }

    void faults(Faults chosen) {
        faults = chosen;
    }

    /** A driver that starts over: an empty ring, nothing outstanding. */
    void reset() {
        memory.asSlice(0, TABLES).fill((byte) 0);
        memory.asSlice(USED, VirtqUsed.sizeBytes(SIZE, eventIdx)).fill((byte) 0);
        if (!eventIdx) {
            // Not the device's: the driver keeps something of its own there, as behind the used ring, where the region's pattern stays.
            VirtqAvail.usedEvent(memory, AVAIL, SIZE, 0x5AA5);
        }
        rings.changed(base, TABLES);
        rings.changed(base + USED, VirtqUsed.sizeBytes(SIZE, eventIdx));
        for (GuestRequest request : requests) {
            if (request != null) {
                giveUp(request);
            }
        }
        availIdx = 0;
        usedIdx = 0;
        lateKicks = 0;
        broken = false;
        asleep = false;
    }

    private void giveUp(GuestRequest request) {
        if (request.changesDisk()) {
            disk.lost(request.sector, request.sectors);
        } else if (request.kind == Kind.READ) {
            disk.endRead(request.sector, request.sectors);
        }
        allow(request);
        free(request);
    }

    long userAddress(long at) {
        return rings.userAddress() + base + at;
    }

    long descriptorsAddress() {
        return userAddress(DESCRIPTORS);
    }

    long availAddress() {
        return userAddress(AVAIL);
    }

    long usedAddress() {
        return userAddress(USED);
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
    int newCallFd() {
        asleep &= EventFd.drain(call.number()) <= 0;
        call.close();
        call = eventFd();
        return call.number();
    }

    int newKickFd() {
        kick.close();
        kick = eventFd();
        return kick.number();
    }

    int outstanding() {
        return outstanding;
    }

    int usedIdx() {
        return usedIdx;
    }

    /** How far the device has shown. */
    int deviceUsedIdx() {
        return VirtqUsed.idxAcquire(memory, USED);
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
    boolean submit(Kind kind, int sector, int sectors, GuestRegion dataRegion, boolean durable) {
        GuestRequest request = new GuestRequest(kind, sector, sectors, dataRegion);
        if (outstanding >= SIZE || !placeData(request)) {
            return false;
        }
        int head = freeDescriptor();
        if (head < 0) {
            freeData(request);
            return false;
        }
        request.head = head;
        request.headerAt = HEADERS + (long) head * HEADER_BYTES;
        request.statusAt = request.headerAt + 40;
        request.durable = durable;
        request.failuresBefore = kernel.failures();
        if (!buildChain(request)) {
            free(request);
            return false;
        }
        begin(request);
        requests[head] = request;
        outstanding++;
        VirtqAvail.ring(memory, AVAIL, availIdx & (SIZE - 1), head);
        availIdx = (availIdx + 1) & 0xFFFF;
        trace.add("queue " + index + " makes " + request + " available" + (durable ? ", durable" : ""));
        return true;
    }

    private boolean placeData(GuestRequest request) {
        int bytes = request.bytes();
        if (bytes == 0) {
            return true;
        }
        if (bytes > 4096) {
            if (bigUsed || request.region != rings) {
                return false;
            }
            bigUsed = true;
            request.dataSlot = DATA_SLOTS;
            request.dataAt = base + BIG + random.nextInt(512);
            return true;
        }
        for (int slot = 0; slot < DATA_SLOTS; slot++) {
            if (!slotUsed[slot]) {
                slotUsed[slot] = true;
                request.dataSlot = slot;
                long at = (request.region == rings ? base + DATA : (long) index * DATA_SLOTS * SLOT_BYTES) + (long) slot * SLOT_BYTES;
                request.dataAt = random.nextInt(3) == 0 ? at + random.nextInt(512) : (at + 511) / 512 * 512;
                return true;
            }
        }
        return false;
    }

    private int freeDescriptor() {
        for (int i = 0; i < SIZE; i++) {
            if (!descriptorUsed[i]) {
                descriptorUsed[i] = true;
                return i;
            }
        }
        return -1;
    }

    private void begin(GuestRequest request) {
        if (request.kind == Kind.READ) {
            disk.beginRead(request.sector, request.sectors);
        } else if (request.changesDisk()) {
            disk.beginWrite(request.sector, request.sectors);
        } else if (request.kind == Kind.FLUSH) {
            request.covered = disk.acknowledged();
            request.generationsThen = disk.generations();
        }
    }

    /** The parts of a request in their order, as pairs of address and length, cut at random places. */
    private boolean buildChain(GuestRequest request) {
        long[] addresses = new long[TABLE_ENTRIES];
        int[] lengths = new int[TABLE_ENTRIES];
        boolean[] writable = new boolean[TABLE_ENTRIES];
        int parts = 0;
        fillIn(request);
        long ringsGuest = rings.guestAddress() + base;
        int headerCut = random.nextInt(4) == 0 ? random.nextInt(1, 16) : 16;
        parts = part(addresses, lengths, writable, parts, ringsGuest + request.headerAt, headerCut, false);
        if (headerCut < 16) {
            parts = part(addresses, lengths, writable, parts, ringsGuest + request.headerAt + headerCut, 16 - headerCut, false);
        }
        int bytes = request.bytes();
        long dataGuest = request.region.guestAddress() + request.dataAt;
        int done = 0;
        int cuts = bytes > 1 ? random.nextInt(4) : 0;
        while (done < bytes) {
            int length = cuts-- > 0 && bytes - done > 1 ? random.nextInt(1, bytes - done) : bytes - done;
            parts = part(addresses, lengths, writable, parts, dataGuest + done, length, request.deviceWritesData());
            done += length;
        }
        parts = part(addresses, lengths, writable, parts, ringsGuest + request.statusAt, 1, true);
        if (request.kind == Kind.MALFORMED) {
            // An address that is nowhere, or a chain that stops before its status.
            if (random.nextBoolean()) {
                addresses[random.nextInt(parts)] = 0x7777_0000_0000L;
            } else {
                parts = Math.max(1, parts - 1);
            }
        }
        return (indirect && random.nextInt(4) != 0) ? indirect(request, addresses, lengths, writable, parts) : direct(request, addresses, lengths, writable, parts);
    }

    private static int part(long[] addresses, int[] lengths, boolean[] writable, int parts, long address, int length, boolean write) {
        addresses[parts] = address;
        lengths[parts] = length;
        writable[parts] = write;
        return parts + 1;
    }

    private boolean direct(GuestRequest request, long[] addresses, int[] lengths, boolean[] writable, int parts) {
        request.descriptors.add(request.head);
        for (int i = 1; i < parts; i++) {
            int next = freeDescriptor();
            if (next < 0) {
                return false;
            }
            request.descriptors.add(next);
        }
        for (int i = 0; i < parts; i++) {
            boolean more = i + 1 < parts;
            VirtqDesc.set(memory, DESCRIPTORS + (long) request.descriptors.get(i) * VirtqDesc.SIZE, addresses[i], lengths[i],
                    (writable[i] ? VirtqDesc.F_WRITE : 0) | (more ? VirtqDesc.F_NEXT : 0), more ? request.descriptors.get(i + 1) : 0);
        }
        return true;
    }

    private boolean indirect(GuestRequest request, long[] addresses, int[] lengths, boolean[] writable, int parts) {
        request.descriptors.add(request.head);
        long table = TABLES + (long) request.head * TABLE_ENTRIES * VirtqDesc.SIZE;
        for (int i = 0; i < parts; i++) {
            boolean more = i + 1 < parts;
            VirtqDesc.set(memory, table + (long) i * VirtqDesc.SIZE, addresses[i], lengths[i],
                    (writable[i] ? VirtqDesc.F_WRITE : 0) | (more ? VirtqDesc.F_NEXT : 0), more ? i + 1 : 0);
        }
        VirtqDesc.set(memory, DESCRIPTORS + (long) request.head * VirtqDesc.SIZE, rings.guestAddress() + base + table, (long) parts * VirtqDesc.SIZE,
                VirtqDesc.F_INDIRECT, 0);
        return true;
    }

    private void fillIn(GuestRequest request) {
        long sector = request.kind == Kind.BEYOND ? disk.sectors() : request.kind == Kind.DISCARD || request.kind == Kind.WRITE_ZEROES ? 0 : request.sector;
        VirtioBlkRequestHeader.set(memory, request.headerAt, request.kind.type, sector);
        memory.set(ValueLayout.JAVA_BYTE, request.statusAt, (byte) UNWRITTEN);
        MemorySegment data = request.region.memory();
        switch (request.kind) {
            case WRITE, BEYOND -> {
                request.stamp = disk.stampsFor(request.sectors);
                for (int i = 0; i < request.sectors; i++) {
                    DiskModel.fill(data, request.dataAt + (long) i * DiskModel.SECTOR, request.stamp + i);
                }
            }
            case DISCARD -> VirtioBlkDiscardSegment.set(data, request.dataAt, request.sector, request.sectors, 0);
            case WRITE_ZEROES -> VirtioBlkDiscardSegment.set(data, request.dataAt, request.sector, request.sectors, random.nextInt(2));
            case READ, GET_ID, MALFORMED, FLUSH -> {}
        }
        if (request.bytes() > 0) {
            request.region.changed(request.dataAt, request.bytes());
        }
        rings.changed(base + request.headerAt, HEADER_BYTES);
    }

    /** Shows the device what was made available, and kicks where it wants to be kicked: now or later. */
    void publish() {
        int old = VirtqAvail.idxAcquire(memory, AVAIL);
        if (old != availIdx) {
            VirtqAvail.idxRelease(memory, AVAIL, availIdx);
            NativeMemory.fullFence();
            boolean wanted = eventIdx
                    ? VirtqUsed.needsEvent(VirtqUsed.availEvent(memory, USED, SIZE), availIdx, old)
                    : (VirtqUsed.flags(memory, USED) & VirtqUsed.F_NO_NOTIFY) == 0;
            trace.add("queue " + index + " publishes " + availIdx + (wanted ? ", kicks" : ""));
            if (wanted) {
                if (Faults.happens(random, faults.lateKick())) {
                    lateKicks++;
                } else {
                    kick();
                }
            }
        }
        rings.changed(base, TABLES);
        rings.changed(base + TABLES, HEADERS - TABLES);
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
        int slot = availIdx & (SIZE - 1);
        switch (way) {
            case 0 -> VirtqAvail.ring(memory, AVAIL, slot, SIZE + random.nextInt(1000));
            case 1 -> VirtqAvail.ring(memory, AVAIL, slot, duplicate());
            default -> availIdx = (availIdx + SIZE) & 0xFFFF;
        }
        availIdx = (availIdx + 1) & 0xFFFF;
        VirtqAvail.idxRelease(memory, AVAIL, availIdx);
        rings.changed(base, TABLES);
        kick();
    }

    /** A head that is out already, or one beyond the ring. */
    private int duplicate() {
        for (int i = SIZE - 1; i >= 0; i--) {
            if (requests[i] != null) {
                return i;
            }
        }
        return SIZE;
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
                VirtqAvail.usedEvent(memory, AVAIL, SIZE, usedIdx);
                rings.changed(base, TABLES);
            } else {
                flags(0);
            }
            NativeMemory.fullFence();
            if (VirtqUsed.idxAcquire(memory, USED) == usedIdx) {
                asleep = true;
                return;
            }
        }
    }

    private void flags(int flags) {
        VirtqAvail.flags(memory, AVAIL, flags);
        rings.changed(base, TABLES);
    }

    private void consume() {
        int shown = VirtqUsed.idxAcquire(memory, USED);
        int count = (shown - usedIdx) & 0xFFFF;
        if (count > outstanding) {
            throw new Violation("queue " + index + ": used index went from " + usedIdx + " to " + shown + " with " + outstanding + " requests outstanding");
        }
        while (usedIdx != shown) {
            int slot = usedIdx & (SIZE - 1);
            complete(VirtqUsed.elementId(memory, USED, slot), VirtqUsed.elementLen(memory, USED, slot));
            usedIdx = (usedIdx + 1) & 0xFFFF;
        }
    }

    private void complete(int id, int written) {
        GuestRequest request = id >= 0 && id < SIZE ? requests[id] : null;
        if (request == null) {
            throw new Violation("queue " + index + ": head " + id + " was completed, which is not outstanding");
        }
        int status = memory.get(ValueLayout.JAVA_BYTE, request.statusAt) & 0xFF;
        trace.add("queue " + index + " sees " + request + ": status " + status + ", " + written + " bytes");
        allow(request);
        if (request.kind == Kind.MALFORMED) {
            if (written < 0 || written > request.bytes() + 1) {
                throw new Violation("queue " + index + ": malformed chain completed with " + written + " bytes");
            }
        } else {
            check(request, status, written);
        }
        free(request);
    }

    private void check(GuestRequest request, int status, int written) {
        int most = request.deviceWritesData() ? request.bytes() + 1 : 1;
        if (status > 2) {
            throw new Violation("queue " + index + ": " + request + " was completed without a status: " + status);
        }
        if (status == 0 ? written != most : written < 1 || written > most) {
            throw new Violation("queue " + index + ": " + request + " was completed with status " + status + " and " + written + " bytes written, of " + most);
        }
        if (status == 0) {
            succeeded(request);
        } else {
            failed(request, status);
        }
    }

    private void succeeded(GuestRequest request) {
        switch (request.kind) {
            case READ -> {
                for (int i = 0; i < request.sectors; i++) {
                    disk.checkRead(request.sector + i, request.region.memory(), request.dataAt + (long) i * DiskModel.SECTOR);
                }
                disk.endRead(request.sector, request.sectors);
            }
            case WRITE -> {
                disk.wrote(request.sector, request.sectors, request.stamp);
                checkDurable(request);
            }
            case WRITE_ZEROES, DISCARD -> {
                // Sluice punches holes: what was discarded reads as zeroes.
                disk.wrote(request.sector, request.sectors, 0);
                checkDurable(request);
            }
            case FLUSH -> disk.checkDurable(request.covered, request.generationsThen);
            case GET_ID -> {
                byte[] id = request.region.memory().asSlice(request.dataAt, 20).toArray(ValueLayout.JAVA_BYTE);
                if (!new String(id, java.nio.charset.StandardCharsets.UTF_8).startsWith(SimulatedGuest.SERIAL)) {
                    throw new Violation("GET_ID gave " + java.util.Arrays.toString(id));
                }
            }
            case BEYOND -> throw new Violation("a write behind the end of the disk succeeded");
            case MALFORMED -> throw new AssertionError();
        }
    }

    private void checkDurable(GuestRequest request) {
        if (request.durable) {
            disk.checkDurable(request.sector, request.sectors, "an acknowledged " + request.kind + " in write-through mode");
        }
    }

    private void failed(GuestRequest request, int status) {
        boolean excused = switch (request.kind) {
            case BEYOND -> status == 1;
            case FLUSH -> kernel.syncHasFailed();
            case READ -> kernel.failedSince(request.failuresBefore, (long) request.sector * DiskModel.SECTOR, request.bytes());
            case WRITE, DISCARD, WRITE_ZEROES -> (request.durable && kernel.syncHasFailed())
                    || kernel.failedSince(request.failuresBefore, (long) request.sector * DiskModel.SECTOR, (long) request.sectors * DiskModel.SECTOR);
            case GET_ID, MALFORMED -> false;
        };
        if (!excused) {
            throw new Violation("queue " + index + ": " + request + " failed with status " + status + " although nothing had");
        }
        if (request.changesDisk()) {
            disk.lost(request.sector, request.sectors);
        } else if (request.kind == Kind.READ) {
            disk.endRead(request.sector, request.sectors);
        }
    }

    /** The device was free to write what this request gave it. */
    private void allow(GuestRequest request) {
        if (request.deviceWritesData()) {
            request.region.changed(request.dataAt, request.bytes());
        }
        rings.changed(base + request.statusAt, 1);
    }

    private void free(GuestRequest request) {
        if (requests[request.head] == request) {
            requests[request.head] = null;
            outstanding--;
        }
        descriptorUsed[request.head] = false;
        for (int descriptor : request.descriptors) {
            descriptorUsed[descriptor] = false;
        }
        freeData(request);
    }

    private void freeData(GuestRequest request) {
        if (request.dataSlot == DATA_SLOTS) {
            bigUsed = false;
        } else if (request.dataSlot >= 0) {
            slotUsed[request.dataSlot] = false;
        }
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
        rings.changed(base + USED, 4);
        // A head that a hostile driver has made available twice is completed twice.
        int elements = broken ? SIZE : outstanding;
        for (int i = 0; i < elements; i++) {
            rings.changed(base + USED + VirtqUsed.RING + (long) ((usedIdx + i) & (SIZE - 1)) * VirtqUsed.ELEMENT_SIZE, VirtqUsed.ELEMENT_SIZE);
        }
        if (eventIdx) {
            rings.changed(base + USED + VirtqUsed.RING + (long) SIZE * VirtqUsed.ELEMENT_SIZE, 2);
        }
    }

    String state() {
        return "queue " + index + ": avail " + availIdx + ", used by the device " + VirtqUsed.idxAcquire(memory, USED) + ", seen " + usedIdx + ", outstanding " + outstanding
                + (asleep ? ", asleep" : "") + (running ? "" : ", stopped") + (broken ? ", broken" : "")
                + (eventIdx ? ", avail_event " + VirtqUsed.availEvent(memory, USED, SIZE) + ", used_event " + VirtqAvail.usedEvent(memory, AVAIL, SIZE)
                        : ", used flags " + VirtqUsed.flags(memory, USED));
    }

    @Override
    public void close() {
        kick.close();
        call.close();
        err.close();
    }
}
