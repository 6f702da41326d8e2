package dev.sluice.device;

import dev.sluice.pipeline.IoLoop;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;

/**
 * The end of a device, in order: no new calls; each queue drains and its source ends; the sinks close; memory is freed; then loops and backend.
 *
 * <p><b>Threading:</b> any; each queue's part runs on its loop, and what waits for threads on a virtual thread. <b>Failure:</b> a loop that has
 * ended before its device is taken for drained, as it waited for its requests itself.
 */
final class Closing {
    private static final Logger LOG = LoggerFactory.getLogger(Closing.class);

    private final DeviceQueue[] queues;
    private final BlockBufferPool buffers;
    private final Resources resources;
    private final AtomicBoolean begun = new AtomicBoolean();
    private final AtomicInteger left;
    private final Sinks.One<Void> done = Sinks.one();

    Closing(DeviceQueue[] queues, BlockBufferPool buffers, Resources resources) {
        this.queues = queues;
        this.buffers = buffers;
        this.resources = resources;
        this.left = new AtomicInteger(queues.length);
    }

    Mono<Void> shutdown() {
        return Mono.defer(() -> {
            begin();
            return done.asMono();
        });
    }

    void await() {
        begin();
        done.asMono().block();
    }

    private void begin() {
        if (!begun.compareAndSet(false, true)) {
            return;
        }
        for (DeviceQueue queue : queues) {
            queue.refuseNew();
        }
        for (DeviceQueue queue : queues) {
            try {
                queue.loop().execute(() -> queue.drain(this::drained));
            } catch (RejectedExecutionException ended) {
                drained();
            }
        }
    }

    private void drained() {
        if (left.decrementAndGet() == 0) {
            resources.closePipeline();
            afterSinks(0);
        }
    }

    /** The sinks close with a task of their loop each; a task behind it on every loop, one after the other, comes when all have. */
    private void afterSinks(int next) {
        if (next == queues.length) {
            Thread.ofVirtual().name("sluice-device-closing").start(this::free);
            return;
        }
        IoLoop loop = queues[next].loop();
        try {
            loop.execute(() -> afterSinks(next + 1));
        } catch (RejectedExecutionException ended) {
            afterSinks(next + 1);
        }
    }

    private void free() {
        try {
            resources.closeRest();
            freeMemory();
            done.tryEmitEmpty().orThrow();
        } catch (Throwable failed) {
            LOG.error("closing a block device failed", failed);
            done.tryEmitError(failed);
        }
    }

    private void freeMemory() {
        for (DeviceQueue queue : queues) {
            queue.free();
        }
        buffers.close();
    }

    /** For a device that could not be connected: nothing was asked of it. Loops and backend stay their opener's. */
    void abandon() {
        if (begun.compareAndSet(false, true)) {
            for (DeviceQueue queue : queues) {
                queue.refuseNew();
            }
            resources.closePipeline();
            freeMemory();
        }
    }
}
