package dev.sluice.device;

import java.util.ArrayDeque;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/** Lends one permit: what asks for it takes turns, in order, without a thread that waits. Any thread. */
final class Permit implements Lender<Permit.Held> {
    private final ArrayDeque<Runnable> waiting = new ArrayDeque<>();
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

    @Override
    public void whenAvailable(Runnable task) {
        synchronized (this) {
            if (out) {
                waiting.add(task);
                return;
            }
        }
        task.run();
    }

    @Override
    public void giveBack(Held lent) {
        lent.close();
    }

    private void passOn() {
        synchronized (this) {
            out = false;
        }
        while (true) {
            Runnable next;
            synchronized (this) {
                next = out ? null : waiting.poll();
            }
            if (next == null) {
                return;
            }
            // It takes the permit, or has been cancelled meanwhile; then the one behind it is asked.
            next.run();
        }
    }
}
