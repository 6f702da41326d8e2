package dev.sluice.aio.uring;

import dev.sluice.aio.loop.LoopHandle;
import dev.sluice.linux.Errno;
import dev.sluice.linux.Poll;
import dev.sluice.pipeline.IoLoop;
import java.io.IOException;

/**
 * A multishot poll on an eventfd that nobody reads: each write gives an edge, edges between two ticks become one call.
 *
 * <p>The kernel ends a multishot poll when its completion queue overflows; it is armed again, and as the counter was never read, a
 * write that fell into the gap shows at once. A descriptor in error is polled again after a pause, one that can't be polled never,
 * so that a hostile one cannot keep the loop busy.
 *
 * <p><b>Threading:</b> the loop's thread. <b>Ownership:</b> the descriptor stays its owner's; the kernel holds the file until the
 * cancellation has been submitted and done. <b>Allocation:</b> none per event.
 */
final class EventFdWatch extends LoopHandle implements IoLoop.Watch {
    private static final short POLL = 0;
    private static final short CANCEL = 1;
    private static final int TROUBLE = Poll.POLLERR | Poll.POLLHUP | Poll.POLLNVAL;
    private static final long REFUSED_PAUSE_NANOS = 1_000_000;
    private static final long TROUBLE_PAUSE_NANOS = 100_000_000;

    private final IoUringLoop loop;
    private final int fd;
    private final Runnable onReadable;
    private final RingEntry ring;

    private boolean closed;
    /** Of the poll in the kernel, or 0. */
    private long pollId;
    private boolean readable;
    private boolean pollEnded;
    private int endResult;

    EventFdWatch(IoUringLoop loop, int fd, Runnable onReadable) {
        this.loop = loop;
        this.fd = fd;
        this.onReadable = onReadable;
        this.ring = new RingEntry(loop, this, this::collect, this::close);
    }

    void register() {
        ring.register();
    }

    void arm() {
        if (closed) {
            return;
        }
        pollId = ring.submit(RingOps.pollMultishot(fd, Poll.POLLIN, POLL));
        if (pollId == 0) {
            loop.schedule(this::arm, REFUSED_PAUSE_NANOS);
        }
    }

    private void collect(int result, int flags, byte opcode, short data) {
        if (data != POLL) {
            return;
        }
        readable |= result > 0;
        if ((flags & RingOps.CQE_F_MORE) == 0) {
            pollEnded = true;
            endResult = result;
            pollId = 0;
        }
    }

    @Override
    protected void drain() {
        if (closed) {
            return;
        }
        if (pollEnded) {
            pollEnded = false;
            armAgain();
        }
        if (readable) {
            readable = false;
            onReadable.run();
        }
    }

    private void armAgain() {
        if (endResult >= 0 && (endResult & TROUBLE) == 0) {
            arm();
        } else if (endResult == -Errno.EBADF || endResult == -Errno.EINVAL || endResult == -Errno.EPERM) {
            loop.failed("a watch", new IOException("poll descriptor " + fd + ": " + Errno.describe(endResult) + "; it is not watched any more"));
        } else {
            if (endResult < 0 && endResult != -Errno.ECANCELED) {
                loop.failed("a watch", new IOException("poll descriptor " + fd + ": " + Errno.describe(endResult) + "; tried again"));
            }
            loop.schedule(this::arm, TROUBLE_PAUSE_NANOS);
        }
    }

    @Override
    public void close() {
        loop.assertInLoop();
        if (!closed) {
            closed = true;
            cancelPoll();
        }
    }

    private void cancelPoll() {
        if (pollId != 0 && ring.submit(RingOps.cancel(pollId, CANCEL)) == 0) {
            loop.schedule(this::cancelPoll, REFUSED_PAUSE_NANOS);
            return;
        }
        ring.unregister();
    }

    @Override
    protected void loopEnding() {
        close();
    }

    @Override
    protected boolean awaitsKernel() {
        return false;
    }

    @Override
    protected boolean busy() {
        return ring.inKernel() > 0;
    }
}
