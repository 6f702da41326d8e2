package dev.sluice.device;

import org.jspecify.annotations.Nullable;

/**
 * Something that lends things of which there are so many. Any thread.
 *
 * @param <T> what it lends; closing it gives it back
 */
interface Lender<T extends AutoCloseable> {

    /** One of them, or null where all are out. */
    @Nullable T tryTake();

    /**
     * Runs a task once, when one may be there: at once, or on a thread that gives one back. Tasks run in the order of asking, never inside one another; several
     * may run for one.
     */
    void whenAvailable(Runnable task);

    /** Gives one back without a checked exception. */
    void giveBack(T lent);
}
