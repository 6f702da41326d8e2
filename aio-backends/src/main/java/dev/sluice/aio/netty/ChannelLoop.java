package dev.sluice.aio.netty;

import dev.sluice.pipeline.IoLoop;
import io.netty.channel.Channel;
import io.netty.channel.IoEventLoop;
import io.netty.channel.ServerChannel;
import java.net.SocketAddress;

/**
 * A loop on whose thread channels of Netty can live, beside its queues and sinks: an optional capability, asked for with {@link #of}.
 *
 * <pre>{@code
 * ChannelLoop loop = ChannelLoop.of(ioLoop);
 * new ServerBootstrap()
 *         .group(loop.eventLoop())
 *         .channelFactory(() -> loop.newServerChannel(address))
 *         .childHandler(...)
 *         .bind(address);
 * }</pre>
 *
 * <p>A channel's handlers run on the loop's thread and may use whatever belongs to the loop: a completion of a sink can write to a channel, and what a channel
 * has read can be submitted to a sink, without a change of thread. The operations of channels and sinks go to the kernel together. What a channel submits while
 * its events are handled costs one system call more a tick.
 *
 * <p><b>Threading:</b> any thread. <b>Ownership:</b> the loop closes its channels when it ends. <b>Failure:</b> what a channel's handler throws is the
 * channel's; the loop continues. <b>Allocation:</b> as Netty allocates; a loop without channels allocates nothing for them.
 */
public interface ChannelLoop extends IoLoop {
    /**
     * A loop's capability to have channels.
     *
     * @throws IllegalArgumentException if it has none, in one line that names the loop and what to choose
     */
    static ChannelLoop of(IoLoop loop) {
        if (loop instanceof ChannelLoop channels) {
            return channels;
        }
        String kind = loop.kind().isEmpty() ? loop.getClass().getSimpleName() : loop.kind();
        throw new IllegalArgumentException("loop " + loop.name() + " is of kind " + kind
                + ", which has no network channels: choose an io_uring or epoll loop (--loop io_uring, --loop epoll)");
    }

    /**
     * The loop as Netty sees it, for {@code group} of a bootstrap. {@link IoLoop#close} ends it; its own ways to shut down are refused.
     *
     * @throws IllegalStateException if the loop has ended
     */
    IoEventLoop eventLoop();

    /**
     * A channel that accepts connections at an address of that kind.
     *
     * @param address an {@link java.net.InetSocketAddress} or a {@link io.netty.channel.unix.DomainSocketAddress}
     * @throws IllegalArgumentException for any other kind
     */
    ServerChannel newServerChannel(SocketAddress address);

    /** A channel that connects to an address of that kind, as {@link #newServerChannel} has it. */
    Channel newChannel(SocketAddress address);
}
