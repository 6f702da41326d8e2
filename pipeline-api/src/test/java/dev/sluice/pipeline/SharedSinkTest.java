package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.CapturedLog;
import dev.sluice.linux.Errno;
import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.SimulatedBackend;
import dev.sluice.pipeline.testing.SimulatedFaults;
import dev.sluice.pipeline.testing.SimulatedSink;
import dev.sluice.pipeline.testing.TestIo;
import dev.sluice.pipeline.testing.TestQueue;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Mono;

class SharedSinkTest {

    @Test
    void shouldParkInOrderWhatAFullSinkDoesNotTake() {
        try (ManualLoop loop = new ManualLoop();
                SimulatedBackend backend = SimulatedBackend.of(1 << 20, 3, SimulatedFaults.NONE);
                BlockPipeline pipeline = BlockPipeline.builder().backend(backend).build();
                TestQueue one = new TestQueue(loop, 0, 8);
                TestQueue other = new TestQueue(loop, 1, 8)) {
            pipeline.connect(one.feed(new QueueSource(loop, one)));
            pipeline.connect(other.feed(new QueueSource(loop, other)));
            SimulatedSink sink = backend.sinkOf(loop);
            sink.hold();
            List<TestIo> ios = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                ios.add(one.submit(TestIo.read(i, 512)));
            }
            loop.tickUntilIdle();
            for (int i = 3; i < 6; i++) {
                ios.add(other.submit(TestIo.read(i, 512)));
            }
            loop.tickUntilIdle();
            assertThat(sectors(sink)).containsExactly(0L, 1L, 2L);
            assertThat(other.polls()).as("the second queue does not know that the first one has filled the sink").isEqualTo(3);
            sink.release(sink.held().get(1));
            loop.tickUntilIdle();
            assertThat(sectors(sink)).containsExactly(0L, 2L, 3L);
            sink.release(sink.held().get(0));
            sink.release(sink.held().get(0));
            loop.tickUntilIdle();
            assertThat(sectors(sink)).containsExactly(3L, 4L, 5L);
            sink.releaseAll();
            loop.tickUntilIdle();
            assertThat(ios).allMatch(io -> io.result() == 512);
        }
    }

    /** A sink must not throw; one that does must not keep its guest waiting, nor whoever drains the queue. */
    @Test
    void shouldFailARequestThatTheSinkThrowsAt() {
        try (ManualLoop loop = new ManualLoop();
                SimulatedBackend backend = SimulatedBackend.of(1 << 20, 8, SimulatedFaults.NONE);
                BlockPipeline pipeline = BlockPipeline.builder().backend(new ThrowingBackend(backend)).build();
                TestQueue queue = new TestQueue(loop, 0, 8)) {
            QueueSource source = queue.feed(new QueueSource(loop, queue));
            pipeline.connect(source);
            TestIo before = queue.submit(TestIo.read(ThrowingBackend.BEFORE_TAKING, 512));
            TestIo after = queue.submit(TestIo.read(ThrowingBackend.AFTER_TAKING, 512));
            TestIo good = queue.submit(TestIo.read(0, 512));
            loop.tickUntilIdle();
            assertThat(before.result()).isEqualTo(-Errno.EIO);
            assertThat(after.result()).isEqualTo(-Errno.EIO);
            assertThat(good.result()).isEqualTo(512);
            List<String> drained = new ArrayList<>();
            loop.execute(() -> source.stop(() -> drained.add("drained")));
            loop.tickUntilIdle();
            assertThat(drained).containsExactly("drained");
        }
    }

    /** Throws at two sectors, before and after it has marked the request as submitted. */
    private record ThrowingBackend(BlockBackend backend) implements BlockBackend {
        static final long BEFORE_TAKING = 7;
        static final long AFTER_TAKING = 8;

        @Override
        public String name() {
            return "throwing";
        }

        @Override
        public BlockGeometry geometry() {
            return backend.geometry();
        }

        @Override
        public BlockSink openSink(IoLoop loop) {
            BlockSink sink = backend.openSink(loop);
            return new BlockSink() {
                @Override
                public boolean submit(BlockRequest request) {
                    if (request.sector() == AFTER_TAKING) {
                        request.submitted();
                    }
                    if (request.sector() == AFTER_TAKING || request.sector() == BEFORE_TAKING) {
                        throw new IllegalStateException("thrown by the test");
                    }
                    return sink.submit(request);
                }

                @Override
                public void flush() {
                    sink.flush();
                }

                @Override
                public int capacity() {
                    return sink.capacity();
                }

                @Override
                public int inFlight() {
                    return sink.inFlight();
                }

                @Override
                public void close() {
                    sink.close();
                }
            };
        }

        @Override
        public void close() {
            backend.close();
        }
    }

    @Test
    void shouldGiveWhatBecomesFreeToQueuesInTurns() {
        try (ManualLoop loop = new ManualLoop();
                SimulatedBackend backend = SimulatedBackend.of(1 << 20, 4, SimulatedFaults.NONE);
                BlockPipeline pipeline = BlockPipeline.builder().backend(backend).build();
                TestQueue greedy = new TestQueue(loop, 0, 32);
                TestQueue modest = new TestQueue(loop, 9, 32)) {
            pipeline.connect(greedy.feed(new QueueSource(loop, greedy)));
            pipeline.connect(modest.feed(new QueueSource(loop, modest)));
            SimulatedSink sink = backend.sinkOf(loop);
            sink.hold();
            List<TestIo> many = new ArrayList<>();
            for (int i = 0; i < 40; i++) {
                many.add(greedy.submit(TestIo.read(i, 512)));
            }
            loop.tickUntilIdle();
            List<TestIo> few = new ArrayList<>();
            for (int i = 100; i < 104; i++) {
                few.add(modest.submit(TestIo.read(i, 512)));
            }
            loop.tickUntilIdle();
            int releases = 0;
            while (!few.stream().allMatch(TestIo::completed)) {
                sink.release(sink.held().getFirst());
                loop.tickUntilIdle();
                releases++;
            }
            // Four of the greedy one's are in the sink already; then one of each in turns, and what is taken in last comes out last.
            assertThat(releases).as("requests completed before the modest queue had its four").isLessThanOrEqualTo(4 + 2 * 4);
            sink.releaseAll();
            loop.tickUntilIdle();
            assertThat(many).allMatch(io -> io.result() == 512);
            assertThat(few).allMatch(io -> io.result() == 512);
        }
    }

    @Test
    void shouldServeSaturatedQueuesOfALoopEvenly() {
        int queues = 4;
        try (ManualLoop loop = new ManualLoop();
                SimulatedBackend backend = SimulatedBackend.of(1 << 20, 32, SimulatedFaults.NONE);
                BlockPipeline pipeline = BlockPipeline.builder().backend(backend).build()) {
            List<TestQueue> all = new ArrayList<>();
            List<QueueSource> sources = new ArrayList<>();
            for (int i = 0; i < queues; i++) {
                TestQueue queue = new TestQueue(loop, i, 128);
                QueueSource source = queue.feed(new QueueSource(loop, queue));
                pipeline.connect(source);
                queue.generate(request -> {
                    request.parse(BlockOp.READ, 0, 512);
                    return true;
                });
                all.add(queue);
                sources.add(source);
            }
            for (int tick = 0; tick < 1000; tick++) {
                loop.tick();
            }
            long least = all.stream().mapToLong(TestQueue::completions).min().orElse(0);
            long most = all.stream().mapToLong(TestQueue::completions).max().orElse(0);
            assertThat(least).isPositive();
            assertThat(most).as("answers of the queue that got most").isLessThanOrEqualTo(least + least / 10);
            all.forEach(queue -> queue.generate(request -> false));
            sources.forEach(source -> source.stop(() -> {}));
            loop.tickUntilIdle();
            all.forEach(TestQueue::close);
        }
    }

    private static List<Long> sectors(SimulatedSink sink) {
        return sink.held().stream().map(BlockRequest::sector).toList();
    }

    @Test
    void shouldFlushOnceATick() {
        try (PipelineRig rig = new PipelineRig(builder -> {})) {
            List<TestIo> reads = rig.submitReads(10);
            rig.loop.tick();
            assertThat(rig.sink().submissions()).isEqualTo(10);
            assertThat(rig.sink().flushes()).isEqualTo(1);
            rig.settle();
            assertThat(rig.sink().flushes()).as("nothing more to submit").isEqualTo(1);
            assertThat(reads).allMatch(read -> read.result() == 512);
        }
    }

    @Test
    void shouldCopeWithASinkThatCompletesInsideFlush() {
        try (PipelineRig rig = new PipelineRig(16, 2, SimulatedFaults.NONE,
                builder -> builder.stage((request, chain) -> request.sector() % 3 == 0 ? chain.proceed(request).repeat(1).last() : chain.proceed(request)))) {
            rig.sink().pace(SimulatedSink.Pace.IN_FLUSH);
            List<TestIo> reads = rig.submitReads(100);
            rig.settle();
            assertThat(reads).allMatch(read -> read.result() == 512 && read.completions() == 1);
            assertThat(rig.sink().submissions()).isEqualTo(100 + 34);
        }
    }

    @Test
    void shouldFailWhatComesOrWaitsOnceThePipelineIsClosed() {
        try (PipelineRig rig = new PipelineRig(16, 2, SimulatedFaults.NONE, builder -> builder
                .stage((request, chain) -> chain.proceed(request).flatMap(status -> status.isOk() ? chain.proceed(request) : Mono.just(status))))) {
            rig.sink().hold();
            List<TestIo> reads = rig.submitReads(5);
            rig.settle();
            rig.pipeline.close();
            rig.settle();
            rig.sink().releaseAll();
            rig.settle();
            assertThat(reads).allMatch(read -> read.result() == -Errno.ESHUTDOWN && read.completions() == 1);
            assertThat(rig.sink().released()).isTrue();
            assertThatThrownBy(() -> rig.pipeline.connect(new QueueSource(rig.loop, rig.queue))).hasMessageContaining("closed");
        }
    }

    /** What the loop has yet to do for a request must not hit the next one in the same object. */
    @Test
    void shouldLeaveTheNextLifeOfARefusedRequestAlone() {
        try (ManualLoop loop = new ManualLoop();
                SimulatedBackend backend = SimulatedBackend.of(1 << 20, 4, SimulatedFaults.NONE)) {
            SharedSink sink = new SharedSink(loop, new ThrowingBackend(backend).openSink(loop));
            BareRequest thrownAt = new BareRequest(loop, 0, 0).parse(BlockOp.READ, ThrowingBackend.BEFORE_TAKING);
            sink.submit(thrownAt);
            sink.close();
            BareRequest refused = new BareRequest(loop, 0, 1).parse(BlockOp.FLUSH);
            BareRequest untouched = new BareRequest(loop, 0, 2).parse(BlockOp.FLUSH);
            sink.submit(refused);
            sink.submit(untouched);
            for (BareRequest request : List.of(thrownAt, refused)) {
                request.complete(1);
                request.parse(BlockOp.READ);
                request.submitted();
            }
            loop.tickUntilIdle();
            assertThat(untouched.answered).isEqualTo(-Errno.ESHUTDOWN);
            for (BareRequest request : List.of(thrownAt, refused)) {
                assertThat(request.answers).isOne();
                assertThat(request.state()).isEqualTo(BlockRequest.State.SUBMITTED);
            }
            // Completed, and not released: its stage has it.
            BareRequest kept = new BareRequest(loop, 0, 3).parse(BlockOp.FLUSH);
            kept.listener((request, result) -> {});
            sink.submit(kept);
            kept.complete(7);
            loop.tickUntilIdle();
            assertThat(kept.result()).isEqualTo(7);
            assertThat(loop.takeFailures()).isEmpty();
        }
    }

    @Test
    void shouldPutWhatComesBehindWhatWaitsThoughTheSinkHasRoomAgain() {
        try (ManualLoop loop = new ManualLoop();
                SimulatedBackend backend = SimulatedBackend.of(1 << 20, 1, SimulatedFaults.NONE)) {
            SimulatedSink disk = (SimulatedSink) backend.openSink(loop);
            SharedSink sink = new SharedSink(loop, disk);
            BareRequest first = new BareRequest(loop, 0, 0).parse(BlockOp.FLUSH, 0);
            BareRequest waiting = new BareRequest(loop, 0, 1).parse(BlockOp.FLUSH, 1);
            BareRequest late = new BareRequest(loop, 0, 2).parse(BlockOp.FLUSH, 2);
            disk.hold();
            sink.submit(first);
            sink.submit(waiting);
            loop.tickUntilIdle();
            assertThat(sectors(disk)).containsExactly(0L);
            first.listener((request, result) -> {
                request.release();
                sink.completed();
                // There is room, and the tick in which the one that waits goes in has not ended.
                sink.submit(late);
            });
            disk.release(first);
            loop.tickUntilIdle();
            assertThat(sectors(disk)).containsExactly(1L);
            sink.close();
            disk.releaseAll();
            loop.tickUntilIdle();
            assertThat(waiting.answered).isZero();
            assertThat(late.answered).as("it waited when the sink was closed").isEqualTo(-Errno.ESHUTDOWN);
            assertThat(disk.released()).isTrue();
        }
    }

    @Test
    void shouldLeaveTheNextLifeAloneWhenASinkThrowsBehindTheEndOfTheOneBefore() {
        try (ManualLoop loop = new ManualLoop();
                SimulatedBackend backend = SimulatedBackend.of(1 << 20, 4, SimulatedFaults.NONE);
                CapturedLog log = new CapturedLog()) {
            RecordingBackend throwing = new RecordingBackend(backend);
            SharedSink sink = new SharedSink(loop, throwing.openSink(loop));
            BareRequest reused = new BareRequest(loop, 0, 0) {
                @Override
                protected void completed(int result) {
                    super.completed(result);
                    if (answers == 1) {
                        parse(BlockOp.FLUSH);
                    }
                }
            };
            throwing.instead = request -> {
                if (request == reused) {
                    request.submitted();
                    request.complete(0);
                }
                throw new IllegalStateException("made up");
            };
            sink.submit(reused.parse(BlockOp.FLUSH));
            loop.tickUntilIdle();
            assertThat(reused.state()).isEqualTo(BlockRequest.State.PARSED);
            assertThat(reused.answers).isOne();
            // Completed before the loop comes to it, and not released: its stage has it.
            BareRequest kept = new BareRequest(loop, 0, 1).parse(BlockOp.FLUSH);
            kept.listener((request, result) -> {});
            sink.submit(kept);
            kept.complete(7);
            loop.tickUntilIdle();
            assertThat(kept.result()).isEqualTo(7);
            assertThat(loop.takeFailures()).isEmpty();
            for (int i = 0; i < 40; i++) {
                sink.submit(new BareRequest(loop, 0, 2).parse(BlockOp.FLUSH));
            }
            loop.tickUntilIdle();
            assertThat(log.lines("the sink failed on FLUSH")).hasSizeBetween(1, 20);
        }
    }
}
