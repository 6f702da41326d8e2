package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.PipelineRig.Seen;
import dev.sluice.pipeline.testing.Patience;
import dev.sluice.pipeline.testing.SimulatedFaults;
import dev.sluice.pipeline.testing.TestIo;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Mono;
import reactor.core.publisher.MonoSink;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;

class BlockStageTest {
    private static final Scheduler ELSEWHERE = Schedulers.newParallel("stage-test", 2, true);

    @AfterAll
    static void disposeScheduler() {
        ELSEWHERE.dispose();
    }

    private static PipelineRig rig(BlockStage... stages) {
        return new PipelineRig(builder -> Arrays.stream(stages).forEach(builder::stage));
    }

    /** A stage that sees only requests of some sectors. */
    private record Picky(long modulus, long rest, BlockStage inner) implements BlockStage {
        @Override
        public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
            return inner.handle(request, chain);
        }

        @Override
        public boolean interestedIn(BlockRequest request) {
            return request.sector() % modulus == rest;
        }
    }

    @Test
    void shouldBypassTheStagesRequestByRequest() {
        List<Long> handled = new ArrayList<>();
        BlockStage records = (request, chain) -> {
            handled.add(request.sector());
            return chain.proceed(request);
        };
        try (PipelineRig rig = rig(new Picky(2, 1, records), new Picky(3, 0, records))) {
            List<TestIo> reads = rig.submitReads(7);
            rig.settle();
            assertThat(reads).allMatch(read -> read.result() == 512);
            assertThat(handled).as("3 is seen by both").containsExactly(0L, 1L, 3L, 3L, 5L, 6L);
            assertThat(rig.seen.stream().filter(seen -> seen.flags() == PipelineObserver.BYPASSED)).hasSize(2);
            assertThat(rig.seen).hasSize(7);
        }
    }

    @Test
    void shouldRunStagesInTheirOrderThereAndBack() {
        List<String> order = new ArrayList<>();
        BlockStage outer = (request, chain) -> {
            order.add("outer");
            return chain.proceed(request).doOnNext(status -> order.add("outer " + status));
        };
        BlockStage inner = (request, chain) -> {
            order.add("inner");
            return chain.proceed(request).doOnNext(status -> order.add("inner " + status));
        };
        try (PipelineRig rig = rig(outer, inner)) {
            assertThat(rig.result(TestIo.read(0, 512))).isEqualTo(512);
            assertThat(order).containsExactly("outer", "inner", "inner OK", "outer OK");
            assertThat(rig.pipeline.toString()).contains("->", "simulated");
        }
    }

    @Test
    void shouldLetAStageAnswerItself() {
        try (PipelineRig rig = rig((request, chain) -> Mono.just(request.sector() == 0 ? BlockResult.OK : BlockResult.failed(Errno.EOPNOTSUPP)))) {
            assertThat(rig.result(TestIo.read(0, 1024))).as("an answered read has moved its bytes").isEqualTo(1024);
            assertThat(rig.result(TestIo.read(1, 512))).isEqualTo(-Errno.EOPNOTSUPP);
            assertThat(rig.result(TestIo.flush())).isZero();
            assertThat(rig.sink().submissions()).isZero();
            assertThat(rig.seen).extracting(Seen::errno).containsExactly(0, Errno.EOPNOTSUPP, 0);
        }
    }

    @Test
    void shouldKeepTheErrnoOfTheSinkWhereTheStageAgrees() {
        try (PipelineRig rig = rig((request, chain) -> chain.proceed(request))) {
            rig.sink().hold();
            TestIo read = rig.submit(TestIo.read(0, 512));
            rig.settle();
            rig.sink().release(rig.sink().held().getFirst(), Errno.ENOSPC);
            rig.settle();
            assertThat(read.result()).isEqualTo(-Errno.ENOSPC);
        }
    }

    @Test
    void shouldAnswerWhatTheStageMadeOfTheSinksStatus() {
        try (PipelineRig rig = new PipelineRig(8, 8, SimulatedFaults.allFail(), builder -> builder.stage((request, chain) -> chain.proceed(request)
                .map(result -> result.errno() == Errno.EIO ? BlockResult.OK : BlockResult.failed(Errno.EOPNOTSUPP))))) {
            assertThat(rig.result(TestIo.write(0, new byte[512]))).isEqualTo(512);
        }
    }

    @Test
    void shouldServeStagesThatWorkOnAnotherThread() {
        BlockStage before = (request, chain) -> Mono.fromRunnable(() -> {
            for (int i = 0; i < request.iovecCount(); i++) {
                byte[] first = new byte[1];
                request.copyDataTo(0, first, 0, 1);
                assertThat(first[0]).isEqualTo((byte) request.sector());
            }
        }).subscribeOn(ELSEWHERE).then(chain.proceed(request));
        BlockStage after = (request, chain) -> chain.proceed(request).publishOn(ELSEWHERE).map(status -> status);
        try (PipelineRig rig = rig(before, after)) {
            List<TestIo> writes = new ArrayList<>();
            for (int i = 0; i < 200; i++) {
                byte[] data = new byte[512];
                Arrays.fill(data, (byte) i);
                writes.add(rig.submit(TestIo.write(i, data)));
            }
            rig.settleUntilAnswered(writes);
            assertThat(writes).allMatch(write -> write.result() == 512 && write.completions() == 1);
            for (int i = 0; i < 200; i++) {
                assertThat(rig.backend.visible().get(ValueLayout.JAVA_BYTE, 512L * i)).isEqualTo((byte) i);
            }
        }
    }

    @Test
    void shouldLetAStageChangeWhatWasReadAndNotWhatIsWritten() {
        BlockStage inPlace = (request, chain) -> chain.proceed(request).map(status -> {
            byte[] nines = new byte[(int) request.dataBytes()];
            Arrays.fill(nines, (byte) 9);
            request.copyDataFrom(0, nines, 0, nines.length);
            return status;
        });
        try (PipelineRig rig = rig(inPlace)) {
            TestIo read = rig.submit(TestIo.read(0, 512));
            rig.settle();
            assertThat(read.data()).containsOnly((byte) 9);
            TestIo write = rig.submit(TestIo.write(0, new byte[512]));
            rig.settle();
            assertThat(write.result()).as("the pages are the guest's page cache").isEqualTo(-Errno.EIO);
            assertThat(rig.backend.visible().asSlice(0, 512).toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
        }
    }

    @Test
    void shouldShowOperatorsTheDataOfAWriteReadOnly() {
        List<Boolean> readOnly = new ArrayList<>();
        try (PipelineRig rig = new PipelineRig(builder -> builder.operator(flux -> flux.doOnNext(request -> readOnly.add(refusesToBeWritten(request)))))) {
            rig.submit(TestIo.write(0, new byte[512]));
            rig.submit(TestIo.read(0, 512));
            rig.settle();
            assertThat(readOnly).containsExactly(true, false);
        }
    }

    private static boolean refusesToBeWritten(BlockRequest request) {
        try {
            request.copyDataFrom(0, new byte[1], 0, 1);
            return false;
        } catch (UnsupportedOperationException refused) {
            return true;
        }
    }

    @Test
    void shouldSendARequestDownAgainWhenAStageRetries() {
        AtomicInteger attempts = new AtomicInteger();
        BlockStage retrying = (request, chain) -> Mono.defer(() -> {
            attempts.incrementAndGet();
            return chain.proceed(request);
        })
                .flatMap(status -> status.isOk() ? Mono.just(status) : Mono.error(new IllegalStateException("try again")))
                .retry(100);
        try (PipelineRig rig = new PipelineRig(8, 8, new SimulatedFaults(1, 70, 0, 0, 1, false), builder -> builder.stage(retrying))) {
            List<TestIo> reads = rig.submitReads(20);
            rig.settle();
            assertThat(reads).allMatch(read -> read.result() == 512);
            assertThat(attempts.get()).isGreaterThan(20);
            assertThat(rig.sink().submissions()).isEqualTo(attempts.get());
        }
    }

    @Test
    void shouldSendARequestDownAgainWhenAStageRepeatsTheSameMono() {
        try (PipelineRig rig = rig((request, chain) -> chain.proceed(request).repeat(2).last())) {
            assertThat(rig.result(TestIo.read(0, 512))).isEqualTo(512);
            assertThat(rig.sink().submissions()).isEqualTo(3);
        }
    }

    @Test
    void shouldAnswerOnlyWhenTheSinkHasLetGoWhereAStageGaveUp() {
        MonoSink<?>[] alarm = new MonoSink<?>[1];
        BlockStage impatient = (request, chain) -> chain.proceed(request)
                .timeout(Mono.create(downstream -> alarm[0] = downstream), Mono.just(BlockResult.failed(Errno.EIO)));
        try (PipelineRig rig = rig(impatient)) {
            rig.sink().hold();
            TestIo write = rig.submit(TestIo.write(0, new byte[512]));
            rig.settle();
            alarm[0].success();
            rig.settle();
            assertThat(write.completed()).as("the kernel still reads the guest's buffer").isFalse();
            rig.sink().releaseAll();
            rig.settle();
            assertThat(write.result()).isEqualTo(-Errno.EIO);
            assertThat(write.completions()).isEqualTo(1);
        }
    }

    @Test
    void shouldTryAgainOnlyWhenTheCancelledAttemptHasComeBack() {
        List<MonoSink<?>> alarms = new ArrayList<>();
        BlockStage impatient = (request, chain) -> Mono.defer(() -> chain.proceed(request)
                .timeout(Mono.create(alarms::add), Mono.error(new IllegalStateException("too late"))))
                .retry(1);
        try (PipelineRig rig = rig(impatient)) {
            rig.sink().hold();
            TestIo read = rig.submit(TestIo.read(0, 512));
            rig.settle();
            alarms.getFirst().success();
            rig.settle();
            assertThat(rig.sink().submissions()).isEqualTo(1);
            rig.sink().release(rig.sink().held().getFirst(), Errno.EIO);
            rig.settle();
            assertThat(rig.sink().submissions()).isEqualTo(2);
            assertThat(read.completed()).isFalse();
            rig.sink().releaseAll();
            rig.settle();
            assertThat(read.result()).as("of the second attempt").isEqualTo(512);
        }
    }

    @Test
    void shouldNotSubmitAnAttemptThatWasCancelledOnItsWayToTheLoop() throws InterruptedException {
        CountDownLatch cancelled = new CountDownLatch(1);
        BlockStage hasty = (request, chain) -> Mono.defer(() -> {
            chain.proceed(request).subscribe().dispose();
            cancelled.countDown();
            return Mono.just(BlockResult.failed(Errno.EOPNOTSUPP));
        }).subscribeOn(ELSEWHERE);
        try (PipelineRig rig = rig(hasty)) {
            List<TestIo> reads = List.of(rig.submit(TestIo.read(0, 512)));
            // One tick hands the request to the stage; the loop stands still until the stage has changed its mind.
            rig.loop.tick();
            assertThat(cancelled.await(Patience.seconds(30), TimeUnit.SECONDS)).isTrue();
            rig.settleUntilAnswered(reads);
            assertThat(reads.getFirst().status()).isEqualTo(BlockStatus.UNSUPP);
            assertThat(rig.sink().submissions()).isZero();
        }
    }

    @Test
    void shouldTellWaitAndDeviceTimeApart() {
        MonoSink<?>[] go = new MonoSink<?>[1];
        try (PipelineRig rig = rig((request, chain) -> Mono.create(downstream -> go[0] = downstream).then(chain.proceed(request)))) {
            rig.submit(TestIo.read(0, 512));
            rig.settle();
            rig.loop.advanceNanos(300);
            rig.loop.execute(() -> go[0].success());
            rig.sink().hold();
            rig.settle();
            rig.loop.advanceNanos(7000);
            rig.sink().releaseAll();
            rig.settle();
            assertThat(rig.seen).containsExactly(new Seen(0, BlockOp.READ, 512, 0, 300, 7000, 0));
        }
    }
}
