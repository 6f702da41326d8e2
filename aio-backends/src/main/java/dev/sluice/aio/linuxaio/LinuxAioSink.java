package dev.sluice.aio.linuxaio;

import dev.sluice.aio.loop.TickLoop;
import dev.sluice.aio.raw.RawImage;
import dev.sluice.aio.sink.CompletionSeam;
import dev.sluice.aio.sink.RawSink;
import dev.sluice.aio.sink.ThreadCalls;
import dev.sluice.linux.Errno;
import dev.sluice.linux.ErrnoException;
import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import dev.sluice.linux.Iocb;
import dev.sluice.pipeline.Backoff;
import dev.sluice.pipeline.IoLoop;

/**
 * A raw image through an AIO context of its own: one io_submit a tick, completions read from the kernel's ring when its eventfd wakes the loop.
 *
 * <p>What io_submit does not take (EAGAIN, whether at the first or in the middle of a batch) stays where it is, in order, and is
 * submitted again after the next completion; with nothing in the kernel, after a pause that doubles from 1 ms to 128 ms. It is never an
 * error of a request.
 *
 * <p>fallocate has no opcode, and a request that must go through the page cache of an image that is otherwise direct would block in io_submit:
 * both run on {@link ThreadCalls} and come back through the loop's mailbox.
 *
 * <p><b>Threading</b>, <b>Ownership</b>, <b>Failure:</b> as {@link RawSink} says. <b>Allocation:</b> none per request, but for those on other threads.
 */
final class LinuxAioSink extends RawSink implements AioContext.Ends {
    private final TickLoop loop;
    private final RawImage image;
    private final AioContext context;
    private final ThreadCalls threads;
    private final Fd completions;
    private final IoLoop.Watch watch;
    private final IoLoop.Turn reapAgain = this::reapAgain;
    private boolean syncsOnThreads;

    /** The kernel takes no more until something has changed. */
    private boolean full;
    private boolean pausing;
    private final Backoff submitBackoff = new Backoff();
    private final Backoff reapBackoff = new Backoff();

    private LinuxAioSink(LinuxAioBackend backend, TickLoop loop, AioContext context, Fd completions, CompletionSeam seam, Runnable onClosed) {
        super(loop, backend.rawImage(), backend.capacity(), seam, onClosed);
        this.loop = loop;
        this.image = backend.rawImage();
        this.context = context;
        this.threads = new ThreadCalls(this, loop, backend.threads());
        this.syncsOnThreads = !backend.kernelSyncs();
        this.completions = completions;
        this.watch = loop.onReadable(completions.number(), this::reap);
        try {
            loop.add(this);
        } catch (Throwable refused) {
            watch.close();
            throw refused;
        }
    }

    /** A sink on a loop; {@code onClosed} is its backend's to hear of the end. */
    static LinuxAioSink open(LinuxAioBackend backend, TickLoop loop, AioCalls calls, CompletionSeam seam, Runnable onClosed) throws ErrnoException {
        AioContext context = AioContext.open(backend.capacity(), calls);
        int eventFd = EventFd.create(0, EventFd.EFD_CLOEXEC | EventFd.EFD_NONBLOCK);
        if (eventFd < 0) {
            context.destroy();
            throw new ErrnoException("eventfd", "", eventFd, "raise the limit of open files (ulimit -n)");
        }
        Fd completions = Fd.adopt(eventFd);
        try {
            return new LinuxAioSink(backend, loop, context, completions, seam, onClosed);
        } catch (Throwable refused) {
            completions.close();
            context.destroy();
            throw refused;
        }
    }

    // ---- starting calls

    @Override
    protected boolean startVector(int slot, boolean reads, int fd, long iovecs, int iovecCount, long offset, int rwFlags) {
        if (blocksAtSubmission(fd)) {
            return threads.startVector(slot, reads, fd, iovecs, iovecCount, offset, rwFlags);
        }
        long iocb = context.iocb(slot);
        Iocb.setVectored(iocb, reads ? Iocb.IOCB_CMD_PREADV : Iocb.IOCB_CMD_PWRITEV, fd, iovecs, iovecCount, offset, rwFlags, slot);
        return taken(slot, iocb);
    }

    @Override
    protected boolean startBuffer(int slot, boolean reads, int fd, long address, int bytes, long offset, int rwFlags) {
        if (blocksAtSubmission(fd)) {
            return threads.startBuffer(slot, reads, fd, address, bytes, offset, rwFlags);
        }
        long iocb = context.iocb(slot);
        Iocb.setBuffer(iocb, reads ? Iocb.IOCB_CMD_PREAD : Iocb.IOCB_CMD_PWRITE, fd, address, bytes, offset, rwFlags, slot);
        return taken(slot, iocb);
    }

    @Override
    protected boolean startSync(int slot, int fd) {
        if (syncsOnThreads) {
            return threads.startSync(slot, fd);
        }
        long iocb = context.iocb(slot);
        Iocb.setDataSync(iocb, fd, slot);
        return taken(slot, iocb);
    }

    @Override
    protected boolean startFallocate(int slot, int fd, int mode, long offset, long bytes) {
        return threads.startFallocate(slot, fd, mode, offset, bytes);
    }

    private boolean blocksAtSubmission(int fd) {
        return fd != image.fd();
    }

    private boolean taken(int slot, long iocb) {
        Iocb.setResultFd(iocb, completions.number());
        context.add(slot);
        loop.submissionAdded();
        return true;
    }

    // ---- io_submit

    @Override
    protected void endBatch() {
        if (context.waiting() > 0 && !full) {
            submitWaiting();
        }
    }

    private void submitWaiting() {
        int entered = context.submit(this);
        loop.entered(Math.abs(entered));
        full = entered < 0;
        if (!full) {
            submitBackoff.reset();
            return;
        }
        refusedForNow();
        if (context.inKernel() == 0 && !pausing) {
            pausing = true;
            loop.schedule(this::pauseOver, submitBackoff.nextPauseNanos());
        }
    }

    private void pauseOver() {
        pausing = false;
        full = false;
        endBatch();
    }

    @Override
    public void refused(int slot, int errno) {
        if (context.opcode(slot) == Iocb.IOCB_CMD_FDSYNC && errno == -Errno.EINVAL) {
            // This file's kind has no asynchronous sync.
            syncsOnThreads = true;
            loop.completionsSeen(1);
            // Tried again at once, on a thread.
            collectLater(slot, -Errno.EINTR);
            return;
        }
        loop.completionsSeen(1);
        collectLater(slot, errno);
    }

    // ---- completions

    private void reap() {
        int reaped = context.reap(this);
        if (!context.readsRing()) {
            loop.entered(1);
        }
        if (reaped == -Errno.EINTR) {
            loop.requestTurn(reapAgain);
            return;
        }
        if (reaped < 0) {
            loop.failed("io_getevents", new ErrnoException("io_getevents", "of " + image, reaped, "tried again"));
            loop.schedule(this::reap, reapBackoff.nextPauseNanos());
            return;
        }
        reapBackoff.reset();
        loop.completionsSeen(reaped);
        if (reaped > 0 && full) {
            full = false;
            askForFlush();
        }
        drain();
    }

    private boolean reapAgain() {
        reap();
        return false;
    }

    @Override
    public void completed(int slot, int result) {
        collect(slot, result);
    }

    // ---- ending

    @Override
    protected int inKernel() {
        return context.waiting() + context.inKernel() + threads.inFlight();
    }

    @Override
    protected void release() {
        try {
            watch.close();
        } finally {
            completions.close();
            loop.remove(this);
            threads.runAnyhow(context::destroy);
        }
    }
}
