package dev.sluice.device;

import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/** Lends one permit: what asks for it takes turns, in order, without a thread that waits. Any thread. */
final class Permit implements Lender<Permit.Held> {
    private final PendingTasks waiting = new PendingTasks(this::isFree);
    private boolean out;

    /** The permit; closing it passes it on. Idempotent. */
    final class Held implements AutoCloseable {
        private final AtomicBoolean closed = new AtomicBoolean();

        @Override
        public void close() {
            if (closed.compareAndSet(false, true)) {
                passOn();
            }
        }
    }

    @Override
    public synchronized @Nullable Held tryTake() {
        if (out) {
            return null;
        }
        out = true;
        return new Held();
    }

    private synchronized boolean isFree() {
        return !out;
    }

    @Override
    public void whenAvailable(Runnable task) {
        waiting.add(task);
    }

    @Override
    public void giveBack(Held lent) {
        lent.close();
    }

    /** A task that is run takes the permit, or has been cancelled meanwhile; then the one behind it is run. */
    private void passOn() {
        synchronized (this) {
            out = false;
        }
        waiting.drain();
    }
}
