package dev.sluice.pipeline;

import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import reactor.core.Exceptions;
import reactor.core.publisher.Flux;

/**
 * A disk: a backend, the stages before it, and the queues that are connected to it.
 *
 * <pre>
 * QueueSource -> operators (plain Flux, synchronous, nearly free)
 *             -> no stage interested? straight into the sink (the bypass, decided request by request)
 *             -> else: BlockStage -> ... -> sink, a Mono for each
 * </pre>
 *
 * <p><b>Threading:</b> {@link #connect} on the source's loop; everything else from any thread. <b>Ownership:</b> the pipeline owns the sinks
 * it opened, one a loop; the backend stays its opener's. <b>Failure:</b> a request that an operator drops, fails on or that a
 * stage fails on is completed with an error, never leaked, and the queue continues. <b>Allocation:</b> none for a request that
 * bypasses the stages.
 */
public final class BlockPipeline implements AutoCloseable {
    /** How long a queue that is stopped waits for what its stages hold. */
    public static final Duration DEFAULT_DRAIN_LIMIT = Duration.ofSeconds(30);

    private static final Duration MAX_DRAIN_LIMIT = Duration.ofDays(1);

    private final BlockBackend backend;
    private final List<UnaryOperator<Flux<BlockRequest>>> operators;
    private final DiskStages stages;
    private final List<IoLoop> knownLoops;
    private final PipelineObserver observer;
    private final String diskName;
    private final long drainLimitNanos;
    private final Map<IoLoop, SharedSink> sinks = new ConcurrentHashMap<>();
    private final Set<QueueSubscriber> connected = ConcurrentHashMap.newKeySet();
    private final AtomicLong failedAtDrainLimit = new AtomicLong();
    private volatile boolean drainCutShort;
    private final AtomicBoolean closed = new AtomicBoolean();

    private BlockPipeline(Builder builder, BlockBackend backend) {
        this.backend = backend;
        this.operators = List.copyOf(builder.operators);
        this.observer = builder.observer;
        this.diskName = builder.diskName == null ? backend.name() : builder.diskName;
        this.drainLimitNanos = builder.drainLimit.toNanos();
        this.knownLoops = List.copyOf(builder.loops);
        // Last: stages use the rest while they are created.
        try {
            this.stages = new DiskStages(this, backend, builder.stages);
        } catch (Throwable refused) {
            // Stages that were created may have used the disk already.
            closed.set(true);
            closeSinks();
            throw refused;
        }
    }

    public static Builder builder() {
        return new Builder();
    }

    /** What front ends show and validate against: the backend's geometry, as the stages translate it. */
    public BlockGeometry geometry() {
        return stages.geometry();
    }

    /** What the stages publish. Any thread. */
    public List<StageMeter> stageMeters() {
        return stages.meters();
    }

    /** What has befallen the backend's image since it was opened. */
    public BackendHealth health() {
        return backend.health();
    }

    public PipelineObserver observer() {
        return observer;
    }

    /**
     * Subscribes the pipeline to a queue. It ends when the source does.
     *
     * @throws IllegalArgumentException where the backend cannot work on that kind of loop
     * @throws IllegalStateException where the pipeline is closed
     */
    public void connect(QueueSource source) {
        IoLoop loop = source.loop();
        loop.assertInLoop();
        if (closed.get()) {
            throw new IllegalStateException("the pipeline is closed");
        }
        if (!stages.enter()) {
            throw new IllegalStateException("the pipeline is closed");
        }
        QueueSubscriber subscriber;
        try {
            SharedSink sink = sink(loop);
            subscriber = new QueueSubscriber(source, sink, this);
        } catch (Throwable refused) {
            stages.leave();
            throw refused;
        }
        connected.add(subscriber);
        subscriber.subscribe();
    }

    /** The sink of a loop, on that loop's thread; opened when it is needed first. */
    SharedSink sink(IoLoop loop) {
        SharedSink sink = sinks.computeIfAbsent(loop, key -> new SharedSink(key, backend.openSink(key)));
        // Pairs with close, which sets the flag and then looks at the sinks.
        if (closed.get() && sinks.remove(loop, sink)) {
            sink.close();
            throw new IllegalStateException("the pipeline is closed");
        }
        return sink;
    }

    void disconnected(QueueSubscriber drained) {
        if (connected.remove(drained)) {
            stages.leave();
        }
    }

    /** Those given to the builder; without any, those that have a sink. */
    List<IoLoop> loops() {
        return knownLoops.isEmpty() ? List.copyOf(sinks.keySet()) : knownLoops;
    }

    /**
     * What stages hold of queues that are being stopped fails now, not at the {@linkplain Builder#drainLimit limit}; of queues that are stopped from now on, at
     * once. For a process that has to end.
     */
    public void cutDrainShort() {
        drainCutShort = true;
        for (QueueSubscriber queue : connected) {
            try {
                queue.loop().execute(queue::cutDrainShort);
            } catch (RejectedExecutionException loopHasEnded) {
                // Then nothing of it can be in flight in a stage that matters.
            }
        }
    }

    /** Requests that were failed because a stage or an operator held them when the drain limit of a queue ended. */
    public long failedAtDrainLimit() {
        return failedAtDrainLimit.get();
    }

    void addFailedAtDrainLimit(int requests) {
        failedAtDrainLimit.addAndGet(requests);
    }

    long drainLimitNanos() {
        return drainCutShort ? 0 : drainLimitNanos;
    }

    /** For the log. */
    String diskName() {
        return diskName;
    }

    /**
     * Offers memory to the sink of a loop, on that loop's thread, as {@link BlockSink#registerBuffers} says.
     *
     * @return false where the sink does not take it or there is none
     */
    public boolean registerBuffers(IoLoop loop, long address, long bytes) {
        loop.assertInLoop();
        SharedSink sink = sinks.get(loop);
        return sink != null && sink.registerBuffers(address, bytes);
    }

    /** Takes such memory back, on the loop's thread, as {@link BlockSink#unregisterBuffers} says. */
    public void unregisterBuffers(IoLoop loop, long address) {
        loop.assertInLoop();
        SharedSink sink = sinks.get(loop);
        if (sink != null) {
            sink.unregisterBuffers(address);
        }
    }

    /** What the pipeline's sink on a loop has done; {@link SinkCounters#NONE} where it has none there. */
    public SinkCounters sinkCounters(IoLoop loop) {
        SharedSink sink = sinks.get(loop);
        return sink == null ? SinkCounters.NONE : sink.counters();
    }

    /** The operators over a queue; what they drop goes to {@code discarded}, and what they fail on with an error of the JVM to {@code failed}. */
    Flux<BlockRequest> assemble(QueueSource source, Consumer<BlockRequest> discarded, BiConsumer<Throwable, Object> failed) {
        Flux<BlockRequest> flux = source;
        for (UnaryOperator<Flux<BlockRequest>> operator : operators) {
            flux = operator.apply(flux);
        }
        return operators.isEmpty() ? flux : flux.doOnDiscard(BlockRequest.class, discarded).onErrorContinue(BlockPipeline::failsOneRequest, failed);
    }

    /** Of what operators throw. */
    private static boolean failsOneRequest(Throwable thrown) {
        return Exceptions.isJvmFatal(thrown) || TruncatedMemoryException.isCauseOf(thrown);
    }

    DiskStages disk() {
        return stages;
    }

    /**
     * Closes the stages, in this call if all queues have drained, and the sinks; each frees what it holds once nothing of it is in flight. The queues should
     * have been stopped before: requests that still come fail. Idempotent.
     */
    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            stages.close();
        }
        closeSinks();
    }

    private void closeSinks() {
        sinks.forEach((loop, sink) -> {
            // Two threads may close at the same time.
            if (sinks.remove(loop, sink)) {
                loop.execute(sink::close);
            }
        });
    }

    /** What requests pass through, and which operations bypass the stages and why. */
    @Override
    public String toString() {
        return "queue -> " + (operators.isEmpty() ? "" : operators.size() + " operators -> ") + stages.chain() + " -> " + backend.name() + " ("
                + stages.chain().describeBypass() + ")";
    }

    /** Assembles a pipeline. Not thread safe; used once. */
    public static final class Builder {
        private final List<UnaryOperator<Flux<BlockRequest>>> operators = new ArrayList<>();
        private final List<StageFactory> stages = new ArrayList<>();
        private List<IoLoop> loops = List.of();
        private @Nullable BlockBackend backend;
        private PipelineObserver observer = PipelineObserver.NONE;
        private @Nullable String diskName;
        private Duration drainLimit = DEFAULT_DRAIN_LIMIT;

        private Builder() {}

        /** Where requests end. Required. */
        public Builder backend(BlockBackend backend) {
            this.backend = backend;
            return this;
        }

        /**
         * Synchronous, cheap concerns as plain Flux operators, before the stages, in the order of calls.
         *
         * <p>What they drop through Reactor's discard hook ({@code filter}, a full buffer, a cancelled {@code publishOn}) is completed with
         * ECANCELED; so is every request that has gone in and not come out when they fail or complete, after which the queue gets
         * a fresh subscription. An error of the JVM (NoClassDefFoundError, StackOverflowError) fails the request that it happened on, or what is in the
         * operators. An operator that swallows a request in another way ({@code handle}, {@code flatMap} to an empty inner) completes it itself, on the loop's
         * thread; else its guest waits until the queue is stopped, as it does for one that an error of the JVM has lost on another thread in an operator
         * without support for {@code onErrorContinue}. Operators that end a subscription within a second and without having been given a request are treated as
         * broken: the queue is quarantined, which fails all its requests.
         */
        public Builder operator(UnaryOperator<Flux<BlockRequest>> operator) {
            operators.add(operator);
            return this;
        }

        /** A stage, behind those added before, that needs nothing of the disk. */
        public Builder stage(BlockStage stage) {
            return stage(context -> stage);
        }

        /** A stage, behind those added before, which is created by {@link #build} with what the disk has for it. */
        public Builder stage(StageFactory stage) {
            stages.add(stage);
            return this;
        }

        /** The loops that will serve the disk's queues, for stages that want to know them, or to use the disk before a queue is connected. */
        public Builder loops(List<? extends IoLoop> loops) {
            this.loops = List.copyOf(loops);
            return this;
        }

        public Builder observer(PipelineObserver observer) {
            this.observer = observer;
            return this;
        }

        /** What lines in the log call the disk; the backend's name by default. */
        public Builder diskName(String diskName) {
            this.diskName = diskName;
            return this;
        }

        /**
         * How long a queue that is stopped waits for requests that stages or operators hold, {@link #DEFAULT_DRAIN_LIMIT} by default. Then they fail with
         * ECANCELED and are listed in the log, and an access to their data throws. Requests in the backend are waited for however long it takes.
         *
         * @throws IllegalArgumentException for a negative one, and for more than a day
         */
        public Builder drainLimit(Duration limit) {
            if (limit.isNegative() || limit.compareTo(MAX_DRAIN_LIMIT) > 0) {
                throw new IllegalArgumentException("drain limit " + limit + " is not from 0 to " + MAX_DRAIN_LIMIT);
            }
            this.drainLimit = limit;
            return this;
        }

        /**
         * Creates the stages and the pipeline.
         *
         * @throws UncheckedIOException if a stage cannot be created; its cause has the line for people. The stages that were created are closed
         */
        public BlockPipeline build() {
            BlockBackend chosen = backend;
            if (chosen == null) {
                throw new IllegalStateException("a pipeline needs a backend");
            }
            return new BlockPipeline(this, chosen);
        }
    }
}
