package dev.sluice.device;

import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.IoLoop;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;

/**
 * What a device is built on, and which of it the device closes.
 *
 * @param backend the backend if the device built the pipeline itself; null if the pipeline was given
 * @param ownsPipeline whether closing the device closes the pipeline's sinks
 * @param ownsRest whether closing the device closes loops and backend too
 */
record Resources(BlockPipeline pipeline, List<IoLoop> loops, @Nullable BlockBackend backend, boolean ownsPipeline, boolean ownsRest) {

    Resources {
        if (loops.isEmpty()) {
            throw new IllegalArgumentException("a block device needs a loop");
        }
        loops = List.copyOf(loops);
    }

    /** Closes the sinks: their loops do so with the next tasks that they run. */
    void closePipeline() {
        boolean more = ownsPipeline;
        while (more) {
            try {
                pipeline.close();
                more = false;
            } catch (RejectedExecutionException ended) {
                // A terminated loop has closed its sinks itself; the pipeline has forgotten that one and closes the others on the second call.
                more = true;
            }
        }
    }

    /** Closes loops and backend. Waits for the loops' threads, so it must not run on one of them. */
    void closeRest() {
        if (ownsRest) {
            loops.forEach(IoLoop::close);
            if (backend != null) {
                backend.close();
            }
        }
    }
}
