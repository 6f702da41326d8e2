package dev.sluice.virtio.driver;

import dev.sluice.linux.EventFd;
import dev.sluice.virtio.layout.VirtioBlkDiscardSegment;
import dev.sluice.virtio.layout.VirtqAvail;
import dev.sluice.virtio.layout.VirtqDesc;
import dev.sluice.virtio.layout.VirtqUsed;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/**
 * A device as simple as can be: lists and byte arrays, one chain at a time, a disk in a byte array. Not the product's.
 */
final class OracleDevice {
    /** A chain as the device took it from the avail ring. */
    record Chain(int head, MemorySegment readable, List<MemorySegment> writable, int descriptors, boolean usedTable) {}

    private final DriverQueue queue;
    private final DriverMemory guest;
    private final SplitDriverRing ring;
    private final MemorySegment memory;
    private final boolean eventIdx;
    private final byte[] disk;
    private final List<Chain> taken = new ArrayList<>();
    private int availIdx;
    private int usedIdx;
    private long callsMade;

    OracleDevice(DriverQueue queue, DriverMemory guest, boolean eventIdx, int diskBytes) {
        this.queue = queue;
        this.guest = guest;
        this.ring = queue.splitRing();
        this.memory = ring.region().memory();
        this.eventIdx = eventIdx;
        this.disk = new byte[diskBytes];
        this.availIdx = ring.availIdx();
        this.usedIdx = ring.usedIdx();
    }

    byte[] disk() {
        return disk;
    }

    List<Chain> taken() {
        return taken;
    }

    long callsMade() {
        return callsMade;
    }

    /** Takes all that is available. */
    void takeAll() {
        int idx = VirtqAvail.idxAcquire(memory, ring.availOffset());
        while (availIdx != idx) {
            taken.add(walk(VirtqAvail.ring(memory, ring.availOffset(), availIdx % ring.size())));
            availIdx = (availIdx + 1) & 0xFFFF;
        }
    }

    /** Asks for a kick with the next request; true where there is one already. */
    boolean wantKick() {
        if (eventIdx) {
            VirtqUsed.availEvent(memory, ring.usedOffset(), ring.size(), availIdx);
        } else {
            VirtqUsed.flags(memory, ring.usedOffset(), 0);
        }
        // Pairs with the fence in SplitDriverRing.publish.
        VarHandle.fullFence();
        return VirtqAvail.idxAcquire(memory, ring.availOffset()) != availIdx;
    }

    private Chain walk(int head) {
        ByteArrayOutputStream readable = new ByteArrayOutputStream();
        List<MemorySegment> writable = new ArrayList<>();
        MemorySegment table = memory.asSlice(ring.descOffset(), (long) VirtqDesc.SIZE * ring.size());
        boolean usedTable = false;
        int descriptors = 0;
        int index = head;
        while (true) {
            long at = (long) VirtqDesc.SIZE * index;
            int flags = VirtqDesc.flags(VirtqDesc.lenFlagsNext(table, at));
            MemorySegment buffer = guest.at(VirtqDesc.addr(table, at), VirtqDesc.len(VirtqDesc.lenFlagsNext(table, at)));
            if ((flags & VirtqDesc.F_INDIRECT) != 0) {
                table = buffer;
                usedTable = true;
                index = 0;
                continue;
            }
            descriptors++;
            if ((flags & VirtqDesc.F_WRITE) != 0) {
                writable.add(buffer);
            } else if (!writable.isEmpty()) {
                throw new AssertionError("a readable descriptor follows a writable one");
            } else {
                readable.writeBytes(buffer.toArray(ValueLayout.JAVA_BYTE));
            }
            if ((flags & VirtqDesc.F_NEXT) == 0) {
                return new Chain(head, copy(readable.toByteArray()), writable, descriptors, usedTable);
            }
            index = VirtqDesc.next(VirtqDesc.lenFlagsNext(table, at));
        }
    }

    private static MemorySegment copy(byte[] bytes) {
        return Arena.ofAuto().allocateFrom(ValueLayout.JAVA_BYTE, bytes);
    }

    /** Carries a request out and puts it into the used ring; {@link #publish()} shows it. */
    void complete(Chain chain) {
        ByteBuffer readable = chain.readable().asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
        int type = readable.getInt(0);
        int offset = (int) readable.getLong(8) * BlkRequest.SECTOR_BYTES;
        int writableBytes = (int) chain.writable().stream().mapToLong(MemorySegment::byteSize).sum();
        byte[] answer = new byte[writableBytes];
        int written = 1;
        int status = BlkRequest.S_OK;
        switch (type) {
            case BlkRequest.T_IN -> {
                System.arraycopy(disk, offset, answer, 0, writableBytes - 1);
                written = writableBytes;
            }
            case BlkRequest.T_OUT -> readable.get(16, disk, offset, readable.limit() - 16);
            case BlkRequest.T_WRITE_ZEROES, BlkRequest.T_DISCARD -> {
                MemorySegment range = chain.readable();
                int from = (int) VirtioBlkDiscardSegment.sector(range, 16) * BlkRequest.SECTOR_BYTES;
                int bytes = (int) VirtioBlkDiscardSegment.numSectors(range, 16) * BlkRequest.SECTOR_BYTES;
                Arrays.fill(disk, from, from + bytes, (byte) 0);
            }
            case BlkRequest.T_FLUSH -> {}
            default -> status = BlkRequest.S_UNSUPP;
        }
        answer[writableBytes - 1] = (byte) status;
        scatter(chain, answer);
        putUsed(chain.head(), written);
    }

    private static void scatter(Chain chain, byte[] answer) {
        int at = 0;
        for (MemorySegment buffer : chain.writable()) {
            MemorySegment.copy(MemorySegment.ofArray(answer), at, buffer, 0, buffer.byteSize());
            at += (int) buffer.byteSize();
        }
    }

    void putUsed(int id, int length) {
        VirtqUsed.element(memory, ring.usedOffset(), usedIdx % ring.size(), id, length);
        usedIdx = (usedIdx + 1) & 0xFFFF;
    }

    /** Shows used elements and calls if, element by element, the driver wants it. Returns whether it called. */
    boolean publish() {
        int old = VirtqUsed.idxAcquire(memory, ring.usedOffset());
        VirtqUsed.idxRelease(memory, ring.usedOffset(), usedIdx);
        // Pairs with the fence in SplitDriverRing.armCall.
        VarHandle.fullFence();
        boolean call = eventIdx
                ? passes(old, usedIdx, VirtqAvail.usedEvent(memory, ring.availOffset(), ring.size()))
                : old != usedIdx && VirtqAvail.flags(memory, ring.availOffset()) == 0;
        if (call) {
            callsMade++;
            int _ = EventFd.signal(queue.callFd());
        }
        return call;
    }

    /** Element by element: VIRTIO 1.3 §2.7.7.2, §2.7.10.1, "if the idx field ... was equal to used_event". */
    static boolean passes(int old, int now, int event) {
        for (int idx = old; idx != now; idx = (idx + 1) & 0xFFFF) {
            if (idx == event) {
                return true;
            }
        }
        return false;
    }

    /** Completes some of what was taken, in any order, and shows it. */
    void completeSome(int count, SplittableRandom random) {
        for (int i = 0; i < count && !taken.isEmpty(); i++) {
            complete(taken.remove(random.nextInt(taken.size())));
        }
        boolean _ = publish();
    }

    /** Takes and completes everything in order. */
    void runAll() {
        takeAll();
        taken.forEach(this::complete);
        taken.clear();
        boolean _ = publish();
    }
}
