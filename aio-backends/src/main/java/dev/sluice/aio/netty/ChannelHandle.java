package dev.sluice.aio.netty;

import dev.sluice.aio.loop.LoopHandle;
import dev.sluice.linux.NativeMemory;
import io.netty.channel.IoEvent;
import io.netty.channel.IoHandle;
import io.netty.channel.IoRegistration;
import org.jspecify.annotations.Nullable;

/**
 * A channel on a loop, between the channel and Netty's handler: its events count as the loop's, what its handlers throw is logged, and a loop that ends closes
 * it and waits until the kernel is done with it.
 *
 * <p>Unlike other {@link LoopHandle}s a channel acts on its events at once: the handler forgets a registration with its last event, so that none can be kept
 * for later.
 *
 * <p><b>Threading:</b> the loop's thread. <b>Ownership:</b> the handler's, until it is unregistered. <b>Allocation:</b> none of its own.
 */
public abstract class ChannelHandle extends LoopHandle implements IoHandle {
    private final NettyLoop loop;
    private final IoHandle channel;
    private @Nullable IoRegistration registration;

    protected ChannelHandle(NettyLoop loop, IoHandle channel) {
        this.loop = loop;
        this.channel = channel;
    }

    /** What Netty knows of the channel. */
    protected final IoHandle channel() {
        return channel;
    }

    /** The registration that the channel has got. */
    final void registeredAs(IoRegistration made) {
        registration = made;
    }

    @Override
    public final void handle(IoRegistration from, IoEvent event) {
        loop.channelEvent(this);
        IoRegistration made = registration;
        try {
            channel.handle(made == null ? from : made, event);
            // A fault in shared memory is thrown late (see NativeMemory): here, where it is this channel's.
            NativeMemory.surfaceFault();
        } catch (Throwable failure) {
            loop.failed("an event of a channel", failure);
        }
    }

    @Override
    public final void registered() {
        loop.channelRegistered();
        channel.registered();
    }

    @Override
    public final void unregistered() {
        loop.channelUnregistered(this);
        channel.unregistered();
    }

    @Override
    public final void close() {
        try {
            channel.close();
        } catch (Exception failed) {
            loop.failed("closing a channel", failed);
        }
    }

    /** Events have been acted on. */
    @Override
    protected final void drain() {}

    @Override
    protected final void loopEnding() {
        loop.eventLoopEnding();
        close();
    }

    /** As long as it is registered, the kernel may use its memory. */
    @Override
    protected final boolean busy() {
        return true;
    }

    /** A peer sends when it likes. */
    @Override
    protected final boolean awaitsKernel() {
        return false;
    }
}
