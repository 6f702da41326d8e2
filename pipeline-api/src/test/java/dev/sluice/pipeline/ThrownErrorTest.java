package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.testing.TestIo;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;

/** Whatever is thrown wherever the program's code is called: the request that it happened on fails, no other, and nothing is leaked. */
class ThrownErrorTest {
    private static final Scheduler ELSEWHERE = Schedulers.newSingle("thrown-error-test", true);
    private static final int REQUESTS = 12;
    private static final int HIT = 5;

    @AfterAll
    static void disposeScheduler() {
        ELSEWHERE.dispose();
    }

    private static Map<String, Supplier<Throwable>> throwables() {
        Map<String, Supplier<Throwable>> all = new LinkedHashMap<>();
        all.put("IllegalStateException", () -> new IllegalStateException("on purpose"));
        all.put("AssertionError", () -> new AssertionError("on purpose"));
        all.put("NoClassDefFoundError", () -> new NoClassDefFoundError("on/purpose"));
        all.put("StackOverflowError", StackOverflowError::new);
        all.put("OutOfMemoryError", () -> new OutOfMemoryError("on purpose"));
        return all;
    }

    private static <T> T named(Map<String, T> all, String name) {
        return Objects.requireNonNull(all.get(name));
    }

    @SuppressWarnings("unchecked")
    private static <T extends Throwable> RuntimeException sneaky(Throwable thrown) throws T {
        throw (T) thrown;
    }

    /** Throws at one of the requests. */
    private record Thrower(Supplier<Throwable> thrown) {
        <T> T at(BlockRequest request, T otherwise) {
            if (request.sector() == HIT) {
                throw ThrownErrorTest.<RuntimeException>sneaky(thrown.get());
            }
            return otherwise;
        }
    }

    private static Map<String, Function<Thrower, BlockStage>> stages() {
        Map<String, Function<Thrower, BlockStage>> all = new LinkedHashMap<>();
        all.put("interestedIn", thrower -> new BlockStage() {
            @Override
            public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
                return chain.proceed(request);
            }

            @Override
            public boolean interestedIn(BlockRequest request) {
                return thrower.at(request, true);
            }
        });
        all.put("handle", thrower -> (request, chain) -> thrower.at(request, chain.proceed(request)));
        all.put("source on the loop", thrower -> (request, chain) -> Mono.fromCallable(() -> thrower.at(request, 0)).then(chain.proceed(request)));
        all.put("operator behind the sink", thrower -> (request, chain) -> chain.proceed(request).map(status -> thrower.at(request, status)));
        all.put("flatMap behind the sink", thrower -> (request, chain) -> chain.proceed(request).flatMap(status -> thrower.at(request, Mono.just(status))));
        all.put("doFinally", thrower -> (request, chain) -> chain.proceed(request).doOnTerminate(() -> thrower.at(request, 0)));
        all.put("operator before the sink on another thread",
                thrower -> (request, chain) -> Mono.just(request).publishOn(ELSEWHERE).map(seen -> thrower.at(seen, seen)).then(chain.proceed(request)));
        all.put("operator behind the sink on another thread",
                thrower -> (request, chain) -> chain.proceed(request).publishOn(ELSEWHERE).map(status -> thrower.at(request, status)));
        all.put("filter on another thread",
                thrower -> (request, chain) -> chain.proceed(request).publishOn(ELSEWHERE).filter(status -> thrower.at(request, true)));
        all.put("callback that subscribes", thrower -> (request, chain) -> Mono.defer(() -> thrower.at(request, chain.proceed(request))));
        return all;
    }

    static Stream<Arguments> stagesAndThrowables() {
        return stages().keySet().stream().flatMap(stage -> throwables().keySet().stream().map(thrown -> Arguments.of(stage, thrown)));
    }

    @ParameterizedTest(name = "{1} in {0}")
    @MethodSource("stagesAndThrowables")
    void shouldFailOneRequestWhenAStageThrows(String place, String thrown) {
        Thrower thrower = new Thrower(named(throwables(), thrown));
        BlockStage stage = named(stages(), place).apply(thrower);
        failsOne(new PipelineRig(builder -> builder.stage(stage)), -Errno.EIO);
    }

    @ParameterizedTest(name = "{1} in {0}")
    @MethodSource("stagesAndThrowables")
    void shouldFailOneRequestWhenAStageBehindAnotherThrows(String place, String thrown) {
        Thrower thrower = new Thrower(named(throwables(), thrown));
        BlockStage stage = named(stages(), place).apply(thrower);
        BlockStage hop = (request, chain) -> Mono.defer(() -> chain.proceed(request)).subscribeOn(ELSEWHERE);
        BlockStage through = place.equals("source on the loop") || place.equals("callback that subscribes") ? (request, chain) -> chain.proceed(request) : hop;
        failsOne(new PipelineRig(builder -> builder.stage(through).stage(stage)), -Errno.EIO);
    }

    private static Map<String, Function<Thrower, Function<Flux<BlockRequest>, Flux<BlockRequest>>>> operators() {
        Map<String, Function<Thrower, Function<Flux<BlockRequest>, Flux<BlockRequest>>>> all = new LinkedHashMap<>();
        all.put("map", thrower -> flux -> flux.map(request -> thrower.at(request, request)));
        all.put("filter", thrower -> flux -> flux.filter(request -> thrower.at(request, true)));
        all.put("doOnNext", thrower -> flux -> flux.doOnNext(request -> thrower.at(request, request)));
        all.put("handle", thrower -> flux -> flux.handle((request, downstream) -> downstream.next(thrower.at(request, request))));
        all.put("concatMapIterable", thrower -> flux -> flux.concatMapIterable(request -> thrower.at(request, List.of(request)), 1));
        all.put("bare subscriber", thrower -> flux -> flux.doOnEach(signal -> {
            BlockRequest request = signal.get();
            if (request != null) {
                thrower.at(request, request);
            }
        }));
        all.put("map on another thread", thrower -> flux -> flux.publishOn(ELSEWHERE).map(request -> thrower.at(request, request)));
        return all;
    }

    static Stream<Arguments> operatorsAndThrowables() {
        return operators().keySet().stream().flatMap(operator -> throwables().keySet().stream().map(thrown -> Arguments.of(operator, thrown)));
    }

    @ParameterizedTest(name = "{1} in {0}")
    @MethodSource("operatorsAndThrowables")
    void shouldFailTheRequestWhenAnOperatorThrows(String place, String thrown) {
        Thrower thrower = new Thrower(named(throwables(), thrown));
        Function<Flux<BlockRequest>, Flux<BlockRequest>> operator = named(operators(), place).apply(thrower);
        boolean elsewhere = place.endsWith("another thread") && thrown.matches("IllegalState.*|Assertion.*");
        try (PipelineRig rig = new PipelineRig(builder -> builder.operator(operator::apply))) {
            List<TestIo> reads = rig.submitReads(REQUESTS);
            rig.settleUntilAnswered(reads);
            for (TestIo read : reads) {
                // An exception ends the operators: what they hold beside it fails as well.
                assertThat(read.result()).as(read.toString()).isIn(read.sector() == HIT || elsewhere ? List.of(-Errno.ECANCELED, 512) : List.of(512));
            }
            assertThat(reads.get(HIT).result()).isEqualTo(-Errno.ECANCELED);
            TestIo next = rig.submit(TestIo.read(0, 512));
            rig.settleUntilAnswered(List.of(next));
            assertThat(next.result()).isEqualTo(512);
        }
    }

    @ParameterizedTest
    @MethodSource("thrown")
    void shouldEndWhenAnOperatorThrowsAtItsEnd(String thrown) {
        Thrower thrower = new Thrower(named(throwables(), thrown));
        List<TestIo> reads;
        try (PipelineRig rig = new PipelineRig(builder -> builder.operator(flux -> flux.doOnComplete(() -> {
            throw ThrownErrorTest.<RuntimeException>sneaky(thrower.thrown().get());
        })))) {
            reads = rig.submitReads(3);
            rig.settle();
        }
        assertThat(reads).allMatch(TestIo::completed);
    }

    static Stream<String> thrown() {
        return throwables().keySet().stream();
    }

    @ParameterizedTest
    @MethodSource("thrown")
    void shouldAnswerTheGuestWhenAnObserverThrows(String thrown) {
        List<Integer> told = new ArrayList<>();
        PipelineObserver broken = new PipelineObserver() {
            @Override
            public void requestCompleted(int queue, BlockOp op, long bytes, int errno, long waitNanos, long deviceNanos, int flags) {
                fail();
            }

            @Override
            public void taken(int queue, int requests, int inFlight) {
                fail();
            }

            private void fail() {
                told.add(1);
                throw ThrownErrorTest.<RuntimeException>sneaky(named(throwables(), thrown).get());
            }
        };
        try (PipelineRig rig = new PipelineRig(builder -> builder.observer(broken))) {
            List<TestIo> reads = rig.submitReads(REQUESTS);
            rig.settle();
            assertThat(reads).allMatch(read -> read.result() == 512);
            assertThat(told).isNotEmpty();
        }
    }

    private static void failsOne(PipelineRig opened, int errno) {
        try (PipelineRig rig = opened) {
            List<TestIo> reads = rig.submitReads(REQUESTS);
            rig.settleUntilAnswered(reads);
            for (TestIo read : reads) {
                assertThat(read.result()).as(read.toString()).isEqualTo(read.sector() == HIT ? errno : 512);
                assertThat(read.completions()).isEqualTo(1);
            }
            assertThat(rig.queue.inFlight()).isZero();
        }
    }
}
