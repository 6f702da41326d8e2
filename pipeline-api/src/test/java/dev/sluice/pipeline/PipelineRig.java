package dev.sluice.pipeline;

import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.Patience;
import dev.sluice.pipeline.testing.SimulatedBackend;
import dev.sluice.pipeline.testing.SimulatedFaults;
import dev.sluice.pipeline.testing.SimulatedSink;
import dev.sluice.pipeline.testing.TestIo;
import dev.sluice.pipeline.testing.TestQueue;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/**
 * A guest, a pipeline and a disk on a loop driven by hand. Its {@link #close} stops the queue and fails where a request was not answered.
 */
final class PipelineRig implements AutoCloseable {
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(Patience.seconds(30));

    /** One call of {@link PipelineObserver#requestCompleted}. */
    record Seen(int queue, BlockOp op, long bytes, int errno, long waitNanos, long deviceNanos, int flags) {}

    /** One call of {@link PipelineObserver#taken}. */
    record Turn(int queue, int requests, int inFlight) {}

    final List<Turn> turns = new ArrayList<>();
    final ManualLoop loop = new ManualLoop();
    final List<Seen> seen = new ArrayList<>();
    final SimulatedBackend backend;
    final BlockPipeline pipeline;
    final TestQueue queue;
    final QueueSource source;
    private boolean otherThreads;

    PipelineRig(Consumer<BlockPipeline.Builder> configuration) {
        this(16, SimulatedBackend.DEFAULT_CAPACITY, SimulatedFaults.NONE, configuration);
    }

    PipelineRig(int queueSize, int sinkCapacity, SimulatedFaults faults, Consumer<BlockPipeline.Builder> configuration) {
        backend = SimulatedBackend.of(1 << 20, sinkCapacity, faults);
        BlockPipeline.Builder builder = BlockPipeline.builder().backend(backend).observer(new PipelineObserver() {
            @Override
            public void requestCompleted(int queue, BlockOp op, long bytes, int errno, long waitNanos, long deviceNanos, int flags) {
                seen.add(new Seen(queue, op, bytes, errno, waitNanos, deviceNanos, flags));
            }

            @Override
            public void taken(int queue, int requests, int inFlight) {
                turns.add(new Turn(queue, requests, inFlight));
            }
        });
        configuration.accept(builder);
        pipeline = builder.build();
        queue = new TestQueue(loop, 0, queueSize);
        source = queue.feed(new QueueSource(loop, queue));
        pipeline.connect(source);
        loop.tickUntilIdle();
    }

    SimulatedSink sink() {
        return backend.sinkOf(loop);
    }

    TestIo submit(TestIo io) {
        return queue.submit(io);
    }

    /** Reads of a sector each, from sector 0 on. */
    List<TestIo> submitReads(int count) {
        List<TestIo> reads = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            reads.add(submit(TestIo.read(i, 512)));
        }
        return reads;
    }

    /** Ticks until nothing is left to do. For pipelines that stay on the loop. */
    void settle() {
        loop.tickUntilIdle();
    }

    /** Submits, settles, and returns the result. */
    int result(TestIo io) {
        submit(io);
        settle();
        return io.result();
    }

    /** For stages or operators that work on other threads: {@link #close} waits for them. */
    void otherThreads() {
        otherThreads = true;
    }

    /** Ticks until something has happened that another thread has a part in. */
    void settleUntil(BooleanSupplier happened) {
        otherThreads();
        long deadline = System.nanoTime() + PATIENCE_NANOS;
        while (!happened.getAsBoolean()) {
            if (System.nanoTime() - deadline > 0) {
                throw new AssertionError("it did not happen in 30 s; " + queue.inFlight() + " requests are out");
            }
            loop.tickUntilIdle();
            Thread.onSpinWait();
        }
    }

    void settleUntilAnswered(List<TestIo> ios) {
        settleUntil(() -> ios.stream().allMatch(TestIo::completed));
    }

    @Override
    public void close() {
        AtomicBoolean drained = new AtomicBoolean();
        sink().releaseAll();
        source.stop(() -> drained.set(true));
        settle();
        if (!otherThreads && !drained.get()) {
            throw new AssertionError(queue.inFlight() + " requests are out, and nothing is left that could end them");
        }
        settleUntil(drained::get);
        pipeline.close();
        settle();
        queue.close();
        backend.close();
        loop.close();
    }
}
