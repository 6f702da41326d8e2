package dev.sluice.aio.loop;

import dev.sluice.linux.NativeMemory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The sinks and watches of a loop, and those among them that have completions to act on.
 *
 * <p><b>Threading:</b> the loop's thread. <b>Allocation:</b> none per tick.
 */
final class LoopHandles {
    private final List<LoopHandle> all = new ArrayList<>();
    private @Nullable LoopHandle[] awaiting = new LoopHandle[16];
    private int awaitingCount;
    private boolean draining;

    void add(LoopHandle handle) {
        all.add(handle);
    }

    void remove(LoopHandle handle) {
        all.remove(handle);
    }

    void awaitDrain(LoopHandle handle) {
        if (handle.awaitsDrain) {
            return;
        }
        handle.awaitsDrain = true;
        if (awaitingCount == awaiting.length) {
            awaiting = Arrays.copyOf(awaiting, awaitingCount * 2);
        }
        awaiting[awaitingCount++] = handle;
    }

    /** True if completions have been noted that were not acted on. */
    boolean anyAwaitsDrain() {
        return awaitingCount > 0;
    }

    /** True inside {@link #drain}. */
    boolean draining() {
        return draining;
    }

    /** True where there was something to act on. */
    boolean drain(TickLoop loop) {
        int drained = awaitingCount;
        draining = true;
        for (int i = 0; i < awaitingCount; i++) {
            LoopHandle handle = awaiting[i];
            awaiting[i] = null;
            if (handle == null) {
                continue;
            }
            handle.awaitsDrain = false;
            try {
                handle.drain();
                // A fault in shared memory is thrown late (see NativeMemory): here, where it is this handle's.
                NativeMemory.surfaceFault();
            } catch (Throwable failure) {
                loop.failed("a completion", failure);
            }
        }
        awaitingCount = 0;
        draining = false;
        return drained > 0;
    }

    void loopEnding(TickLoop loop) {
        for (LoopHandle handle : List.copyOf(all)) {
            loop.runGuarded("closing a sink or watch", handle::loopEnding);
        }
    }

    /** True if the kernel may have a completion soon, of which no other thread would notify the loop. */
    boolean anyAwaitsKernel() {
        for (int i = 0; i < all.size(); i++) {
            if (all.get(i).awaitsKernel()) {
                return true;
            }
        }
        return false;
    }

    boolean anyBusy() {
        for (int i = 0; i < all.size(); i++) {
            if (all.get(i).busy()) {
                return true;
            }
        }
        return false;
    }
}
