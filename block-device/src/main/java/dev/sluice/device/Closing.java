package dev.sluice.device;

import dev.sluice.pipeline.IoLoop;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.Exceptions;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;

/**
 * The close of a device, in order: it refuses new calls and those who wait for a buffer; each queue drains and its source stops; the sinks close; the
 * calls of channels return; then loops and backend close, and the memory is freed.
 *
 * <p><b>Threading:</b> any; each queue's part runs on its loop, and the part that waits for threads on the caller's, or for {@link #shutdown} on a virtual
 * one. <b>Failure:</b> a loop that terminated before its device has waited for the requests that it had taken; the others are refused.
 */
final class Closing {
    private static final Logger LOG = LoggerFactory.getLogger(Closing.class);

    /** How long a refused call may take to return, which is all that it has left to do. */
    private static final long CALLS_NANOS = 10_000_000_000L;

    private final DeviceQueue[] queues;
    private final BlockBufferPool buffers;
    private final CallsUnderWay calls;
    private final Resources resources;
    private final AtomicBoolean begun = new AtomicBoolean();
    private final AtomicInteger left;
    private final Runnable begins;
    private final CompletableFuture<@Nullable Void> sinksClosed = new CompletableFuture<>();
    private final AtomicBoolean freeing = new AtomicBoolean();
    private final Sinks.One<Void> done = Sinks.one();

    Closing(DeviceQueue[] queues, BlockBufferPool buffers, CallsUnderWay calls, Resources resources, Runnable begins) {
        this.queues = queues;
        this.buffers = buffers;
        this.calls = calls;
        this.resources = resources;
        this.begins = begins;
        this.left = new AtomicInteger(queues.length);
    }

    Mono<Void> shutdown() {
        return Mono.defer(() -> {
            begin();
            CompletableFuture<Void> _ = sinksClosed.thenRun(() -> Thread.ofVirtual().name("sluice-device-closing").start(this::free));
            return done.asMono();
        });
    }

    /** Frees on the caller's thread: at a limit of tasks no other thread may be available. */
    void await() {
        begin();
        await(sinksClosed);
        free();
        await(done.asMono().toFuture());
    }

    private static void await(CompletableFuture<?> awaited) {
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    awaited.get();
                    return;
                } catch (InterruptedException later) {
                    interrupted = true;
                } catch (ExecutionException failed) {
                    throw Exceptions.propagate(Objects.requireNonNull(failed.getCause()));
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private void begin() {
        if (!begun.compareAndSet(false, true)) {
            return;
        }
        for (DeviceQueue queue : queues) {
            queue.refuseNew();
        }
        begins.run();
        buffers.refuse();
        for (DeviceQueue queue : queues) {
            try {
                queue.loop().execute(() -> queue.drain(this::drained));
            } catch (RejectedExecutionException ended) {
                queue.loopHasEnded();
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

    /** Each sink closes in a task of its loop; one more task behind it on every loop, one loop after the other, runs when all are closed. */
    private void afterSinks(int next) {
        if (next == queues.length) {
            boolean _ = sinksClosed.complete(null);
            return;
        }
        IoLoop loop = queues[next].loop();
        try {
            loop.execute(() -> afterSinks(next + 1));
        } catch (RejectedExecutionException ended) {
            afterSinks(next + 1);
        }
    }

    /** Once, by whoever comes first. */
    private void free() {
        if (!freeing.compareAndSet(false, true)) {
            return;
        }
        try {
            calls.awaitNone(CALLS_NANOS);
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

    /** For a device that could not be connected: it had no requests. Loops and backend stay their opener's. */
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
