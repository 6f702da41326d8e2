package dev.sluice.aio.epoll;

import dev.sluice.aio.netty.ChannelHandle;
import dev.sluice.aio.netty.NettyLoop;
import io.netty.channel.Channel;
import io.netty.channel.IoHandle;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.IoRegistration;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.Optional;

/**
 * A loop that waits in epoll, for machines and containers without io_uring. It submits nothing itself: sinks that work on it bring a system
 * call of their own and an eventfd.
 *
 * <p><b>Threading</b>, <b>Ownership</b>, <b>Allocation:</b> as {@link dev.sluice.aio.loop.TickLoop} says. <b>Failure:</b> {@link #start} throws where
 * there can be no epoll; after that nothing ends the loop but {@link #close}.
 */
public final class EpollLoop extends NettyLoop {
    private EpollLoop(String name, boolean daemon, long pollMaxNanos) {
        super(name, daemon, pollMaxNanos);
    }

    /**
     * Starts a loop.
     *
     * @param name of the loop and its thread
     * @param daemon whether the thread lets the JVM exit
     * @throws IOException with one line that says why there can be no loop, and what to do
     */
    public static EpollLoop start(String name, boolean daemon) throws IOException {
        return start(name, daemon, 0);
    }

    /**
     * Starts a loop that spins for up to {@code pollMaxNanos} before it sleeps.
     *
     * @throws IOException as {@link #start(String, boolean)}
     */
    public static EpollLoop start(String name, boolean daemon, long pollMaxNanos) throws IOException {
        Optional<String> unavailable = unavailable();
        if (unavailable.isPresent()) {
            throw new IOException(unavailable.get());
        }
        EpollLoop loop = new EpollLoop(name, daemon, pollMaxNanos);
        Throwable failed = loop.startThread();
        if (failed != null) {
            throw new IOException(EpollAvailability.explain(failed), failed);
        }
        return loop;
    }

    /** Why there can be no loop of this kind on this machine, in one line with advice; empty where there can. */
    public static Optional<String> unavailable() {
        return EpollAvailability.reason();
    }

    @Override
    public String kind() {
        return EpollLoopProvider.NAME;
    }

    @Override
    public Watch onReadable(int fd, Runnable onReadable) {
        assertInLoop();
        EpollWatch watch = new EpollWatch(this, fd, onReadable);
        watch.register();
        return watch;
    }

    @Override
    protected IoHandlerFactory handlerFactory() {
        return EpollIoHandler.newFactory();
    }

    @Override
    protected void handled(int events) {
        entered(1);
    }

    IoRegistration register(IoHandle entry) {
        return registerHandle(entry);
    }

    // ---- channels

    @Override
    public ServerChannel newServerChannel(SocketAddress address) {
        return switch (address) {
            case InetSocketAddress inet -> new EpollServerSocketChannel();
            case DomainSocketAddress unix -> new EpollServerDomainSocketChannel();
            default -> throw new IllegalArgumentException("no channel for " + address + ": neither a TCP nor a Unix socket address");
        };
    }

    @Override
    public Channel newChannel(SocketAddress address) {
        return switch (address) {
            case InetSocketAddress inet -> new EpollSocketChannel();
            case DomainSocketAddress unix -> new EpollDomainSocketChannel();
            default -> throw new IllegalArgumentException("no channel for " + address + ": neither a TCP nor a Unix socket address");
        };
    }

    @Override
    protected ChannelHandle channelHandle(IoHandle channel) {
        return new EpollChannelHandle(this, (EpollIoHandle) channel);
    }
}
