package dev.sluice.aio.netty;

import dev.sluice.aio.loop.LoopWait;
import dev.sluice.aio.loop.TickLoop;
import io.netty.channel.IoEventLoop;
import io.netty.channel.IoHandle;
import io.netty.channel.IoHandler;
import io.netty.channel.IoHandlerContext;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.IoRegistration;
import io.netty.util.concurrent.FastThreadLocal;
import io.netty.util.concurrent.ThreadAwareExecutor;
import org.jspecify.annotations.Nullable;

/**
 * A loop that drives one of Netty's I/O handlers from its own thread.
 *
 * <p>Nothing that Netty calls back may submit or throw: the first would cost an extra system call, after the second Netty sleeps for
 * 100 ms. Callbacks note what they hear; {@link dev.sluice.aio.loop.LoopHandle#drain} acts on it.
 *
 * <p><b>Threading</b>, <b>Ownership</b>, <b>Failure:</b> as {@link TickLoop} says. <b>Allocation:</b> none of its own; Netty's io_uring handler makes an
 * object of 16 bytes a run unless the compiler inlines its {@code processCompletionsAndHandleOverflow} and {@code CompletionQueue.process}, for which
 * the launcher passes {@code -XX:CompileCommand}.
 */
public abstract class NettyLoop extends TickLoop implements ChannelLoop {
    private final Object eventLoopLock = new Object();
    private volatile @Nullable IoHandler handler;
    private @Nullable NettyWait nettyWait;
    /** The handler is in the kernel or handles events. */
    private boolean inHandler;
    /** Registered ones. */
    private int channels;

    /** Guarded by {@link #eventLoopLock}, as is the following; made when it is first asked for. */
    private @Nullable ChannelEventLoop eventLoop;

    private boolean ended;

    protected NettyLoop(String name, boolean daemon, long pollMaxNanos) {
        super(name, daemon, pollMaxNanos);
    }

    /** Makes the handler. Called once, on the loop's thread. */
    protected abstract IoHandlerFactory handlerFactory();

    /** Before the handler runs. */
    protected void entering() {}

    /** After the handler's run, which handled so many events, its own included. */
    protected abstract void handled(int events);

    /**
     * Makes such a handler, enters the kernel with it once, and takes it down again, on the caller's thread: whether what a loop does all the time works here,
     * beside what making one takes. A seccomp profile may allow the one and not the other.
     */
    protected static void tryOnce(IoHandlerFactory factory) throws Exception {
        IoHandler handler = factory.newHandler(new CallersThread(Thread.currentThread()));
        try {
            handler.initialize();
            int _ = handler.run(new ShortestWait());
        } finally {
            handler.destroy();
        }
    }

    private record CallersThread(Thread thread) implements ThreadAwareExecutor {
        @Override
        public boolean isExecutorThread(Thread asked) {
            return asked.equals(thread);
        }

        @Override
        public void execute(Runnable task) {
            throw new IllegalStateException("nothing is registered that could have tasks");
        }
    }

    /** A wait that is over at once: the handler then submits what a wait takes, too. */
    private record ShortestWait() implements IoHandlerContext {
        @Override
        public boolean canBlock() {
            return true;
        }

        @Override
        public long delayNanos(long currentTimeNanos) {
            return 1;
        }

        @Override
        public long deadlineNanos() {
            return System.nanoTime() + 1;
        }
    }

    @Override
    protected final void openKernel() throws Exception {
        IoHandler made = handlerFactory().newHandler(new OwnThread());
        made.initialize();
        handler = made;
    }

    @Override
    protected final void enterKernel(LoopWait wait) {
        NettyWait context = nettyWait;
        if (context == null) {
            context = new NettyWait(wait);
            nettyWait = context;
        }
        try {
            run(context);
        } finally {
            wait.over();
        }
    }

    /**
     * Enters the kernel in the middle of a tick, without waiting: it submits what is queued, and notes completions, which are acted on in the next tick. Does
     * nothing where a tick must not be interrupted: while the handler runs or handles act on completions, which could then follow each other without end, and
     * where there are channels, which act on their events at once. What is queued then goes with the next tick's enter.
     */
    protected final void enterEarly() {
        if (inHandler || channels > 0 || drainsHandles()) {
            return;
        }
        try {
            run(NoWait.INSTANCE);
        } catch (Throwable failure) {
            // What is queued stays so.
            failed("entering the kernel", failure);
        }
    }

    private void run(IoHandlerContext context) {
        entering();
        int handled = 0;
        inHandler = true;
        try {
            handled = running().run(context);
        } finally {
            inHandler = false;
            handled(handled);
        }
    }

    @Override
    protected final void wakeUp() {
        IoHandler current = handler;
        if (current != null) {
            current.wakeup();
        }
    }

    @Override
    protected final void closeKernel() {
        // Without Netty's prepareToDestroy, which closes handles (ours have ended) and drains the ring: what is submitted behind a
        // drain goes to a worker thread, Netty's wake-up read too, and destroy frees the read's buffer before that thread is done with it.
        try {
            running().destroy();
        } finally {
            endEventLoop();
        }
    }

    IoHandler running() {
        IoHandler current = handler;
        if (current == null) {
            throw new IllegalStateException(name() + " has not started");
        }
        return current;
    }

    /** Registers with Netty. */
    protected final IoRegistration registerHandle(IoHandle handle) {
        try {
            return running().register(handle);
        } catch (Exception refused) {
            throw new IllegalStateException(name() + " takes no more: " + refused.getMessage(), refused);
        }
    }

    // ---- channels

    @Override
    public final IoEventLoop eventLoop() {
        synchronized (eventLoopLock) {
            if (ended) {
                throw new IllegalStateException(name() + " has ended");
            }
            ChannelEventLoop current = eventLoop;
            if (current == null) {
                current = new ChannelEventLoop(this, new OwnThread());
                eventLoop = current;
            }
            return current;
        }
    }

    /** The handle of a channel, of the type that this loop's handler takes. */
    protected abstract ChannelHandle channelHandle(IoHandle channel);

    /** The registration that a channel gets: its handler's own, or one that counts what the channel submits. */
    protected IoRegistration channelRegistration(IoRegistration made) {
        return made;
    }

    /** A channel's event is about to be handled. */
    protected void channelEvent(ChannelHandle channel) {
        completionSeen(channel);
    }

    /** Registers a channel, which is then a handle of the loop until Netty has unregistered it. */
    final IoRegistration registerChannel(IoHandle channel) {
        assertInLoop();
        ChannelHandle handle = channelHandle(channel);
        add(handle);
        try {
            IoRegistration made = channelRegistration(registerHandle(handle));
            handle.registeredAs(made);
            return made;
        } catch (Throwable refused) {
            remove(handle);
            throw refused;
        }
    }

    final void channelRegistered() {
        channels++;
    }

    final void channelUnregistered(ChannelHandle handle) {
        channels--;
        remove(handle);
    }

    /** The loop takes no more channels and closes those that it has. */
    final void eventLoopEnding() {
        synchronized (eventLoopLock) {
            if (eventLoop != null) {
                eventLoop.ending();
            }
        }
    }

    private void endEventLoop() {
        ChannelEventLoop current;
        synchronized (eventLoopLock) {
            ended = true;
            current = eventLoop;
        }
        if (current != null) {
            current.ended();
            // Buffers that Netty keeps for this thread.
            FastThreadLocal.removeAll();
        }
    }

    /** What Netty wants to know of its thread. */
    private final class OwnThread implements ThreadAwareExecutor {
        @Override
        public boolean isExecutorThread(Thread asked) {
            return runsOn(asked);
        }

        @Override
        public void execute(Runnable task) {
            NettyLoop.this.execute(task);
        }
    }
}
