package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.CapturedLog;
import dev.sluice.linux.Errno;
import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.MirrorStage;
import dev.sluice.pipeline.testing.SimulatedBackend;
import dev.sluice.pipeline.testing.SimulatedFaults;
import dev.sluice.pipeline.testing.TestIo;
import dev.sluice.pipeline.testing.TestQueue;
import dev.sluice.pipeline.testing.XorStage;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** Requests of a stage's own: what they may do, how long a buffer stays theirs, and what is left at the end. */
class SubRequestTest {
    private static final byte KEY = 0x5C;
    private static final int HEADER = 4096;
    private static final long SECOND = 1_000_000_000L;

    private final List<String> seen = new ArrayList<>();

    private static PipelineRig rig(BlockStage... stages) {
        return new PipelineRig(builder -> List.of(stages).forEach(builder::stage));
    }

    static byte[] bytes(int length, int seed) {
        byte[] made = new byte[length];
        new SplittableRandom(seed).nextBytes(made);
        return made;
    }

    private static byte[] image(PipelineRig rig, long offset, int length) {
        return rig.backend.visible().asSlice(offset, length).toArray(ValueLayout.JAVA_BYTE);
    }

    private static byte[] changed(byte[] data) {
        byte[] made = data.clone();
        for (int i = 0; i < made.length; i++) {
            made[i] ^= KEY;
        }
        return made;
    }

    /** Buffers that have not come back, of all stages. */
    static int buffersInUse(PipelineRig rig) {
        return Arrays.stream(rig.pipeline.disk().on(rig.loop, rig.pipeline.sink(rig.loop)).buffers()).mapToInt(StageBuffers::inUse).sum();
    }

    @Test
    void shouldPassOnOwnBuffersAndLeaveTheGuestsMemoryAlone() {
        byte[] data = bytes(12 * 1024, 1);
        BlockStage spy = (request, chain) -> chain.proceed(request).doOnNext(result -> {
            byte[] now = new byte[(int) request.dataBytes()];
            request.copyDataTo(0, now, 0, now.length);
            seen.add(request.op() + " " + Arrays.equals(now, data));
        });
        try (PipelineRig rig = rig(spy, new XorStage(HEADER, KEY))) {
            assertThat(rig.result(TestIo.write(8, data))).isEqualTo(data.length);
            assertThat(image(rig, HEADER + 8 * 512, data.length)).isEqualTo(changed(data));
            TestIo read = rig.submit(TestIo.read(8, data.length));
            rig.settle();
            assertThat(read.result()).isEqualTo(data.length);
            assertThat(read.data()).isEqualTo(data);
            assertThat(seen).containsExactly("WRITE true", "READ true");
            assertThat(rig.result(TestIo.discard(8, 4096))).isZero();
            assertThat(rig.result(TestIo.flush())).isZero();
            assertThat(buffersInUse(rig)).isZero();
        }
    }

    @Test
    void shouldWriteTwiceWithOneBufferAndReadWhatIsLeft() {
        MirrorStage mirror = new MirrorStage();
        byte[] data = bytes(4096, 2);
        try (PipelineRig rig = rig(mirror)) {
            assertThat(rig.pipeline.geometry().sizeBytes()).isEqualTo(mirror.half());
            assertThat(rig.result(TestIo.write(16, data).asDurable())).isEqualTo(4096);
            assertThat(image(rig, 8192, 4096)).isEqualTo(data);
            assertThat(image(rig, mirror.half() + 8192, 4096)).isEqualTo(data);
            assertThat(rig.backend.durable().asSlice(mirror.half() + 8192, 4096).toArray(ValueLayout.JAVA_BYTE)).as("durable as the request is")
                    .isEqualTo(data);
            rig.sink().hold();
            TestIo read = rig.submit(TestIo.read(16, 4096));
            rig.settle();
            rig.sink().release(rig.sink().held().getFirst(), Errno.EIO);
            rig.settle();
            assertThat(rig.sink().held()).singleElement().extracting(BlockRequest::offsetBytes).isEqualTo(mirror.half() + 8192);
            rig.sink().releaseAll();
            rig.settle();
            assertThat(read.data()).isEqualTo(data);
            long submissions = rig.sink().submissions();
            assertThat(rig.result(TestIo.flush())).isZero();
            assertThat(rig.sink().submissions() - submissions).as("one for each half").isEqualTo(2);
        }
    }

    @Test
    void shouldKeepTheErrnoOfASubRequest() {
        try (PipelineRig rig = rig(new XorStage(HEADER, KEY)); CapturedLog log = new CapturedLog()) {
            rig.sink().hold();
            TestIo write = rig.submit(TestIo.write(0, new byte[512]));
            rig.settle();
            rig.sink().release(rig.sink().held().getFirst(), Errno.ENOSPC);
            rig.settle();
            assertThat(write.result()).isEqualTo(-Errno.ENOSPC);
            assertThat(log.lines("WRITE of 512 bytes at sector 0 failed: ENOSPC")).hasSize(1);
        }
    }

    @Test
    void shouldSendSubRequestsThroughTheStagesBelow() {
        MirrorStage mirror = new MirrorStage();
        byte[] data = bytes(1024, 3);
        try (PipelineRig rig = rig(new XorStage(HEADER, KEY), mirror)) {
            assertThat(rig.result(TestIo.write(2, data))).isEqualTo(1024);
            assertThat(image(rig, HEADER + 1024, 1024)).isEqualTo(changed(data));
            assertThat(image(rig, mirror.half() + HEADER + 1024, 1024)).isEqualTo(changed(data));
            TestIo read = rig.submit(TestIo.read(2, 1024));
            rig.settle();
            assertThat(read.data()).isEqualTo(data);
            assertThat(buffersInUse(rig)).isZero();
        }
    }

    @Test
    void shouldProcessRequestsLargerThanABufferPieceByPiece() {
        int length = StageBuffer.MAX_BYTES + 1024;
        byte[] data = bytes(length, 4);
        try (ManualLoop loop = new ManualLoop();
                SimulatedBackend backend = SimulatedBackend.ofSize(4 << 20);
                TestQueue queue = new TestQueue(loop, 0, 2, length, 4096)) {
            BlockPipeline pipeline = BlockPipeline.builder().backend(backend).stage(new XorStage(HEADER, KEY)).build();
            QueueSource source = queue.feed(new QueueSource(loop, queue));
            pipeline.connect(source);
            TestIo write = queue.submit(TestIo.write(0, data));
            loop.tickUntilIdle();
            TestIo read = queue.submit(TestIo.read(0, length));
            loop.tickUntilIdle();
            assertThat(write.result()).isEqualTo(length);
            assertThat(read.data()).isEqualTo(data);
            assertThat(backend.sinkOf(loop).submissions()).isEqualTo(4);
            source.stop(() -> {});
            pipeline.close();
            loop.tickUntilIdle();
        }
    }

    // ---- bounds

    @Test
    void shouldMakeSubRequestsAndBuffersWaitInOrderWhenThereAreNoMore() {
        int many = 100;
        List<Long> completed = new ArrayList<>();
        BlockStage stage = (request, chain) -> chain.useBuffer(64 * 1024, buffer -> Flux.range(0, many)
                .flatMap(i -> chain.write(512L * i, buffer, 512L * i, 512).doOnNext(result -> completed.add((long) i)), many)
                .reduce(BlockResult::and));
        // 8 slots, so 16 sub-requests of a stage; 2 in the sink.
        try (PipelineRig rig = new PipelineRig(8, 2, SimulatedFaults.NONE, builder -> builder.stage(stage))) {
            List<TestIo> writes = IntStream.range(0, 40).mapToObj(i -> rig.submit(TestIo.write(i, new byte[512]))).toList();
            rig.settle();
            assertThat(writes).allMatch(write -> write.result() == 512);
            assertThat(completed).hasSize(40 * many);
            assertThat(completed.subList(0, many)).as("of the first request, in order").isSorted();
            assertThat(buffersInUse(rig)).isZero();
        }
    }

    @Test
    void shouldMakeUsesOfLargeBuffersWaitAndNeverDeadlock() {
        BlockStage stage = (request, chain) -> chain.useBuffer(StageBuffer.MAX_BYTES, buffer -> chain.write(0, buffer, 0, 512));
        try (PipelineRig rig = new PipelineRig(64, 64, SimulatedFaults.NONE, builder -> builder.stage(stage).stage(stage))) {
            rig.sink().hold();
            List<TestIo> writes = IntStream.range(0, 64).mapToObj(i -> rig.submit(TestIo.write(i, new byte[512]))).toList();
            rig.settle();
            assertThat(rig.sink().inFlight()).isEqualTo(StageBuffers.LARGE_COUNT);
            assertThat(buffersInUse(rig)).isEqualTo(2 * StageBuffers.LARGE_COUNT);
            rig.sink().releaseAll();
            rig.settle();
            assertThat(writes).allMatch(write -> write.result() == 512);
            assertThat(buffersInUse(rig)).isZero();
        }
    }

    @Test
    void shouldRefuseWhatAStageMustNotAsk() {
        BlockStage stage = (request, chain) -> chain.useBuffer(1024, buffer -> Flux.<Mono<?>>just(
                chain.read(1 << 20, buffer, 0, 512),
                chain.read(-512, buffer, 0, 512),
                chain.read(100, buffer, 0, 512),
                chain.read(0, buffer, 1024, 512),
                chain.read(0, buffer, 0, 700),
                chain.useBuffer(512, second -> chain.flush()),
                chain.discard((1 << 20) - 512, 1024))
                .concatMap(mono -> mono.map(Object::toString).onErrorResume(failure -> Mono.just(failure.getClass().getSimpleName())))
                .doOnNext(seen::add)
                .then(Mono.just(BlockResult.OK)));
        try (PipelineRig rig = rig(stage, (request, chain) -> chain.useBuffer(StageBuffer.MAX_BYTES + 1, buffer -> chain.flush()));
                CapturedLog log = new CapturedLog()) {
            assertThat(rig.result(TestIo.read(0, 512))).isEqualTo(512);
            assertThat(seen).containsExactly("IllegalArgumentException", "IllegalArgumentException", "IllegalArgumentException", "IndexOutOfBoundsException",
                    "IllegalArgumentException", "IllegalStateException", "IllegalArgumentException");
            assertThat(rig.sink().submissions()).isZero();
            assertThat(log.lines()).isEmpty();
        }
        try (PipelineRig rig = rig((request, chain) -> chain.useBuffer(StageBuffer.MAX_BYTES + 1, buffer -> chain.flush()))) {
            assertThat(rig.result(TestIo.read(0, 512))).isEqualTo(-Errno.EIO);
        }
    }

    @Test
    void shouldFindTheBufferGoneWhenItsUseHasEnded() {
        List<StageBuffer> kept = new ArrayList<>();
        BlockStage stage = (request, chain) -> chain.useBuffer(512, buffer -> {
            kept.add(buffer);
            return chain.read(0, buffer, 0, 512);
        })
                .then(Mono.defer(() -> chain.read(0, kept.getFirst(), 0, 512)).onErrorResume(failure -> {
                    seen.add(failure.getClass().getSimpleName());
                    return Mono.just(BlockResult.OK);
                }));
        try (PipelineRig rig = rig(stage)) {
            assertThat(rig.result(TestIo.read(0, 512))).isEqualTo(512);
            assertThat(seen).containsExactly("IllegalStateException");
            assertThatThrownBy(() -> kept.getFirst().access(memory -> seen.add("reached")))
                    .isInstanceOf(IllegalStateException.class).hasMessageContaining("has ended");
            assertThat(seen).hasSize(1);
        }
    }

    // ---- cancellation

    @Test
    void shouldKeepABufferUntilTheKernelIsDoneThoughItsUseWasCancelled() {
        List<Disposable> uses = new ArrayList<>();
        List<Long> addresses = new ArrayList<>();
        BlockStage stage = (request, chain) -> {
            uses.add(chain.useBuffer(512, buffer -> {
                buffer.access(memory -> addresses.add(memory.address()));
                return chain.read(0, buffer, 0, 512);
            }).subscribe(result -> seen.add("result " + result), failure -> seen.add("failure " + failure)));
            return Mono.just(BlockResult.OK);
        };
        try (PipelineRig rig = rig(stage)) {
            rig.sink().hold();
            TestIo first = rig.submit(TestIo.read(0, 512));
            rig.settle();
            uses.getFirst().dispose();
            rig.settle();
            assertThat(buffersInUse(rig)).as("the kernel writes to it").isEqualTo(1);
            assertThat(first.completed()).as("its sub-request is in flight").isFalse();
            TestIo second = rig.submit(TestIo.read(1, 512));
            rig.settle();
            assertThat(addresses).hasSize(2).doesNotHaveDuplicates();
            rig.sink().releaseAll();
            rig.settle();
            assertThat(first.result()).isEqualTo(512);
            assertThat(second.result()).isEqualTo(512);
            assertThat(seen).as("of the second alone").containsExactly("result OK");
            assertThat(buffersInUse(rig)).isZero();
        }
    }

    @Test
    void shouldKeepABufferWhileSomebodyIsInIt() {
        List<StageBuffer> kept = new ArrayList<>();
        List<Disposable> uses = new ArrayList<>();
        try (PipelineRig rig = rig((request, chain) -> {
            uses.add(chain.useBuffer(512, buffer -> {
                kept.add(buffer);
                return Mono.never();
            }).subscribe());
            return Mono.just(BlockResult.OK);
        })) {
            assertThat(rig.result(TestIo.read(0, 512))).isEqualTo(512);
            kept.getFirst().access(memory -> {
                uses.getFirst().dispose();
                rig.settle();
                seen.add("in use " + buffersInUse(rig));
            });
            assertThat(seen).containsExactly("in use 1");
            assertThat(buffersInUse(rig)).isZero();
        }
    }

    @Test
    void shouldCompleteARequestOnlyWhenItsSubRequestsAreBack() {
        BlockStage hasty = (request, chain) -> {
            Disposable _ = chain.useBuffer(512, buffer -> chain.write(0, buffer, 0, 512)).subscribe();
            return Mono.just(BlockResult.failed(Errno.EBUSY));
        };
        try (PipelineRig rig = rig(hasty)) {
            rig.sink().hold();
            TestIo write = rig.submit(TestIo.write(0, new byte[512]));
            rig.settle();
            assertThat(write.completed()).as("a later write of the guest could be overtaken").isFalse();
            rig.sink().releaseAll();
            rig.settle();
            assertThat(write.result()).isEqualTo(-Errno.EBUSY);
        }
    }

    @Test
    void shouldFailTheRequestOnWhatAnOperatorThrowsAtTheResult() {
        BlockStage stage = (request, chain) -> chain.useBuffer(512, buffer -> chain.read(0, buffer, 0, 512).map(result -> {
            throw new NoClassDefFoundError("on purpose");
        }));
        try (PipelineRig rig = rig(stage)) {
            assertThat(rig.result(TestIo.read(0, 512))).isEqualTo(-Errno.EIO);
            assertThat(rig.result(TestIo.read(0, 512))).isEqualTo(-Errno.EIO);
            rig.otherThreads();
            rig.settleUntil(() -> {
                System.gc();
                rig.loop.advanceNanos(SECOND);
                rig.loop.tickUntilIdle();
                return buffersInUse(rig) == 0;
            });
        }
    }

    // ---- the drain limit

    @Test
    void shouldFailWhatIsBelowAndWhatWaitsAtTheDrainLimit() {
        BlockStage stage = (request, chain) -> chain.useBuffer(StageBuffer.MAX_BYTES, buffer -> chain.write(512 * request.sector(), buffer, 0, 512))
                .doOnNext(result -> seen.add(request.sector() + " " + result.errno()))
                .doOnError(failure -> seen.add(request.sector() + " " + failure.getClass().getSimpleName()));
        try (PipelineRig rig = new PipelineRig(32, 32, SimulatedFaults.NONE, builder -> builder.stage(stage).drainLimit(Duration.ofSeconds(1)))) {
            rig.sink().hold();
            List<TestIo> writes = IntStream.range(0, 20).mapToObj(i -> rig.submit(TestIo.write(i, new byte[512]))).toList();
            rig.settle();
            AtomicBoolean stopped = new AtomicBoolean();
            rig.source.stop(() -> stopped.set(true));
            rig.loop.advanceNanos(SECOND);
            rig.settle();
            assertThat(writes.stream().filter(TestIo::completed).count()).as("those that wait for a buffer").isEqualTo(20 - StageBuffers.LARGE_COUNT);
            assertThat(stopped).isFalse();
            assertThat(seen).as("their stages too").hasSize(20 - StageBuffers.LARGE_COUNT);
            rig.sink().releaseAll();
            rig.settle();
            assertThat(writes).allMatch(write -> write.result() == -Errno.ECANCELED && write.completions() == 1);
            assertThat(stopped).isTrue();
            assertThat(seen).hasSize(20).contains("0 0", "19 CancellationException");
            assertThat(rig.pipeline.failedAtDrainLimit()).isEqualTo(20);
            assertThat(buffersInUse(rig)).isZero();
            AtomicBoolean released = new AtomicBoolean();
            rig.source.whenReleased(() -> released.set(true));
            assertThat(released).isTrue();
        }
    }

    @Test
    void shouldCancelASubRequestThatAStageBelowHoldsAtTheDrainLimit() {
        BlockStage retries = (request, chain) -> chain.useBuffer(512, buffer -> chain.write(0, buffer, 0, 512)
                .doOnNext(result -> seen.add("" + result.errno()))
                .flatMap(result -> result.isOk() ? Mono.just(result) : chain.write(0, buffer, 0, 512).doOnNext(again -> seen.add("again " + again.errno()))));
        BlockStage holds = (request, chain) -> Mono.never();
        try (PipelineRig rig = new PipelineRig(builder -> builder.stage(retries).stage(holds).drainLimit(Duration.ofSeconds(1)))) {
            TestIo write = rig.submit(TestIo.write(0, new byte[512]));
            rig.settle();
            AtomicBoolean stopped = new AtomicBoolean();
            rig.source.stop(() -> stopped.set(true));
            rig.loop.advanceNanos(SECOND);
            rig.settle();
            assertThat(write.result()).isEqualTo(-Errno.ECANCELED);
            assertThat(stopped).isTrue();
            assertThat(seen).containsExactly("" + Errno.ECANCELED, "again " + Errno.ECANCELED);
            assertThat(rig.pipeline.failedAtDrainLimit()).as("one of the guest").isEqualTo(1);
            assertThat(buffersInUse(rig)).isZero();
        }
    }

    // ---- in the background

    @Test
    void shouldMakeSubRequestsWithNoRequestAtHand() {
        List<StageContext> contexts = new ArrayList<>();
        List<String> closed = new ArrayList<>();
        try (PipelineRig rig = new PipelineRig(builder -> builder.stage(context -> {
            contexts.add(context);
            context.onClose(() -> closed.add("closed"));
            return new XorStage(HEADER, KEY);
        }))) {
            SubRequests background = contexts.getFirst().background(rig.loop);
            Disposable _ = background.useBuffer(512, buffer -> {
                buffer.access(memory -> memory.asSlice(0, 512).fill((byte) 'H'));
                return background.write(0, buffer, 0, 512).flatMap(result -> background.flush().map(result::and));
            }).subscribe(result -> seen.add("written " + result));
            rig.settle();
            assertThat(seen).containsExactly("written OK");
            assertThat(image(rig, 0, 512)).containsOnly('H');
            assertThat(rig.backend.durable().get(ValueLayout.JAVA_BYTE, 511)).isEqualTo((byte) 'H');

            rig.sink().hold();
            Disposable _ = background.useBuffer(512, buffer -> background.read(0, buffer, 0, 512)).subscribe(result -> seen.add("read " + result));
            rig.settle();
            AtomicBoolean stopped = new AtomicBoolean();
            rig.source.stop(() -> stopped.set(true));
            rig.settle();
            assertThat(stopped).as("no queue waits for the background").isTrue();
            rig.pipeline.close();
            rig.settle();
            assertThat(closed).as("the kernel has a buffer of the stage").isEmpty();
            Disposable _ = background.flush().subscribe(result -> seen.add("flushed " + result.errno()));
            rig.sink().releaseAll();
            rig.settle();
            rig.settleUntil(() -> !closed.isEmpty());
            assertThat(seen).containsExactly("written OK", "flushed " + Errno.ESHUTDOWN, "read OK");
        }
    }
}
