package dev.sluice.aio.linuxaio;

import dev.sluice.linux.AioRing;
import dev.sluice.linux.Errno;
import dev.sluice.linux.ErrnoException;
import dev.sluice.linux.IoEvent;
import dev.sluice.linux.Iocb;
import dev.sluice.linux.LinuxAio;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;

/**
 * An AIO context with its submissions: those that wait for io_submit, in order, and those that the kernel has.
 *
 * <p>An iocb belongs to a slot, is filled once and stays as it is until the kernel has taken it. Completions are read in the kernel's ring where
 * that has the known layout, else by io_getevents.
 *
 * <p><b>Threading:</b> one thread; {@link #destroy} any, last. <b>Ownership:</b> its creator's. <b>Failure:</b> {@link #open} says
 * which limit is in the way; later failures are results of slots. <b>Allocation:</b> at creation only.
 */
final class AioContext {
    /** Who hears of ends. Neither method throws. */
    interface Ends {
        /** io_submit refused this slot's iocb for good. */
        void refused(int slot, int errno);

        void completed(int slot, int result);
    }

    private static final int POINTER_BYTES = 8;

    private final AioCalls calls;
    private final long context;
    private final int capacity;
    private final boolean readsRing;
    private final NativeBlock iocbs;
    private final NativeBlock pointers;
    private final NativeBlock events;

    private int waiting;
    private int inKernel;

    private AioContext(AioCalls calls, long context, int capacity) {
        this.calls = calls;
        this.context = context;
        this.capacity = capacity;
        this.readsRing = calls.mayReadRing(context);
        this.iocbs = NativeMemory.allocate((long) capacity * Iocb.SIZE, Iocb.SIZE);
        this.pointers = NativeMemory.allocate((long) capacity * POINTER_BYTES, POINTER_BYTES);
        this.events = NativeMemory.allocate((long) capacity * IoEvent.SIZE, IoEvent.SIZE);
    }

    /**
     * A context for so many submissions in flight.
     *
     * @throws ErrnoException with one line that says why the kernel gives none
     */
    static AioContext open(int capacity, AioCalls calls) throws ErrnoException {
        long context = calls.setup(capacity);
        if (context < 0 && context > -4096) {
            throw new ErrnoException("io_setup(" + capacity + ")", "", (int) context, AioLimits.advice((int) context));
        }
        return new AioContext(calls, context, capacity);
    }

    /** The iocb of a slot, to be filled, then {@linkplain #add added}. The slot has none waiting or in the kernel. */
    long iocb(int slot) {
        return iocbs.address() + (long) slot * Iocb.SIZE;
    }

    /** The slot's iocb is filled; it is submitted after all that were added before. */
    void add(int slot) {
        NativeMemory.putLong(pointers.address() + (long) waiting * POINTER_BYTES, iocb(slot));
        waiting++;
    }

    /** How many wait for {@link #submit}. */
    int waiting() {
        return waiting;
    }

    int inKernel() {
        return inKernel;
    }

    short opcode(int slot) {
        return Iocb.opcode(iocb(slot));
    }

    /**
     * Hands what waits to the kernel: one io_submit, and another one only where the kernel has stopped in the middle, to hear why.
     *
     * @return how many system calls it took, negated where some are left as the kernel takes no more for now
     */
    int submit(Ends ends) {
        int entered = 0;
        int done = 0;
        boolean full = false;
        try {
            while (done < waiting && !full) {
                int taken = calls.submit(context, waiting - done, pointers.address() + (long) done * POINTER_BYTES);
                entered++;
                if (taken > 0) {
                    done += taken;
                    inKernel += taken;
                } else if (taken == 0 || isForNow(taken)) {
                    full = true;
                } else {
                    // io_submit(2): an error is about the first one, and none was taken.
                    int slot = (int) Iocb.data(NativeMemory.getLong(pointers.address() + (long) done * POINTER_BYTES));
                    done++;
                    ends.refused(slot, taken);
                }
            }
        } finally {
            // Whatever was thrown: what the kernel has must not be submitted again.
            taken(done);
        }
        return full ? -entered : entered;
    }

    /** Not done, and not the request's fault. */
    private static boolean isForNow(int errno) {
        return errno == -Errno.EAGAIN || errno == -Errno.EINTR || errno == -Errno.ENOMEM;
    }

    private void taken(int done) {
        waiting -= done;
        if (waiting > 0 && done > 0) {
            NativeMemory.copy(pointers.address() + (long) done * POINTER_BYTES, pointers.address(), (long) waiting * POINTER_BYTES);
        }
    }

    /** Whether completions are read without a system call. */
    boolean readsRing() {
        return readsRing;
    }

    /** Takes all completions that are there. Returns how many, or a negative errno after which it must be tried again. */
    int reap(Ends ends) {
        return readsRing ? reapRing(ends) : reapEvents(ends);
    }

    private int reapRing(Ends ends) {
        int size = AioRing.count(context);
        int head = AioRing.head(context);
        int tail = AioRing.tail(context);
        int reaped = 0;
        try {
            while (head != tail) {
                long event = AioRing.event(context, head);
                head = head + 1 == size ? 0 : head + 1;
                reaped++;
                complete(event, ends);
            }
        } finally {
            // Whatever was thrown: no event is reported twice.
            if (reaped > 0) {
                AioRing.advanceHead(context, head);
            }
        }
        return reaped;
    }

    private int reapEvents(Ends ends) {
        int reaped = calls.getEvents(context, capacity, events.address());
        for (int i = 0; i < reaped; i++) {
            complete(IoEvent.address(events.address(), i), ends);
        }
        return reaped;
    }

    private void complete(long event, Ends ends) {
        inKernel--;
        ends.completed((int) IoEvent.data(event), (int) IoEvent.result(event));
    }

    /** Ends the context. Waits for the kernel, some milliseconds with nothing in flight: not for a loop. */
    void destroy() {
        LinuxAio.destroy(context);
        iocbs.close();
        pointers.close();
        events.close();
    }
}
