package dev.sluice.aio.uring;

import io.netty.channel.IoOps;
import io.netty.channel.IoRegistration;

/**
 * The place of a channel in its loop's ring. The loop learns from it that something waits to be submitted, without which it could leave the next enter out.
 *
 * <p><b>Threading:</b> the loop's thread, on which Netty's channels submit.
 */
record ChannelRegistration(IoUringLoop loop, IoRegistration ring) implements IoRegistration {
    @Override
    public long submit(IoOps operation) {
        long id = ring.submit(operation);
        if (id != 0) {
            loop.queued();
        }
        return id;
    }

    @Override
    @SuppressWarnings("TypeParameterUnusedInFormals") // Netty's signature
    public <T> T attachment() {
        return ring.attachment();
    }

    @Override
    public boolean isValid() {
        return ring.isValid();
    }

    @Override
    public boolean cancel() {
        return ring.cancel();
    }
}
