package dev.sluice.virtio.queue;

import dev.sluice.linux.AioRing;
import dev.sluice.linux.Errno;
import dev.sluice.linux.EventFd;
import dev.sluice.linux.Iocb;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.NativeMemory;
import dev.sluice.linux.Poll;
import dev.sluice.linux.PollSet;
import dev.sluice.pipeline.IoLoop;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;

/**
 * What {@link CallBatch} uses of Linux AIO, without the kernel, which takes milliseconds to give a context back. As there a call of something else than an
 * eventfd fails with EINVAL where it is the first one, and ends the batch before it otherwise; a full counter stays full.
 */
public final class SimulatedAio implements CallBatch.AioCalls {
    private static final int RING_EVENTS = 64;

    private final Arena arena = Arena.ofAuto();
    private final long context = arena.allocate(AioRing.EVENTS_OFFSET, 8).address();
    private final int setupErrno;
    private int refusals;
    private int refusalErrno;

    /** How many calls each submission was about. */
    final List<Integer> batches = new ArrayList<>();

    /** The eventfds that calls were about, whether they were taken or not. */
    public final List<Integer> eventFds = new ArrayList<>();

    int mostTaken = RING_EVENTS;
    /** An eventfd whose calls are refused, or -1. */
    int refused = -1;

    int destroyed;

    public SimulatedAio() {
        this(0);
    }

    private SimulatedAio(int setupErrno) {
        this.setupErrno = setupErrno;
        NativeMemory.putInt(context + AioRing.COUNT_OFFSET, RING_EVENTS);
        NativeMemory.putInt(context + AioRing.MAGIC_OFFSET, AioRing.MAGIC);
        NativeMemory.putInt(context + AioRing.HEADER_LENGTH_OFFSET, AioRing.EVENTS_OFFSET);
    }

    /** For tests of what makes calls. */
    public CallBatch openCalls(IoLoop loop) throws IOException {
        return new CallBatch(loop, this);
    }

    static SimulatedAio unavailable(int errno) {
        return new SimulatedAio(errno);
    }

    /** As a later kernel might. */
    void changeLayout() {
        NativeMemory.putInt(context + AioRing.INCOMPAT_OFFSET, 1);
    }

    /** The next submissions fail, or take nothing where {@code errno} is 0. */
    public void refuse(int submissions, int errno) {
        refusals = submissions;
        refusalErrno = errno;
    }

    /** Completions that nobody has reaped. */
    int pending() {
        return Math.floorMod(AioRing.tail(context) - AioRing.head(context), RING_EVENTS);
    }

    @Override
    public long setup(int events) {
        return setupErrno != 0 ? -setupErrno : context;
    }

    @Override
    public int submit(long used, int count, long iocbAddresses) {
        if (used != context || count < 1) {
            throw new AssertionError(count + " calls to context " + used);
        }
        batches.add(count);
        for (int i = 0; i < count; i++) {
            eventFds.add(NativeMemory.getInt(NativeMemory.getLong(iocbAddresses + 8L * i) + Iocb.RESULT_FD_OFFSET));
        }
        if (refusals > 0) {
            refusals--;
            return -refusalErrno;
        }
        int taken = 0;
        while (taken < Math.min(count, mostTaken)) {
            int errno = signal(NativeMemory.getLong(iocbAddresses + 8L * taken));
            if (errno != 0) {
                return taken > 0 ? taken : -errno;
            }
            taken++;
        }
        return taken;
    }

    private int signal(long iocb) {
        int eventFd = NativeMemory.getInt(iocb + Iocb.RESULT_FD_OFFSET);
        if (eventFd == refused) {
            return Errno.EAGAIN;
        }
        if (!EventFd.isEventFd(eventFd) || NativeMemory.getInt(iocb + Iocb.FLAGS_OFFSET) != Iocb.IOCB_FLAG_RESFD || !readsNothing(iocb)) {
            return Errno.EINVAL;
        }
        if (pending() == RING_EVENTS - 1) {
            return Errno.EAGAIN;
        }
        NativeMemory.putInt(context + AioRing.TAIL_OFFSET, (AioRing.tail(context) + 1) % RING_EVENTS);
        if (!isFull(eventFd)) {
            int _ = EventFd.signal(eventFd);
        }
        return 0;
    }

    private static boolean isFull(int eventFd) {
        try (PollSet writable = new PollSet(1)) {
            int _ = writable.add(eventFd, Poll.POLLOUT);
            return writable.await(0) == 0;
        }
    }

    private static boolean readsNothing(long iocb) {
        return Iocb.opcode(iocb) == Iocb.IOCB_CMD_PREAD
                && NativeMemory.getLong(iocb + Iocb.BYTES_OFFSET) == 0
                && LinuxFile.descriptorName(NativeMemory.getInt(iocb + Iocb.FD_OFFSET)).equals("/dev/null");
    }

    @Override
    public void destroy(long used) {
        if (used != context) {
            throw new AssertionError("context " + used);
        }
        destroyed++;
    }
}
