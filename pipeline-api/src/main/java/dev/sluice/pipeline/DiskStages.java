package dev.sluice.pipeline;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The stages of a disk from their creation to their close, and the geometry that each of them shows.
 *
 * <p>They are created from the last to the first, so that each finds what is below it, and closed from the first to the last, when nothing uses them any
 * more: whoever may bring requests {@linkplain #enter enters} and {@linkplain #leave leaves}.
 *
 * <p><b>Threading:</b> any thread. <b>Allocation:</b> {@link #geometry} allocates only after the backend's geometry has changed.
 */
final class DiskStages {
    private static final Logger LOG = LoggerFactory.getLogger(DiskStages.class);

    /** What each stage shows, by its index; the last element is the backend's. */
    private record Levels(List<BlockGeometry> above) {
        BlockGeometry backend() {
            return above.getLast();
        }
    }

    private final BlockPipeline pipeline;
    private final BlockBackend backend;
    private final int count;
    private final StageChain chain;
    private final @Nullable StageContext[] contexts;
    private final Map<IoLoop, StageLoop> loops = new ConcurrentHashMap<>();
    /** Not volatile, so that a request reads the backend's geometry and nothing else that others write: whoever sees an old one makes it again. */
    private @Nullable Levels levels;
    private volatile boolean closed;

    /** Who uses the stages: the pipeline until it is closed, each connected queue. */
    private final AtomicInteger users = new AtomicInteger(1);

    /** Creates the stages. If one cannot be created those that were are closed. */
    DiskStages(BlockPipeline pipeline, BlockBackend backend, List<StageFactory> factories) {
        this.pipeline = pipeline;
        this.backend = backend;
        this.count = factories.size();
        this.chain = new StageChain(count);
        this.contexts = new StageContext[count];
        try {
            for (int i = count - 1; i >= 0; i--) {
                StageContext context = new StageContext(this, i);
                contexts[i] = context;
                chain.put(i, Objects.requireNonNull(factories.get(i).create(context), "a stage factory returned null"));
                // Refuses now what the stage cannot translate.
                shownBy(i);
            }
        } catch (IOException refused) {
            close();
            throw new UncheckedIOException(refused.getMessage(), refused);
        } catch (Throwable refused) {
            close();
            throw refused;
        }
    }

    StageChain chain() {
        return chain;
    }

    String diskName() {
        return pipeline.diskName();
    }

    String nameOf(int stage) {
        return chain.name(stage);
    }

    List<IoLoop> loops() {
        return pipeline.loops();
    }

    List<StageMeter> meters() {
        List<StageMeter> all = new ArrayList<>();
        for (StageContext context : contexts) {
            all.addAll(Objects.requireNonNull(context).meters());
        }
        return all;
    }

    // ---- geometry

    /** What the disk is above all stages. */
    BlockGeometry geometry() {
        return count == 0 ? backend.geometry() : shownBy(0);
    }

    BlockGeometry geometryBelow(int stage) {
        return shownBy(stage + 1);
    }

    private BlockGeometry shownBy(int stage) {
        BlockGeometry found = backend.geometry();
        Levels known = levels;
        if (known != null && known.backend() == found && known.above.size() > count - stage) {
            return known.above.get(known.above.size() - 1 - (count - stage));
        }
        List<BlockGeometry> made = new ArrayList<>(List.of(found));
        for (int i = count - 1; i >= 0 && chain.isPresent(i); i--) {
            made.addFirst(chain.stage(i).geometry(made.getFirst()));
        }
        levels = new Levels(List.copyOf(made));
        return made.get(made.size() - 1 - (count - stage));
    }

    // ---- loops

    /** What the stages have on a loop, on that loop's thread. */
    StageLoop on(IoLoop loop, SharedSink sink) {
        return loops.computeIfAbsent(loop, key -> new StageLoop(key, this, sink, count));
    }

    /** The scope of what they do on a loop by themselves, on that loop's thread. */
    StageScope background(IoLoop loop) {
        StageLoop known = loops.get(loop);
        return (known == null ? on(loop, pipeline.sink(loop)) : known).background();
    }

    /** Whether nothing new may begin in the background. */
    boolean isClosed() {
        return closed;
    }

    /** In the background: who closes the stages waits for it. */
    void subRequestStarted() {
        users.incrementAndGet();
    }

    // ---- the end

    /** Begins to use the stages; false if the pipeline has been closed. */
    boolean enter() {
        int before = users.get();
        while (before > 0) {
            if (users.compareAndSet(before, before + 1)) {
                return true;
            }
            before = users.get();
        }
        return false;
    }

    /** Ends a use, on a loop. Hooks may block: if this was the last use they get a thread. */
    void leave() {
        if (users.decrementAndGet() > 0 || count == 0) {
            return;
        }
        try {
            Thread.ofPlatform().daemon().name(diskName() + "-close").start(this::closeAll);
        } catch (Throwable noThread) {
            LOG.warn("disk {}: the stages are closed on a loop, as no thread can be started", diskName(), noThread);
            closeAll();
        }
    }

    /** The pipeline has been closed. Once. */
    void close() {
        closed = true;
        loops.forEach((loop, onLoop) -> {
            try {
                loop.execute(onLoop::close);
            } catch (RejectedExecutionException loopHasEnded) {
                onLoop.close();
            }
        });
        if (users.decrementAndGet() == 0) {
            closeAll();
        }
    }

    private void closeAll() {
        for (StageContext context : contexts) {
            if (context != null) {
                context.close();
            }
        }
    }
}
