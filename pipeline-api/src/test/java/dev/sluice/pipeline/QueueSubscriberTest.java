package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.CapturedLog;
import dev.sluice.linux.Errno;
import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.SimulatedBackend;
import dev.sluice.pipeline.testing.TestIo;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.MonoSink;

/** What the end of a queue's Flux logs, and what it makes of operators that end, hold, repeat and fail. */
class QueueSubscriberTest {
    private static final long SECOND = 1_000_000_000L;

    private static PipelineRig rig(UnaryOperator<Flux<BlockRequest>> operator) {
        return new PipelineRig(builder -> builder.diskName("vm1").operator(operator));
    }

    private static int fail(PipelineRig rig, TestIo io, int errno) {
        rig.sink().hold();
        rig.submit(io);
        rig.settle();
        rig.sink().held().forEach(request -> rig.sink().release(request, errno));
        rig.settle();
        rig.sink().releaseAll();
        return io.result();
    }

    @Test
    void shouldLogOneFailureOfTheBackendASecond() {
        try (PipelineRig rig = rig(flux -> flux); CapturedLog log = new CapturedLog()) {
            assertThat(fail(rig, TestIo.read(8, 512), 0)).isEqualTo(512);
            assertThat(fail(rig, TestIo.discard(8, 512), Errno.EOPNOTSUPP)).isEqualTo(-Errno.EOPNOTSUPP);
            assertThat(log.lines()).as("unsupported is no failure").isEmpty();
            for (int i = 0; i < 40; i++) {
                assertThat(fail(rig, TestIo.read(8, 4096), Errno.ENOSPC)).isEqualTo(-Errno.ENOSPC);
            }
            assertThat(log.lines("READ of 4096 bytes at sector 8 failed")).hasSizeBetween(1, 20).first().asString()
                    .endsWith("disk vm1, queue 0: READ of 4096 bytes at sector 8 failed: ENOSPC (no space left on device); the status is IOERR");
        }
    }

    @Test
    void shouldLogNothingWhenAQueueStopsAndOneLineWhenItBreaks() {
        try (CapturedLog log = new CapturedLog()) {
            try (PipelineRig rig = rig(flux -> flux)) {
                assertThat(rig.result(TestIo.read(0, 512))).isEqualTo(512);
            }
            assertThat(log.lines()).isEmpty();
            try (PipelineRig rig = rig(flux -> flux)) {
                rig.queue.breakRing("made up");
                rig.settle();
            }
            assertThat(log.lines()).singleElement().asString().endsWith("queue 0: made up; the queue has ended, others continue");
        }
    }

    /** Operators that end when the test says, and their subscriptions so far. */
    private static final class Ending implements UnaryOperator<Flux<BlockRequest>> {
        final List<MonoSink<Object>> ends = new ArrayList<>();

        @Override
        public Flux<BlockRequest> apply(Flux<BlockRequest> flux) {
            return flux.takeUntilOther(Mono.create(ends::add));
        }

        void end(PipelineRig rig) {
            ends.getLast().success();
            rig.settle();
        }
    }

    @Test
    void shouldFenceOffAQueueOnlyWhenItsOperatorsEndSoonAndWithoutARequest() {
        Ending operators = new Ending();
        try (PipelineRig rig = rig(operators); CapturedLog log = new CapturedLog()) {
            rig.loop.advanceNanos(SECOND);
            rig.settle();
            rig.loop.tick();
            operators.end(rig);
            assertThat(operators.ends).as("a second is not soon").hasSize(2);
            assertThat(log.lines("the operators of the pipeline have ended")).singleElement().asString()
                    .endsWith("disk vm1, queue 0: the operators of the pipeline have ended; what they held fails and the queue continues");
            assertThat(rig.result(TestIo.read(0, 512))).isEqualTo(512);
            operators.end(rig);
            assertThat(operators.ends).as("with a request").hasSize(3);
            assertThat(rig.result(TestIo.read(0, 512))).isEqualTo(512);
            operators.end(rig);
            assertThat(log.lines("quarantined")).isEmpty();
            rig.loop.advanceNanos(SECOND - 1);
            rig.loop.tick();
            operators.end(rig);
            assertThat(log.lines("quarantined")).singleElement().asString()
                    .endsWith("disk vm1, queue 0: the operators end without having seen a request; the queue is quarantined, all its requests fail");
            assertThat(operators.ends).as("they are not asked again").hasSize(4);
            assertThat(rig.result(TestIo.read(0, 512))).isEqualTo(-Errno.EIO);
        }
    }

    @Test
    void shouldCancelOperatorsThatHoldRequestsAtTheDrainLimit() {
        AtomicInteger cancelled = new AtomicInteger();
        try (PipelineRig rig = rig(flux -> flux.doOnCancel(cancelled::incrementAndGet).<BlockRequest>concatMap(request -> Mono.never()))) {
            TestIo read = rig.submit(TestIo.read(0, 512));
            rig.settle();
            rig.source.stop(() -> {});
            rig.loop.advanceNanos(30 * SECOND);
            rig.settle();
            assertThat(read.result()).isEqualTo(-Errno.ECANCELED);
        }
        try (PipelineRig rig = rig(flux -> flux.doOnCancel(cancelled::incrementAndGet).concatWith(Mono.never()).mergeWith(Mono.never()))) {
            cancelled.set(0);
            rig.source.stop(() -> {});
            rig.settle();
            assertThat(cancelled).as("stopped, and nothing of it in the operators").hasValue(0);
        }
    }

    @Test
    void shouldFenceOffAQueueWhoseOperatorsCannotBeAssembled() {
        try (PipelineRig rig = rig(flux -> {
            throw new IllegalStateException("on purpose");
        }); CapturedLog log = new CapturedLog()) {
            assertThat(rig.result(TestIo.read(0, 512))).isEqualTo(-Errno.EIO);
            assertThat(log.lines("have ended")).as("it was logged when the queue was connected").isEmpty();
        }
    }

    @Test
    void shouldLogOneASecondOfOperatorsThatEndAgainAndAgain() {
        try (PipelineRig rig = rig(flux -> flux.take(1)); CapturedLog log = new CapturedLog()) {
            List<TestIo> reads = rig.submitReads(40);
            rig.settle();
            assertThat(reads).allMatch(read -> read.result() == 512);
            assertThat(log.lines("have ended")).hasSizeBetween(1, 20);
        }
    }

    @Test
    void shouldLogOneASecondOfAStageThatThrowsWhenAsked() {
        BlockStage undecided = new BlockStage() {
            @Override
            public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
                return chain.proceed(request);
            }

            @Override
            public boolean interestedIn(BlockRequest request) {
                throw new IllegalStateException("on purpose");
            }
        };
        try (PipelineRig rig = new PipelineRig(builder -> builder.stage(undecided)); CapturedLog log = new CapturedLog()) {
            List<TestIo> reads = rig.submitReads(40);
            rig.settle();
            assertThat(reads).allMatch(read -> read.result() == -Errno.EIO);
            assertThat(log.lines("a stage failed when asked whether it is interested in READ at sector")).hasSizeBetween(1, 20);
        }
    }

    /** Operators that break the rules: whatever comes, and twice if the test likes. */
    private static UnaryOperator<Flux<BlockRequest>> unruly(List<CoreSubscriber<? super BlockRequest>> downstreams, AtomicInteger cancels) {
        return flux -> new Flux<>() {
            @Override
            public void subscribe(CoreSubscriber<? super BlockRequest> actual) {
                downstreams.add(actual);
                flux.subscribe(new CoreSubscriber<>() {
                    @Override
                    public void onSubscribe(Subscription upstream) {
                        actual.onSubscribe(new Subscription() {
                            @Override
                            public void request(long n) {
                                upstream.request(n);
                            }

                            @Override
                            public void cancel() {
                                cancels.incrementAndGet();
                                upstream.cancel();
                                throw new IllegalStateException("cancelled, and thrown on purpose");
                            }
                        });
                    }

                    @Override
                    public void onNext(BlockRequest request) {
                        actual.onNext(request);
                    }

                    @Override
                    public void onError(Throwable failure) {}

                    @Override
                    public void onComplete() {}
                });
            }
        };
    }

    @Test
    void shouldTakeTheFirstEndOfOperatorsAndNoOther() {
        List<CoreSubscriber<? super BlockRequest>> downstreams = new ArrayList<>();
        try (PipelineRig rig = rig(unruly(downstreams, new AtomicInteger())); CapturedLog log = new CapturedLog()) {
            assertThat(rig.result(TestIo.read(0, 512))).isEqualTo(512);
            downstreams.getFirst().onError(new IllegalStateException("made up"));
            downstreams.getFirst().onComplete();
            rig.settle();
            assertThat(downstreams).as("one more subscription").hasSize(2);
            assertThat(log.lines("have ended")).hasSize(1);
            assertThat(rig.result(TestIo.read(1, 512))).isEqualTo(512);
        }
    }

    @Test
    void shouldLogOneASecondOfWhatComesLateOrTwiceAndServeTheRest() {
        List<CoreSubscriber<? super BlockRequest>> downstreams = new ArrayList<>();
        try (PipelineRig rig = rig(unruly(downstreams, new AtomicInteger())); CapturedLog log = new CapturedLog()) {
            rig.sink().hold();
            TestIo read = rig.submit(TestIo.read(0, 512));
            rig.settle();
            BlockRequest out = rig.queue.request(0);
            for (int i = 0; i < 40; i++) {
                downstreams.getFirst().onNext(out);
            }
            assertThat(log.lines("passed a request on that has ended or was passed on before: READ sector 0")).hasSizeBetween(1, 20);
            assertThat(rig.sink().submissions()).isEqualTo(1);
            rig.sink().releaseAll();
            rig.settle();
            assertThat(read.result()).isEqualTo(512);
        }
        downstreams.clear();
        try (PipelineRig rig = rig(unruly(downstreams, new AtomicInteger())); CapturedLog log = new CapturedLog()) {
            assertThat(rig.result(TestIo.read(0, 512))).isEqualTo(512);
            rig.source.stop(() -> {});
            downstreams.getFirst().onComplete();
            rig.settle();
            for (int i = 0; i < 40; i++) {
                downstreams.getFirst().onNext(rig.queue.request(0));
            }
            assertThat(log.lines("passed a request on after their end")).hasSizeBetween(1, 20);
        }
    }

    @Test
    void shouldGiveUpOperatorsThatFailOnSomethingThatIsNoRequest() {
        AtomicInteger batches = new AtomicInteger();
        AtomicInteger cancelled = new AtomicInteger();
        try (PipelineRig rig = rig(flux -> flux.doOnCancel(cancelled::incrementAndGet).buffer(2).map(batch -> {
            if (batches.incrementAndGet() == 2) {
                throw new NoClassDefFoundError("on purpose");
            }
            return batch;
        }).flatMapIterable(batch -> batch)); CapturedLog log = new CapturedLog()) {
            List<TestIo> reads = rig.submitReads(6);
            rig.settle();
            assertThat(reads.subList(0, 2)).allMatch(read -> read.result() == 512);
            assertThat(reads.subList(2, 4)).allMatch(read -> read.result() == -Errno.ECANCELED);
            assertThat(log.lines("have ended")).hasSize(1);
            assertThat(log.lines("NoClassDefFoundError: on purpose")).isNotEmpty();
            assertThat(log.lines("ClassCastException")).isEmpty();
            assertThat(cancelled).as("they let go of the queue").hasValue(1);
            rig.submitReads(2);
            rig.settle();
        }
    }

    @Test
    void shouldLogAnErrorOfTheJvmInAnOperatorAndFailThatRequest() {
        try (PipelineRig rig = rig(flux -> flux.map(request -> {
            if (request.sector() % 2 == 1) {
                throw new NoClassDefFoundError("on purpose");
            }
            return request;
        })); CapturedLog log = new CapturedLog()) {
            List<TestIo> reads = rig.submitReads(60);
            rig.settle();
            assertThat(reads).allMatch(read -> read.result() == (read.sector() % 2 == 1 ? -Errno.ECANCELED : 512));
            assertThat(log.lines("an operator of the pipeline failed on a request, which fails")).hasSizeBetween(1, 15);
            assertThat(rig.seen).as("the observer hears of those that operators have lost").hasSize(60);
        }
    }

    @Test
    void shouldGoOnWhenOperatorsThrowAtTheirCancellation() {
        List<CoreSubscriber<? super BlockRequest>> downstreams = new ArrayList<>();
        AtomicInteger cancels = new AtomicInteger();
        AtomicInteger seen = new AtomicInteger();
        try (PipelineRig rig = rig(flux -> unruly(downstreams, cancels).apply(thrower(flux, seen))); CapturedLog log = new CapturedLog()) {
            List<TestIo> reads = rig.submitReads(3);
            rig.settle();
            assertThat(reads).allMatch(TestIo::completed);
            assertThat(reads.getFirst().result()).isEqualTo(-Errno.ECANCELED);
            assertThat(cancels).hasValue(1);
            assertThat(log.lines("an operator of the pipeline failed when it was cancelled")).hasSize(1);
            assertThat(rig.result(TestIo.read(9, 512))).isEqualTo(512);
        }
    }

    /** Throws an error of the JVM up the stack at its first request. */
    private static Flux<BlockRequest> thrower(Flux<BlockRequest> flux, AtomicInteger seen) {
        return new Flux<>() {
            @Override
            public void subscribe(CoreSubscriber<? super BlockRequest> actual) {
                flux.subscribe(new CoreSubscriber<>() {
                    @Override
                    public void onSubscribe(Subscription upstream) {
                        actual.onSubscribe(upstream);
                    }

                    @Override
                    public void onNext(BlockRequest request) {
                        if (seen.incrementAndGet() == 1) {
                            throw new StackOverflowError("on purpose");
                        }
                        actual.onNext(request);
                    }

                    @Override
                    public void onError(Throwable failure) {
                        actual.onError(failure);
                    }

                    @Override
                    public void onComplete() {
                        actual.onComplete();
                    }
                });
            }
        };
    }

    @Test
    void shouldCutItsDrainShortOnItsLoopOnly() throws InterruptedException {
        try (ManualLoop loop = new ManualLoop(); SimulatedBackend backend = SimulatedBackend.ofSize(1 << 20)) {
            QueueSource source = new QueueSource(loop, new OneRequestQueue(loop));
            BlockPipeline pipeline = BlockPipeline.builder().backend(backend).diskName("vm1").build();
            QueueSubscriber subscriber = new QueueSubscriber(source, new SharedSink(loop, backend.openSink(loop)), pipeline);
            assertThat(subscriber).hasToString("disk vm1, queue 0");
            assertThat(subscriber.loop()).isSameAs(loop);
            BlockRequestTest.onAnotherThread(() -> assertThatThrownBy(subscriber::cutDrainShort).hasMessageContaining("must run on"));
            subscriber.cutDrainShort();
        }
    }
}
