package dev.sluice.device;

import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/** A semaphore with one permit: its waiters run one at a time, in order, without blocking a thread. Any thread. */
final class AsyncSemaphore implements Pool<AsyncSemaphore.Permit> {
    private final PendingTasks waiting = new PendingTasks(this::isFree);
    private boolean taken;

    /** The permit; closing it passes it to the next waiter. Idempotent. */
    final class Permit implements AutoCloseable {
        private final AtomicBoolean closed = new AtomicBoolean();

        @Override
        public void close() {
            if (closed.compareAndSet(false, true)) {
                passOn();
            }
        }
    }

    @Override
    public synchronized @Nullable Permit tryTake() {
        if (taken) {
            return null;
        }
        taken = true;
        return new Permit();
    }

    private synchronized boolean isFree() {
        return !taken;
    }

    @Override
    public void whenAvailable(Runnable task) {
        waiting.add(task);
    }

    @Override
    public void release(Permit borrowed) {
        borrowed.close();
    }

    /** Runs the next task. It takes the permit, or has been cancelled in the meantime; then the one behind it runs. */
    private void passOn() {
        synchronized (this) {
            taken = false;
        }
        waiting.drain();
    }
}
