package dev.sluice.aio.epoll;

import dev.sluice.aio.loop.LoopHandle;
import dev.sluice.pipeline.IoLoop;
import io.netty.channel.IoEvent;
import io.netty.channel.IoRegistration;
import io.netty.channel.epoll.EpollIoEvent;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.epoll.EpollIoOps;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * An edge-triggered watch on an eventfd that nobody reads: each write gives an edge, edges between two ticks become one call. As edges come from
 * writes alone, a descriptor in error or with a full counter cannot keep the loop busy.
 *
 * <p><b>Threading:</b> the loop's thread. <b>Ownership:</b> the descriptor stays its owner's, who closes the watch first: epoll continues
 * reporting a descriptor that was closed while somebody else has a duplicate of it. <b>Failure:</b> a descriptor that cannot be watched is
 * logged and never reported. <b>Allocation:</b> none per event.
 */
final class EpollWatch extends LoopHandle implements IoLoop.Watch {
    private static final EpollIoOps EDGES = EpollIoOps.EPOLLIN.with(EpollIoOps.EPOLLET);

    private final EpollLoop loop;
    private final FileDescriptor fd;
    private final Runnable onReadable;
    private @Nullable IoRegistration registration;
    private boolean readable;
    private boolean closed;

    EpollWatch(EpollLoop loop, int fd, Runnable onReadable) {
        this.loop = loop;
        this.fd = new FileDescriptor(fd);
        this.onReadable = onReadable;
    }

    void register() {
        loop.add(this);
        try {
            IoRegistration registered = loop.register(new Entry());
            registration = registered;
            // Reports at once what is there already.
            registered.submit(EDGES);
        } catch (RuntimeException refused) {
            loop.failed("a watch",
                    new IOException("watch descriptor " + fd.intValue() + ": " + refused.getMessage() + "; it is not watched any more", refused));
        }
    }

    @Override
    protected void drain() {
        if (readable && !closed) {
            readable = false;
            onReadable.run();
        }
    }

    @Override
    public void close() {
        loop.assertInLoop();
        if (closed) {
            return;
        }
        closed = true;
        IoRegistration registered = registration;
        if (registered == null) {
            loop.remove(this);
        } else {
            registered.cancel();
        }
    }

    @Override
    protected void loopEnding() {
        close();
    }

    @Override
    protected boolean busy() {
        return false;
    }

    /** What Netty sees: its close must not be that of the descriptor. */
    private final class Entry implements EpollIoHandle {
        @Override
        public FileDescriptor fd() {
            return fd;
        }

        @Override
        public void handle(IoRegistration from, IoEvent event) {
            if (((EpollIoEvent) event).ops().contains(EpollIoOps.EPOLLIN)) {
                readable = true;
                loop.completionSeen(EpollWatch.this);
            }
        }

        @Override
        public void unregistered() {
            loop.remove(EpollWatch.this);
        }

        /** epoll is being closed. */
        @Override
        public void close() {
            loopEnding();
        }
    }
}
