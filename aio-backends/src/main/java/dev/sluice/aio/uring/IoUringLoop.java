package dev.sluice.aio.uring;

import dev.sluice.aio.loop.LoopHandle;
import dev.sluice.aio.netty.ChannelHandle;
import dev.sluice.aio.netty.NettyLoop;
import io.netty.channel.Channel;
import io.netty.channel.IoHandle;
import io.netty.channel.IoHandler;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.IoRegistration;
import io.netty.channel.ServerChannel;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.uring.IoUringDomainSocketChannel;
import io.netty.channel.uring.IoUringIoHandler;
import io.netty.channel.uring.IoUringIoHandlerConfig;
import io.netty.channel.uring.IoUringServerDomainSocketChannel;
import io.netty.channel.uring.IoUringServerSocketChannel;
import io.netty.channel.uring.IoUringSocketChannel;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A loop on one io_uring: one io_uring_enter a tick submits what the tick before has queued, and waits only where nothing else is to be done.
 *
 * <p><b>Threading</b>, <b>Ownership</b>, <b>Allocation:</b> as {@link dev.sluice.aio.loop.TickLoop} says. <b>Failure:</b> {@link #start} throws where
 * there can be no ring; after that nothing ends the loop but {@link #close}.
 */
public final class IoUringLoop extends NettyLoop {
    private static final int TRIED_ENTRIES = 16;

    private final IoUringLoopOptions options;
    private final RingEnters enters;
    private @Nullable RegisteredBuffers registeredBuffers;

    private IoUringLoop(String name, IoUringLoopOptions options) {
        super(name, options.daemon(), options.pollMaxNanos());
        this.options = options;
        this.enters = new RingEnters(options.submissionEntries());
    }

    /**
     * Starts a loop.
     *
     * @param name of the loop and its thread
     * @throws IOException with one line that says why there can be no ring, and what to do
     */
    public static IoUringLoop start(String name, IoUringLoopOptions options) throws IOException {
        Optional<String> unavailable = unavailable();
        if (unavailable.isPresent()) {
            throw new IOException(unavailable.get());
        }
        IoUringLoop loop = new IoUringLoop(name, options);
        Throwable failed = loop.startThread();
        if (failed != null) {
            throw new IOException(IoUringAvailability.explain(failed, null), failed);
        }
        return loop;
    }

    /** Why there can be no loop of this kind on this machine, in one line with advice; empty where there can. */
    public static Optional<String> unavailable() {
        return IoUringAvailability.reason();
    }

    /** Sets up a small ring, enters it, and takes it down. */
    static void tryOnce() throws Exception {
        tryOnce(IoUringIoHandler.newFactory(new IoUringIoHandlerConfig().setRingSize(TRIED_ENTRIES)));
    }

    @Override
    public String kind() {
        return IoUringBackendProvider.NAME;
    }

    @Override
    public Watch onReadable(int fd, Runnable onReadable) {
        assertInLoop();
        EventFdWatch watch = new EventFdWatch(this, fd, onReadable);
        watch.register();
        watch.arm();
        return watch;
    }

    // ---- the ring

    @Override
    protected IoHandlerFactory handlerFactory() {
        IoUringIoHandlerConfig config =
                new IoUringIoHandlerConfig().setRingSize(options.submissionEntries()).setCqSize(options.completionEntries());
        IoHandlerFactory factory = IoUringIoHandler.newFactory(config);
        return executor -> {
            IoHandler handler = factory.newHandler(executor);
            registeredBuffers = new RegisteredBuffers(name(), handler);
            return handler;
        };
    }

    @Override
    protected boolean submissionsWait() {
        return enters.unsubmitted();
    }

    @Override
    protected void entering() {
        enters.entering();
    }

    @Override
    protected void handled(int events) {
        entered(enters.entered(events));
    }

    // ---- channels

    @Override
    public ServerChannel newServerChannel(SocketAddress address) {
        return switch (address) {
            case InetSocketAddress inet -> new IoUringServerSocketChannel();
            case DomainSocketAddress unix -> new IoUringServerDomainSocketChannel();
            default -> throw new IllegalArgumentException("no channel for " + address + ": neither a TCP nor a Unix socket address");
        };
    }

    @Override
    public Channel newChannel(SocketAddress address) {
        return switch (address) {
            case InetSocketAddress inet -> new IoUringSocketChannel();
            case DomainSocketAddress unix -> new IoUringDomainSocketChannel();
            default -> throw new IllegalArgumentException("no channel for " + address + ": neither a TCP nor a Unix socket address");
        };
    }

    @Override
    protected ChannelHandle channelHandle(IoHandle channel) {
        return new UringChannelHandle(this, channel);
    }

    @Override
    protected IoRegistration channelRegistration(IoRegistration made) {
        return new ChannelRegistration(this, made);
    }

    @Override
    protected void channelEvent(ChannelHandle channel) {
        reaped(channel);
    }

    /** Submits what is queued now instead of with the next tick's enter, where the loop can. */
    void submitNow() {
        enterEarly();
    }

    // ---- for entries of the ring

    IoRegistration register(RingEntry entry) {
        return registerHandle(entry);
    }

    /** Confined to the loop's thread, as is all of this part. */
    RegisteredBuffers registeredBuffers() {
        RegisteredBuffers made = registeredBuffers;
        if (made == null) {
            throw new IllegalStateException(name() + " has not started");
        }
        return made;
    }

    /** An operation waits in the submission queue. */
    void queued() {
        submissionAdded();
        enters.queued();
    }

    /** A completion of this handle's came. */
    void reaped(LoopHandle handle) {
        enters.reaped();
        completionSeen(handle);
    }
}
