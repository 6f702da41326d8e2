package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.CapturedLog;
import dev.sluice.linux.Errno;
import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.SimulatedBackend;
import dev.sluice.pipeline.testing.TestIo;
import dev.sluice.pipeline.testing.TestQueue;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A pipeline as those see it who open, connect and close it. */
class BlockPipelineTest {
    private final ManualLoop loop = new ManualLoop("loop-1");
    private final RecordingBackend backend = new RecordingBackend(SimulatedBackend.ofSize(1 << 20));

    @AfterEach
    void close() {
        loop.close();
        backend.close();
    }

    private BlockPipeline.Builder builder() {
        return BlockPipeline.builder().backend(backend);
    }

    private QueueSource connect(BlockPipeline pipeline, TestQueue queue) {
        QueueSource source = queue.feed(new QueueSource(loop, queue));
        pipeline.connect(source);
        loop.tickUntilIdle();
        return source;
    }

    @Test
    void shouldSayWhatItIsMadeOf() {
        PipelineObserver observer = new PipelineObserver() {};
        BlockPipeline pipeline = builder().observer(observer).operator(flux -> flux).operator(flux -> flux).build();
        assertThat(pipeline).hasToString("queue -> 2 operators -> no stages -> recording (every request bypasses: there are no stages)");
        assertThat(builder().build()).hasToString("queue -> no stages -> recording (every request bypasses: there are no stages)");
        assertThat(pipeline.geometry()).isEqualTo(backend.geometry());
        assertThat(pipeline.health()).isEqualTo(new BackendHealth(true, 4096));
        assertThat(pipeline.observer()).isSameAs(observer);
        assertThat(pipeline.diskName()).isEqualTo("recording");
        assertThat(builder().diskName("vm1").build().diskName()).isEqualTo("vm1");
    }

    @Test
    void shouldTakeLimitsAtTheirBounds() {
        assertThat(builder().drainLimit(Duration.ZERO).build().drainLimitNanos()).isZero();
        BlockPipeline pipeline = builder().drainLimit(Duration.ofDays(1)).build();
        assertThat(pipeline.drainLimitNanos()).isEqualTo(Duration.ofDays(1).toNanos());
        pipeline.cutDrainShort();
        assertThat(pipeline.drainLimitNanos()).isZero();
    }

    @Test
    void shouldRefuseWhatIsBeyondItsBounds() {
        for (Duration limit : List.of(Duration.ofNanos(-1), Duration.ofDays(1).plusNanos(1))) {
            assertThatThrownBy(() -> builder().drainLimit(limit)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining(limit.toString());
        }
        assertThatThrownBy(() -> BlockPipeline.builder().build()).isInstanceOf(IllegalStateException.class).hasMessageContaining("needs a backend");
    }

    @Test
    void shouldOpenOneSinkForTheQueuesOfALoopAndCloseItOnce() {
        BlockPipeline pipeline = builder().build();
        try (TestQueue one = new TestQueue(loop, 0, 4); TestQueue other = new TestQueue(loop, 1, 4)) {
            connect(pipeline, one);
            connect(pipeline, other);
            assertThat(backend.calls).containsExactly("open on loop-1");
            pipeline.close();
            loop.tickUntilIdle();
            pipeline.close();
            loop.tickUntilIdle();
            assertThat(backend.calls).as("what was submitted last goes to the kernel").containsExactly("open on loop-1", "flush", "close");
        }
    }

    @Test
    void shouldOfferMemoryToTheSinkOfTheLoop() throws InterruptedException {
        BlockPipeline pipeline = builder().build();
        assertThat(pipeline.registerBuffers(loop, 4096, 8192)).as("there is no sink").isFalse();
        pipeline.unregisterBuffers(loop, 4096);
        assertThat(pipeline.sinkCounters(loop)).isEqualTo(SinkCounters.NONE);
        try (TestQueue queue = new TestQueue(loop, 0, 4)) {
            connect(pipeline, queue);
            assertThat(pipeline.registerBuffers(loop, 4096, 8192)).isTrue();
            assertThat(pipeline.registerBuffers(loop, 4096, 512)).as("the sink does not take it").isFalse();
            pipeline.unregisterBuffers(loop, 4096);
            assertThat(backend.calls).containsExactly("open on loop-1", "register 4096 8192", "register 4096 512", "unregister 4096");
            assertThat(pipeline.sinkCounters(loop)).isEqualTo(new SinkCounters(1, 2, 3, 4, 5));
            BlockRequestTest.onAnotherThread(() -> {
                assertThatThrownBy(() -> pipeline.registerBuffers(loop, 0, 0)).hasMessageContaining("must run on loop-1");
                assertThatThrownBy(() -> pipeline.unregisterBuffers(loop, 0)).hasMessageContaining("must run on loop-1");
                assertThatThrownBy(() -> pipeline.connect(new QueueSource(loop, queue))).hasMessageContaining("must run on loop-1");
            });
            pipeline.close();
            loop.tickUntilIdle();
            assertThat(pipeline.registerBuffers(loop, 4096, 8192)).as("closed").isFalse();
            assertThat(pipeline.sinkCounters(loop)).isEqualTo(SinkCounters.NONE);
        }
    }

    /** Memory of a guest may come and go while a sink is being closed. */
    @Test
    void shouldOfferNoMemoryToASinkThatIsClosed() {
        SharedSink sink = new SharedSink(loop, backend.openSink(loop));
        assertThat(sink.registerBuffers(4096, 8192)).isTrue();
        sink.close();
        sink.close();
        assertThat(sink.registerBuffers(4096, 8192)).isFalse();
        sink.unregisterBuffers(4096);
        assertThat(backend.calls).containsExactly("open on loop-1", "register 4096 8192", "flush", "close");
    }

    @Test
    void shouldPutNothingBetweenSourceAndSinkWithoutOperators() {
        try (TestQueue queue = new TestQueue(loop, 0, 4)) {
            QueueSource source = new QueueSource(loop, queue);
            assertThat(builder().build().assemble(source, request -> {}, (thrown, value) -> {})).isSameAs(source);
        }
    }

    @Test
    void shouldForgetAQueueThatHasDrained() {
        BlockPipeline pipeline = builder().build();
        try (TestQueue queue = new TestQueue(loop, 0, 4)) {
            QueueSource source = connect(pipeline, queue);
            pipeline.cutDrainShort();
            assertThat(loop.tickUntilIdle()).as("its queue hears of it").isEqualTo(1);
            source.stop(() -> {});
            loop.tickUntilIdle();
            pipeline.cutDrainShort();
            assertThat(loop.tickUntilIdle()).as("nobody is left to hear of it").isZero();
            pipeline.close();
            loop.tickUntilIdle();
        }
    }

    @Test
    void shouldCutShortTheDrainOfTheOthersWhenALoopHasEnded() {
        BlockPipeline pipeline = builder().build();
        ManualLoop ended = new ManualLoop("ended");
        try (TestQueue queue = new TestQueue(ended, 0, 4)) {
            pipeline.connect(queue.feed(new QueueSource(ended, queue)));
            ended.close();
            pipeline.cutDrainShort();
            assertThat(pipeline.drainLimitNanos()).isZero();
        }
    }

    @Test
    void shouldTellWhatASinkThrewAndFailTheRequestUnlessTheSinkHasCompletedIt() {
        BlockPipeline pipeline = builder().build();
        try (TestQueue queue = new TestQueue(loop, 0, 1); CapturedLog log = new CapturedLog()) {
            QueueSource source = connect(pipeline, queue);
            backend.instead = request -> {
                if (request.sector() == 1) {
                    request.submitted();
                    request.complete(512);
                }
                if (request.sector() <= 1) {
                    throw new IllegalStateException("made up");
                }
                return false;
            };
            List<TestIo> reads = new ArrayList<>();
            // One slot: each of them has the object of the one before, while the loop has yet to hear of that.
            for (int sector = 0; sector <= 3; sector++) {
                reads.add(queue.submit(TestIo.read(sector, 512)));
            }
            backend.backend.sinkOf(loop).hold();
            loop.tickUntilIdle();
            assertThat(reads.get(0).result()).isEqualTo(-Errno.EIO);
            assertThat(reads.get(1).result()).isEqualTo(512);
            assertThat(reads.get(2).completed()).as("in the sink").isFalse();
            backend.backend.sinkOf(loop).releaseAll();
            loop.tickUntilIdle();
            assertThat(reads.get(2).result()).isEqualTo(512);
            assertThat(reads.get(3).result()).isEqualTo(512);
            assertThat(log.lines("the sink failed on READ sector 0")).hasSize(1);
            assertThat(log.lines("the sink failed on")).as("one a second").hasSizeBetween(1, 2);
            source.stop(pipeline::close);
            loop.tickUntilIdle();
        }
    }
}
