package dev.sluice.aio.netty;

import io.netty.channel.IoHandlerContext;

/** For Netty: submit and fetch, but do not wait. <b>Allocation:</b> none. */
final class NoWait implements IoHandlerContext {
    static final NoWait INSTANCE = new NoWait();

    private NoWait() {}

    @Override
    public boolean canBlock() {
        return false;
    }

    @Override
    public long delayNanos(long currentTimeNanos) {
        return 0;
    }

    @Override
    public long deadlineNanos() {
        return NettyWait.NEVER;
    }
}
