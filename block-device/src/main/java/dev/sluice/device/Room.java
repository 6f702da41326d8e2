package dev.sluice.device;

import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;

/**
 * Where blocking callers wait for a place in a full {@link SubmissionRing}.
 *
 * <p><b>Threading:</b> any. The loop reads one flag per request and takes the lock only if somebody waits. A caller that has been woken tries again, and
 * may find the place taken by another; a wake-up that reaches a caller which has just been interrupted is made good by {@link #all} when the ring is
 * empty. <b>Allocation:</b> none.
 */
final class Room {
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition freed = lock.newCondition();

    /** Written under the lock. */
    private volatile int waiting;

    /** Waits for a wake-up while it is {@code full}; the wake-up does not guarantee room. */
    @SuppressWarnings({"NonAtomicOperationOnVolatileField", "NonAtomicVolatileUpdate", "WaitNotInLoop"}) // under the lock; the caller tries in a loop
    void await(BooleanSupplier full) throws InterruptedException {
        lock.lockInterruptibly();
        try {
            // Volatile, before the ring is read; pairs with the loop, which frees a place and then reads this.
            waiting++;
            if (full.getAsBoolean()) {
                freed.await();
            }
        } finally {
            waiting--;
            lock.unlock();
        }
    }

    boolean isWaitedFor() {
        return waiting > 0;
    }

    void one() {
        if (waiting > 0) {
            lock.lock();
            try {
                freed.signal();
            } finally {
                lock.unlock();
            }
        }
    }

    void all() {
        if (waiting > 0) {
            lock.lock();
            try {
                freed.signalAll();
            } finally {
                lock.unlock();
            }
        }
    }
}
