package dev.sluice.device;

import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.IoLoop;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;

/**
 * What a device stands on, and what of it is its own to close.
 *
 * @param backend where the device made the pipeline itself; null where it was given one
 * @param ownsPipeline whether closing the device closes the pipeline's sinks
 * @param ownsRest whether it closes loops and backend too
 */
record Resources(BlockPipeline pipeline, List<IoLoop> loops, @Nullable BlockBackend backend, boolean ownsPipeline, boolean ownsRest) {

    Resources {
        if (loops.isEmpty()) {
            throw new IllegalArgumentException("a block device needs a loop");
        }
        loops = List.copyOf(loops);
    }

    /** Closes the sinks: their loops do it with the next tasks they run. */
    void closePipeline() {
        boolean more = ownsPipeline;
        while (more) {
            try {
                pipeline.close();
                more = false;
            } catch (RejectedExecutionException ended) {
                // A loop that has ended closed its sinks itself; the pipeline has forgotten that one and goes on with the others when asked again.
                more = true;
            }
        }
    }

    /** Closes loops and backend. Waits for the loops' threads: not on one of them. */
    void closeRest() {
        if (ownsRest) {
            loops.forEach(IoLoop::close);
            if (backend != null) {
                backend.close();
            }
        }
    }
}
