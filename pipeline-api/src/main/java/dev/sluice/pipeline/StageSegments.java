package dev.sluice.pipeline;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * The memory of a queue's requests as stages see it: views that can be revoked, all at once, so that none outlives the queue or a request that was failed
 * under its stage.
 *
 * <p>An access to a view that was revoked throws {@link IllegalStateException}, on every thread. Revoking makes the JVM stop all threads for a moment; it happens
 * when a queue has stopped, never while it runs.
 *
 * <p><b>Threading:</b> any thread. <b>Ownership:</b> of the memory none.
 */
final class StageSegments {
    private @Nullable Arena arena;
    private boolean revoked;

    /** A view of memory that is the request's, which whoever parsed it has checked. */
    @SuppressWarnings("restricted")
    MemorySegment view(long address, long bytes) {
        return MemorySegment.ofAddress(address).reinterpret(bytes, arena(), null);
    }

    private synchronized Arena arena() {
        if (revoked) {
            throw new IllegalStateException("the queue has been stopped: its data is not the stages' any more");
        }
        Arena made = arena;
        if (made == null) {
            made = Arena.ofShared();
            arena = made;
        }
        return made;
    }

    /**
     * Revokes all views, and makes no more.
     *
     * @return false while a thread passes one to a system call: to be tried again
     */
    synchronized boolean revoke() {
        revoked = true;
        Arena made = arena;
        if (made != null) {
            try {
                made.close();
            } catch (IllegalStateException inUse) {
                return false;
            }
            arena = null;
        }
        return true;
    }
}
