package dev.sluice.aio.sink;

import dev.sluice.aio.loop.TickLoop;
import dev.sluice.aio.threads.CallThreads;
import dev.sluice.aio.threads.ThreadShortage;
import dev.sluice.linux.Errno;
import dev.sluice.linux.LinuxFile;
import dev.sluice.pipeline.Backoff;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntSupplier;

/**
 * The calls of one sink that are made by {@link CallThreads}; their results come back through the loop's mailbox.
 *
 * <p>A call counts once it was handed over, never before: what throws or refuses on the way leaves nothing behind. If no thread can be had, further calls are
 * refused without asking for one for a while, which doubles from 1 ms to 128 ms; those of a closing sink are made on the loop's thread then.
 *
 * <p><b>Threading:</b> the loop's thread. <b>Failure:</b> a start returns false if no thread can be had for now. <b>Allocation:</b> a task and its call.
 */
public final class ThreadCalls {
    private final RawSink sink;
    private final TickLoop loop;
    private final CallThreads threads;
    private final ThreadShortage shortage;
    private int onThreads;
    private final Backoff backoff = new Backoff();
    private long askAgainNanos;

    public ThreadCalls(RawSink sink, TickLoop loop, CallThreads threads) {
        this.sink = sink;
        this.loop = loop;
        this.threads = threads;
        this.shortage = new ThreadShortage(loop, threads);
    }

    /** As {@link RawSink#startVector(int, boolean, int, long, int, long, int)}. */
    public boolean startVector(int slot, boolean reads, int fd, long iovecs, int iovecCount, long offset, int rwFlags) {
        return start(slot, reads
                ? () -> (int) LinuxFile.preadv2(fd, iovecs, iovecCount, offset, 0)
                : () -> (int) LinuxFile.pwritev2(fd, iovecs, iovecCount, offset, rwFlags));
    }

    /** As {@link RawSink#startBuffer(int, boolean, int, long, int, long, int)}. */
    public boolean startBuffer(int slot, boolean reads, int fd, long address, int bytes, long offset, int rwFlags) {
        return start(slot, reads ? () -> (int) LinuxFile.pread(fd, address, bytes, offset) : () -> write(fd, address, bytes, offset, rwFlags));
    }

    /** RWF_DSYNC, the only flag there is, as fdatasync(2): pwrite(2) takes no flags. */
    private static int write(int fd, long address, int bytes, long offset, int rwFlags) {
        int written = (int) LinuxFile.pwrite(fd, address, bytes, offset);
        if (written <= 0 || rwFlags == 0) {
            return written;
        }
        int synced = LinuxFile.fdatasync(fd);
        return synced < 0 ? synced : written;
    }

    /** As {@link RawSink#startFallocate}. */
    public boolean startFallocate(int slot, int fd, int mode, long offset, long bytes) {
        return start(slot, () -> LinuxFile.fallocate(fd, mode, offset, bytes));
    }

    /** As {@link RawSink#startSync}. */
    public boolean startSync(int slot, int fd) {
        return start(slot, () -> LinuxFile.fdatasync(fd));
    }

    private boolean start(int slot, IntSupplier call) {
        if (!startOnThread(slot, call)) {
            if (!sink.closing()) {
                return false;
            }
            sink.collectLater(slot, call.getAsInt());
            loop.completionsSeen(1);
        }
        loop.submissionAdded();
        return true;
    }

    private boolean startOnThread(int slot, IntSupplier call) {
        if (backoff.failing() && loop.tickNanos() - askAgainNanos < 0) {
            return false;
        }
        if (!handedOver(new Call(slot, call))) {
            askAgainNanos = loop.tickNanos() + backoff.nextPauseNanos();
            return false;
        }
        backoff.reset();
        onThreads++;
        return true;
    }

    /** For what belongs to no request: on a thread, or here and now if there is none. */
    public void runAnyhow(Runnable task) {
        if (!handedOver(task)) {
            task.run();
        }
    }

    private boolean handedOver(Runnable task) {
        try {
            if (!threads.run(task)) {
                return false;
            }
        } catch (OutOfMemoryError noMemoryForIt) {
            return false;
        }
        shortage.handedOver();
        return true;
    }

    /** Calls that have not come back. */
    public int inFlight() {
        return onThreads;
    }

    /** Run first by a thread, then by the loop. Mailbox and queue order the two. */
    private final class Call implements Runnable {
        private final int slot;
        private final IntSupplier call;
        private int result;
        private boolean made;
        private boolean back;

        Call(int slot, IntSupplier call) {
            this.slot = slot;
            this.call = call;
        }

        @Override
        public void run() {
            if (made) {
                cameBack();
                return;
            }
            try {
                result = call.getAsInt();
            } catch (Throwable bug) {
                result = -Errno.EIO;
            }
            made = true;
            post();
        }

        private void post() {
            while (true) {
                try {
                    loop.execute(this);
                    return;
                } catch (RejectedExecutionException ended) {
                    // The loop has given up waiting for it, loudly.
                    return;
                } catch (OutOfMemoryError noNodeForIt) {
                    LockSupport.parkNanos(Backoff.FIRST_PAUSE_NANOS);
                }
            }
        }

        /** Once, even if posting failed after the mailbox had it. */
        private void cameBack() {
            if (!back) {
                back = true;
                onThreads--;
                loop.completionsSeen(1);
                sink.collect(slot, result);
                sink.drain();
            }
        }
    }
}
