package dev.sluice.device;

import org.jspecify.annotations.Nullable;

/**
 * A bounded number of objects that callers borrow. Any thread.
 *
 * @param <T> type of the objects; closing one returns it
 */
interface Pool<T extends AutoCloseable> {

    /** A free object, or null if there is none. */
    @Nullable
    T tryTake();

    /**
     * Runs a task once when an object may be free: immediately, or on the thread that returns one. Tasks run in the order in which they were added, never
     * nested in one another; several may run for one object.
     */
    void whenAvailable(Runnable task);

    /** Returns an object, without a checked exception. */
    void release(T borrowed);
}
