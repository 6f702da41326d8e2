package dev.sluice.aio.uring;

import dev.sluice.aio.netty.ChannelHandle;
import io.netty.channel.IoHandle;
import io.netty.channel.uring.IoUringIoHandle;

/** A channel on a ring's loop. <b>Threading</b>, <b>Ownership:</b> as {@link ChannelHandle} says. */
final class UringChannelHandle extends ChannelHandle implements IoUringIoHandle {
    UringChannelHandle(IoUringLoop loop, IoHandle channel) {
        super(loop, channel);
    }
}
