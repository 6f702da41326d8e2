package dev.sluice.aio.netty;

import dev.sluice.aio.loop.LoopTimer;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelPromise;
import io.netty.channel.DefaultChannelPromise;
import io.netty.channel.IoEventLoop;
import io.netty.channel.IoEventLoopGroup;
import io.netty.channel.IoHandle;
import io.netty.channel.IoHandler;
import io.netty.channel.IoRegistration;
import io.netty.util.concurrent.AbstractScheduledEventExecutor;
import io.netty.util.concurrent.DefaultPromise;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.GlobalEventExecutor;
import io.netty.util.concurrent.Promise;
import io.netty.util.concurrent.ScheduledFuture;
import io.netty.util.concurrent.ThreadAwareExecutor;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A loop as Netty's channels see it. It has no queue and no thread of its own: tasks go into the loop's mailbox, and one timer of the loop stands for the
 * earliest of Netty's.
 *
 * <p>Netty's own {@code ManualIoEventLoop} is not used, as it drives the handler itself (docs/decisions/015).
 *
 * <p><b>Threading:</b> any, as Netty says. <b>Ownership:</b> the loop's, which ends it. <b>Failure:</b> tasks are rejected once the loop has ended.
 * <b>Allocation:</b> as Netty's event loops.
 */
final class ChannelEventLoop extends AbstractScheduledEventExecutor implements IoEventLoop {
    /** A timer that is due later is looked at again by then. */
    private static final long LONGEST_TIMER_NANOS = TimeUnit.HOURS.toNanos(1);

    /** Netty's word for it. */
    private static final long NO_DEADLINE = -1;

    private final NettyLoop loop;
    private final ThreadAwareExecutor thread;
    private final Promise<?> terminated = new DefaultPromise<Void>(GlobalEventExecutor.INSTANCE);
    private final Runnable runDueTasks = this::runDueTasks;
    private volatile boolean ending;

    /** For the task that is due first; null if none was there when it was last looked for. */
    private @Nullable LoopTimer timer;

    /** Of that task, in Netty's time. */
    private long timerDeadlineNanos;

    ChannelEventLoop(NettyLoop loop, ThreadAwareExecutor thread) {
        this.loop = loop;
        this.thread = thread;
    }

    // ---- tasks

    @Override
    public boolean inEventLoop(Thread asked) {
        return thread.isExecutorThread(asked);
    }

    @Override
    public void execute(Runnable task) {
        loop.execute(task);
    }

    @Override
    public ScheduledFuture<?> schedule(Runnable command, long delay, TimeUnit unit) {
        ScheduledFuture<?> scheduled = super.schedule(command, delay, unit);
        adjustTimer();
        return scheduled;
    }

    @Override
    public <V> ScheduledFuture<V> schedule(Callable<V> callable, long delay, TimeUnit unit) {
        ScheduledFuture<V> scheduled = super.schedule(callable, delay, unit);
        adjustTimer();
        return scheduled;
    }

    @Override
    public ScheduledFuture<?> scheduleAtFixedRate(Runnable command, long initialDelay, long period, TimeUnit unit) {
        ScheduledFuture<?> scheduled = super.scheduleAtFixedRate(command, initialDelay, period, unit);
        adjustTimer();
        return scheduled;
    }

    @Override
    public ScheduledFuture<?> scheduleWithFixedDelay(Runnable command, long initialDelay, long delay, TimeUnit unit) {
        ScheduledFuture<?> scheduled = super.scheduleWithFixedDelay(command, initialDelay, delay, unit);
        adjustTimer();
        return scheduled;
    }

    /** After Netty has put a task into its queue, or has had itself called on the loop's thread to do so. */
    private void adjustTimer() {
        if (inEventLoop()) {
            adjustTimerInLoop();
        } else {
            execute(this::adjustTimerInLoop);
        }
    }

    /** There is one timer of the loop, whatever Netty schedules and cancels. */
    private void adjustTimerInLoop() {
        long deadlineNanos = nextScheduledTaskDeadlineNanos();
        LoopTimer current = timer;
        if (deadlineNanos == NO_DEADLINE || (current != null && timerDeadlineNanos - deadlineNanos <= 0)) {
            return;
        }
        if (current != null) {
            loop.cancelTimer(current);
        }
        timerDeadlineNanos = deadlineNanos;
        timer = loop.startTimer(runDueTasks, Math.min(LONGEST_TIMER_NANOS, nextScheduledTaskNano()));
    }

    private void runDueTasks() {
        timer = null;
        long nowNanos = ticker().nanoTime();
        for (Runnable due = pollScheduledTask(nowNanos); due != null; due = pollScheduledTask(nowNanos)) {
            loop.runGuarded("a timer of a channel", due);
        }
        adjustTimerInLoop();
    }

    // ---- channels

    @Override
    @Deprecated
    public ChannelFuture register(Channel channel) {
        return register(new DefaultChannelPromise(channel, this));
    }

    @Override
    @Deprecated
    public ChannelFuture register(ChannelPromise promise) {
        promise.channel().unsafe().register(this, promise);
        return promise;
    }

    @Override
    @Deprecated
    public ChannelFuture register(Channel channel, ChannelPromise promise) {
        channel.unsafe().register(this, promise);
        return promise;
    }

    @Override
    public Future<IoRegistration> register(IoHandle handle) {
        Promise<IoRegistration> promise = newPromise();
        if (inEventLoop()) {
            register(handle, promise);
        } else {
            execute(() -> register(handle, promise));
        }
        return promise;
    }

    private void register(IoHandle handle, Promise<IoRegistration> promise) {
        try {
            promise.setSuccess(loop.registerChannel(handle));
        } catch (Exception refused) {
            promise.setFailure(refused);
        }
    }

    @Override
    public boolean isCompatible(Class<? extends IoHandle> handleType) {
        return loop.running().isCompatible(handleType);
    }

    @Override
    public boolean isIoType(Class<? extends IoHandler> handlerType) {
        return loop.running().getClass().equals(handlerType);
    }

    @Override
    public IoEventLoop next() {
        return this;
    }

    /** A group of one. */
    @Override
    public IoEventLoopGroup parent() {
        return this;
    }

    // ---- the end

    /** The loop takes no more channels. */
    void ending() {
        ending = true;
    }

    /** The loop has ended. */
    void ended() {
        ending = true;
        cancelScheduledTasks();
        boolean _ = terminated.trySuccess(null);
    }

    @Override
    public Future<?> shutdownGracefully(long quietPeriod, long timeout, TimeUnit unit) {
        throw notNettys();
    }

    @Override
    @Deprecated
    public void shutdown() {
        throw notNettys();
    }

    private UnsupportedOperationException notNettys() {
        return new UnsupportedOperationException(loop.name() + " belongs to whoever started it: close the IoLoop");
    }

    @Override
    public boolean isShuttingDown() {
        return ending;
    }

    @Override
    public boolean isShutdown() {
        return isTerminated();
    }

    @Override
    public boolean isTerminated() {
        return terminated.isDone();
    }

    @Override
    public Future<?> terminationFuture() {
        return terminated;
    }

    @Override
    public boolean awaitTermination(long timeout, TimeUnit unit) throws InterruptedException {
        return terminated.await(timeout, unit);
    }
}
