package dev.sluice.server;

import static dev.sluice.server.HandMadeFrontEnd.GUEST;
import static dev.sluice.server.HandMadeFrontEnd.USER;
import static dev.sluice.server.HandMadeFrontEnd.ints;
import static dev.sluice.server.HandMadeFrontEnd.longs;

import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** A split virtqueue of sixteen descriptors, written by hand into a {@link HandMadeFrontEnd}'s memory; good requests, and whatever else. */
final class HandMadeRing implements AutoCloseable {
    static final int SIZE = 16;
    static final int NEXT = 1;
    static final int WRITE = 2;
    static final int INDIRECT = 4;

    static final int READ_REQUEST = 0;
    static final int WRITE_REQUEST = 1;

    private static final int RING_BYTES = 0x1000;
    private static final int DATA_BYTES = 0x10000;
    private static final int AVAIL = SIZE * 16;
    private static final int USED = 0x400;
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(30);

    final int index;
    final Fd kick;
    final Fd call;
    final Fd err;
    private final HandMadeFrontEnd front;
    private final MemorySegment memory;
    private final int base;
    /** Offset of a place for headers and data, in guest memory. */
    final int data;
    private int availIdx;

    HandMadeRing(HandMadeFrontEnd front, int index) throws IOException {
        this.front = front;
        this.index = index;
        this.memory = front.memory();
        this.base = index * RING_BYTES;
        this.data = 0x40000 + index * DATA_BYTES;
        this.kick = Fd.adopt(HandMadeFrontEnd.newEventFd());
        this.call = Fd.adopt(HandMadeFrontEnd.newEventFd());
        this.err = Fd.adopt(HandMadeFrontEnd.newEventFd());
    }

    /** As QEMU does: size, base, addresses, kick, call, then enable. */
    void start() throws IOException {
        front.tell(HandMadeFrontEnd.SET_VRING_ERR, longs(index), err.number());
        front.tell(HandMadeFrontEnd.SET_VRING_NUM, ints(index, SIZE));
        front.tell(HandMadeFrontEnd.SET_VRING_BASE, ints(index, availIdx));
        front.tell(HandMadeFrontEnd.SET_VRING_ADDR, addresses(USER + base, USER + base + USED, USER + base + AVAIL));
        front.tell(HandMadeFrontEnd.SET_VRING_KICK, longs(index), kick.number());
        front.tell(HandMadeFrontEnd.SET_VRING_CALL, longs(index), call.number());
        front.tell(HandMadeFrontEnd.SET_VRING_ENABLE, ints(index, 1));
    }

    byte[] addresses(long descriptors, long used, long avail) {
        return longs(index, descriptors, used, avail, 0);
    }

    /** Stops the ring and starts it with empty areas. */
    void startOver() throws IOException {
        byte[] reply = front.ask(HandMadeFrontEnd.GET_VRING_BASE, ints(index, 0));
        if (reply.length != 8 || reply[0] != index) {
            throw new AssertionError("answer to GET_VRING_BASE");
        }
        memory.asSlice(base, RING_BYTES).fill((byte) 0);
        availIdx = 0;
        start();
    }

    // ---- whatever

    long guest(long offset) {
        return GUEST + offset;
    }

    void descriptorAt(long offset, long address, long length, int flags, int next) {
        memory.set(ValueLayout.JAVA_LONG_UNALIGNED, offset, address);
        memory.set(ValueLayout.JAVA_INT_UNALIGNED, offset + 8, (int) length);
        memory.set(ValueLayout.JAVA_SHORT_UNALIGNED, offset + 12, (short) flags);
        memory.set(ValueLayout.JAVA_SHORT_UNALIGNED, offset + 14, (short) next);
    }

    void descriptor(int number, long address, long length, int flags, int next) {
        descriptorAt(base + 16L * number, address, length, flags, next);
    }

    /** An entry of the available ring, which nobody sees before {@link #show}. */
    void offer(int head) {
        memory.set(ValueLayout.JAVA_SHORT_UNALIGNED, base + AVAIL + 4 + 2L * (availIdx % SIZE), (short) head);
        availIdx = (availIdx + 1) & 0xFFFF;
    }

    void jump(int by) {
        availIdx = (availIdx + by) & 0xFFFF;
    }

    void show() {
        VarHandle.releaseFence();
        memory.set(ValueLayout.JAVA_SHORT_UNALIGNED, base + AVAIL + 2, (short) availIdx);
        VarHandle.fullFence();
        kick();
    }

    void kick() {
        int _ = EventFd.signal(kick.number());
    }

    void poke(long offset, byte value) {
        memory.set(ValueLayout.JAVA_BYTE, base + offset, value);
    }

    /** Bytes of a header where the data is. */
    void header(int type, long sector) {
        memory.set(ValueLayout.JAVA_INT_UNALIGNED, data, type);
        memory.set(ValueLayout.JAVA_INT_UNALIGNED, data + 4, 0);
        memory.set(ValueLayout.JAVA_LONG_UNALIGNED, data + 8, sector);
    }

    // ---- a good request

    private int usedIdx() {
        int idx = memory.get(ValueLayout.JAVA_SHORT_UNALIGNED, base + USED + 2) & 0xFFFF;
        VarHandle.acquireFence();
        return idx;
    }

    /** Writes 4 KiB and reads them back; fails where anything is not as it should be. */
    void verify(long sector, byte[] content) {
        int at = data + 512;
        MemorySegment.copy(content, 0, memory, ValueLayout.JAVA_BYTE, at, content.length);
        transfer(WRITE_REQUEST, sector, at, content.length);
        memory.asSlice(at, content.length).fill((byte) 0);
        transfer(READ_REQUEST, sector, at, content.length);
        if (memory.asSlice(at, content.length).mismatch(MemorySegment.ofArray(content)) != -1) {
            throw new AssertionError("sector " + sector + " is not what was written");
        }
    }

    private void transfer(int type, long sector, int at, int bytes) {
        header(type, sector);
        int statusAt = data + 16;
        memory.set(ValueLayout.JAVA_BYTE, statusAt, (byte) 0x7F);
        descriptor(0, guest(data), 16, NEXT, 1);
        descriptor(1, guest(at), bytes, NEXT | (type == READ_REQUEST ? WRITE : 0), 2);
        descriptor(2, guest(statusAt), 1, WRITE, 0);
        int before = usedIdx();
        offer(0);
        show();
        long begun = System.nanoTime();
        while (usedIdx() == before) {
            if (System.nanoTime() - begun > PATIENCE_NANOS) {
                throw new AssertionError("queue " + index + " does not answer");
            }
            LockSupport.parkNanos(20_000);
        }
        long element = base + USED + 4 + 8L * (before % SIZE);
        int head = memory.get(ValueLayout.JAVA_INT_UNALIGNED, element);
        int written = memory.get(ValueLayout.JAVA_INT_UNALIGNED, element + 4);
        int status = memory.get(ValueLayout.JAVA_BYTE, statusAt);
        int expected = type == READ_REQUEST ? bytes + 1 : 1;
        if (head != 0 || status != 0 || written != expected) {
            throw new AssertionError("queue " + index + ": head " + head + ", status " + status + ", " + written + " bytes");
        }
    }

    @Override
    public void close() {
        kick.close();
        call.close();
        err.close();
    }
}
