package dev.sluice.aio.netty;

import dev.sluice.aio.loop.LoopWait;
import io.netty.channel.IoHandlerContext;

/**
 * What a loop returns to Netty, which asks it before it enters the kernel. Netty asks whether it may wait once or twice a tick, and only where no
 * completion is there already.
 *
 * <p><b>Threading:</b> the loop's thread. <b>Allocation:</b> none.
 */
final class NettyWait implements IoHandlerContext {
    /** Netty's word for no deadline. */
    static final long NEVER = -1;

    private final LoopWait wait;

    NettyWait(LoopWait wait) {
        this.wait = wait;
    }

    @Override
    public boolean canBlock() {
        return wait.mayWait();
    }

    @Override
    public long delayNanos(long currentTimeNanos) {
        return wait.hasDeadline() ? Math.max(0, wait.deadlineNanos() - currentTimeNanos) : 0;
    }

    @Override
    public long deadlineNanos() {
        if (!wait.hasDeadline()) {
            return NEVER;
        }
        long due = wait.deadlineNanos();
        return due == NEVER ? due + 1 : due;
    }
}
