package dev.sluice.pipeline;

import org.jspecify.annotations.Nullable;

/**
 * Where requests come from: a virtqueue of a guest, or a program's own submissions. The ring behind it is the buffer: what is
 * not polled stays there.
 *
 * <p><b>Threading:</b> confined to the loop that serves the queue.
 * <b>Ownership:</b> the queue owns its requests; one that {@link #poll} returns is borrowed until {@link BlockRequest#complete} has
 * returned it. <b>Allocation:</b> none in steady state.
 */
public interface RequestQueue {

    /** The number of the queue within its device, from 0. */
    int index();

    /** How many requests can be in flight together. */
    int size();

    /** Requests polled and not yet completed. */
    int inFlight();

    /**
     * The next request in state PARSED, or null where none is available. What the queue can complete by itself (malformed, beyond the end,
     * read-only) it completes without showing it.
     *
     * @throws BrokenQueueException where the other side broke a rule of the ring itself
     */
    @Nullable
    BlockRequest poll();

    /**
     * Whether {@link #poll} is worth while, found out without asking the other side for anything. For loops that look at queues instead of
     * waiting for kicks. A queue that always says no is found by {@link #enableKicks} before the loop sleeps.
     */
    default boolean available() {
        return false;
    }

    /**
     * Asks the other side for a kick with its next request, after {@link #poll} returned null.
     *
     * @return true where something became available meanwhile, so that the caller polls again instead of waiting for a kick
     */
    boolean enableKicks();

    /** Tells the other side that kicks are not needed for now. A hint; kicks may come all the same. */
    void disableKicks();
}
