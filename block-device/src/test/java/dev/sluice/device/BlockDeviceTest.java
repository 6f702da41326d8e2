package dev.sluice.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockResult;
import dev.sluice.pipeline.BlockStage;
import dev.sluice.pipeline.BlockStatus;
import dev.sluice.pipeline.PipelineObserver;
import dev.sluice.pipeline.testing.SimulatedBackend;
import dev.sluice.pipeline.testing.SimulatedFaults;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import reactor.core.Exceptions;
import reactor.core.publisher.Mono;

class BlockDeviceTest {

    @Test
    void shouldReadBackWhatWasWritten() {
        try (DeviceRig rig = new DeviceRig()) {
            byte[] content = DeviceRig.random(1, 8192);
            ByteBuffer source = DeviceRig.direct(content);
            rig.run(rig.device.write(4096, source)).assertValue(8192);
            assertThat(source.hasRemaining()).isFalse();
            assertThat(rig.onDisk(4096, 8192)).isEqualTo(content);

            ByteBuffer target = ByteBuffer.allocateDirect(8192 + 512).position(512);
            rig.run(rig.device.read(4096, target)).assertValue(8192);
            assertThat(target.position()).isEqualTo(8192 + 512);
            assertThat(Arrays.copyOfRange(DeviceRig.content(target), 512, 8192 + 512)).isEqualTo(content);
        }
    }

    @Test
    void shouldMoveAVectorWithOneRequest() {
        try (DeviceRig rig = new DeviceRig()) {
            rig.fillDisk(2);
            ByteBuffer first = ByteBuffer.allocateDirect(100);
            ByteBuffer empty = ByteBuffer.allocateDirect(0);
            ByteBuffer second = ByteBuffer.allocateDirect(924);
            rig.run(rig.device.read(512, List.of(first, empty, second))).assertValue(1024);
            assertThat(rig.sink().submissions()).isEqualTo(1);
            assertThat(DeviceRig.content(first)).isEqualTo(rig.onDisk(512, 100));
            assertThat(DeviceRig.content(second)).isEqualTo(rig.onDisk(612, 924));
            assertThat(second.hasRemaining()).isFalse();

            rig.run(rig.device.write(8192, List.of(first.flip(), second.flip()))).assertValue(1024);
            assertThat(rig.onDisk(8192, 1024)).isEqualTo(rig.onDisk(512, 1024));
        }
    }

    @Test
    void shouldBringWritesToStableStorageWhenFlushed() {
        try (DeviceRig rig = new DeviceRig()) {
            byte[] content = DeviceRig.random(3, 512);
            rig.run(rig.device.write(0, DeviceRig.direct(content))).assertValue(512);
            assertThat(rig.backend.durable().getAtIndex(java.lang.foreign.ValueLayout.JAVA_LONG, 0)).isZero();
            rig.run(rig.device.flush()).assertCompleted();
            assertThat(rig.backend.durable().asSlice(0, 512).mismatch(rig.backend.visible().asSlice(0, 512))).isEqualTo(-1);
        }
    }

    @Test
    void shouldAnswerWritesWhenTheyAreDurableInWriteThroughMode() {
        try (DeviceRig rig = new DeviceRig(BlockDeviceOptions.builder().writeThrough(true))) {
            rig.run(rig.device.write(0, DeviceRig.direct(DeviceRig.random(4, 512)))).assertValue(512);
            assertThat(rig.backend.durable().mismatch(rig.backend.visible())).isEqualTo(-1);
        }
    }

    @Test
    void shouldZeroAndDiscard() {
        try (DeviceRig rig = new DeviceRig()) {
            rig.fillDisk(5);
            rig.run(rig.device.writeZeroes(512, 1024, true)).assertCompleted();
            rig.run(rig.device.discard(8192, 512)).assertCompleted();
            assertThat(rig.onDisk(512, 1024)).containsOnly(0);
            assertThat(rig.onDisk(8192, 512)).containsOnly(0);
            assertThat(rig.onDisk(0, 512)).isEqualTo(Arrays.copyOf(DeviceRig.random(5, DeviceRig.DISK_BYTES), 512));
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 512", "512, 100", "-512, 512", "4194304, 512", "4193792, 1024", "9223372036854775296, 512"})
    void shouldRefuseARangeThatTheDiskDoesNotHave(long offset, int bytes) {
        try (DeviceRig rig = new DeviceRig()) {
            IllegalArgumentException refusal = rig.run(rig.device.read(offset, ByteBuffer.allocateDirect(bytes))).failure(IllegalArgumentException.class);
            assertThat(refusal).hasMessageContaining("READ of " + bytes).hasMessageContaining(Long.toString(offset));
            assertThat(rig.sink().submissions()).isZero();
        }
    }

    @Test
    void shouldRefuseHeapBuffersAndSayWhatToUse() {
        try (DeviceRig rig = new DeviceRig()) {
            assertThat(rig.run(rig.device.write(0, ByteBuffer.allocate(512))).failure(IllegalArgumentException.class)).hasMessageContaining("allocateDirect");
            ByteBuffer readOnly = ByteBuffer.allocateDirect(512).asReadOnlyBuffer();
            assertThat(rig.run(rig.device.read(0, readOnly)).failure(IllegalArgumentException.class)).hasMessageContaining("read-only");
            rig.run(rig.device.write(0, readOnly)).assertValue(512);
        }
    }

    @Test
    void shouldRefuseMoreSegmentsThanARequestHas() {
        try (DeviceRig rig = new DeviceRig(BlockDeviceOptions.builder().maxSegments(2))) {
            ByteBuffer one = ByteBuffer.allocateDirect(512);
            assertThat(rig.run(rig.device.write(0, List.of(one, one, one))).failure(IllegalArgumentException.class)).hasMessageContaining("the maximum is 2");
        }
    }

    @Test
    void shouldCompleteWithoutARequestWhereNothingIsToBeMoved() {
        try (DeviceRig rig = new DeviceRig()) {
            rig.run(rig.device.read(512, ByteBuffer.allocateDirect(0))).assertValue(0);
            rig.run(rig.device.discard(512, 0)).assertCompleted();
            assertThat(rig.sink().submissions()).isZero();
        }
    }

    @Test
    void shouldSayWhatADiskDoesNotDo() {
        BlockGeometry plain = new BlockGeometry(1 << 20, 512, 512, 0, false, false, false);
        try (DeviceRig rig = new DeviceRig(new SimulatedBackend(plain, 16, SimulatedFaults.NONE), BlockDeviceOptions.builder())) {
            assertThat(rig.run(rig.device.discard(0, 512)).failure(BlockIoException.class).status()).isEqualTo(BlockStatus.UNSUPP);
            assertThat(rig.run(rig.device.writeZeroes(0, 512, false)).failure(BlockIoException.class).errno()).isEqualTo(Errno.EOPNOTSUPP);
        }
        BlockGeometry readOnly = new BlockGeometry(1 << 20, 512, 512, 0, true, false, false);
        try (DeviceRig rig = new DeviceRig(new SimulatedBackend(readOnly, 16, SimulatedFaults.NONE), BlockDeviceOptions.builder())) {
            assertThat(rig.run(rig.device.write(0, ByteBuffer.allocateDirect(512))).failure(BlockIoException.class).errno()).isEqualTo(Errno.EROFS);
        }
    }

    @Test
    void shouldTellTheErrnoOfAFailedRequest() {
        try (DeviceRig rig = new DeviceRig(SimulatedFaults.allFail(), BlockDeviceOptions.builder())) {
            ByteBuffer target = ByteBuffer.allocateDirect(512);
            BlockIoException failure = rig.run(rig.device.read(1024, target)).failure(BlockIoException.class);
            assertThat(failure.errno()).isEqualTo(Errno.EIO);
            assertThat(failure).hasMessageContaining("READ of 512 bytes at offset 1024").hasMessageContaining("EIO");
            assertThat(target.position()).isZero();
        }
    }

    @Test
    void shouldDoNothingBeforeItIsAsked() {
        try (DeviceRig rig = new DeviceRig()) {
            DeviceRig.Outcome<Integer> lazy = new DeviceRig.Outcome<>() {
                @Override
                protected void hookOnSubscribe(org.reactivestreams.Subscription subscription) {}
            };
            rig.device.read(0, ByteBuffer.allocateDirect(512)).subscribe(lazy);
            rig.loop.tickUntilIdle();
            assertThat(rig.sink().submissions()).isZero();
            lazy.request(1);
            lazy.request(1);
            rig.loop.tickUntilIdle();
            lazy.assertValue(512);
            assertThat(rig.sink().submissions()).isEqualTo(1);
        }
    }

    @Test
    void shouldSubmitWhatIsAskedForTogetherAsOneBatch() {
        try (DeviceRig rig = new DeviceRig()) {
            for (int i = 0; i < 32; i++) {
                DeviceRig.start(rig.device.read(0, ByteBuffer.allocateDirect(512)));
            }
            rig.loop.tickUntilIdle();
            assertThat(rig.sink().submissions()).isEqualTo(32);
            assertThat(rig.sink().flushes()).isEqualTo(1);
        }
    }

    @Test
    void shouldLetRequestsWaitInOrderAndFailThoseBeyondTheBound() {
        try (DeviceRig rig = new DeviceRig(BlockDeviceOptions.builder().queueDepth(2).maxWaiting(3))) {
            rig.sink().hold();
            List<DeviceRig.Outcome<Integer>> outcomes = new ArrayList<>();
            for (int i = 0; i < 2; i++) {
                outcomes.add(rig.run(rig.device.read(512L * i, ByteBuffer.allocateDirect(512))));
            }
            for (int i = 2; i < 6; i++) {
                outcomes.add(rig.run(rig.device.read(512L * i, ByteBuffer.allocateDirect(512))));
            }
            assertThat(Exceptions.isOverflow(outcomes.get(5).failure(IllegalStateException.class))).isTrue();
            assertThat(outcomes.get(5).errors.getFirst()).hasMessageContaining("3 pending requests");

            List<Long> order = new ArrayList<>();
            while (!rig.sink().held().isEmpty()) {
                BlockRequest next = rig.sink().held().getFirst();
                order.add(next.sector());
                rig.sink().release(next);
                rig.loop.tickUntilIdle();
            }
            assertThat(order).containsExactly(0L, 1L, 2L, 3L, 4L);
            outcomes.subList(0, 5).forEach(outcome -> outcome.assertValue(512));
        }
    }

    @Test
    void shouldTakeStagesBypassAndObserverAsAGuestDoes() {
        List<String> seen = new ArrayList<>();
        BlockStage stage = new BlockStage() {
            @Override
            public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
                if (request.op() == BlockOp.READ) {
                    ByteBuffer sevens = ByteBuffer.allocate((int) request.dataBytes());
                    Arrays.fill(sevens.array(), (byte) 7);
                    request.copyDataFrom(0, sevens);
                    return Mono.just(BlockResult.OK);
                }
                return chain.proceed(request);
            }

            @Override
            public boolean interestedIn(BlockRequest request) {
                return request.sector() == 1;
            }
        };
        PipelineObserver observer = new PipelineObserver() {
            @Override
            public void requestCompleted(int queue, BlockOp op, long bytes, int errno, long waitNanos, long deviceNanos, int flags) {
                seen.add(op + " " + bytes + " " + (flags == BYPASSED ? "bypassed" : "staged"));
            }
        };
        try (DeviceRig rig = new DeviceRig(BlockDeviceOptions.builder().pipeline(builder -> builder.stage(stage).observer(observer)))) {
            ByteBuffer target = ByteBuffer.allocateDirect(512);
            rig.run(rig.device.read(512, target)).assertValue(512);
            assertThat(DeviceRig.content(target)).containsOnly(7);
            rig.run(rig.device.write(0, target.flip())).assertValue(512);
            assertThat(seen).containsExactly("READ 512 staged", "WRITE 512 bypassed");
        }
    }

    @Test
    void shouldGoOnAfterASubscriberThatThrows() {
        try (DeviceRig rig = new DeviceRig(BlockDeviceOptions.builder().queueDepth(1))) {
            for (int i = 0; i < 3; i++) {
                rig.device.read(0, ByteBuffer.allocateDirect(512)).subscribe(new ThrowingSubscriber());
                rig.loop.tickUntilIdle();
            }
            rig.run(rig.device.read(0, ByteBuffer.allocateDirect(512))).assertValue(512);
        }
    }

    private static final class ThrowingSubscriber implements reactor.core.CoreSubscriber<Integer> {
        @Override
        public void onSubscribe(org.reactivestreams.Subscription subscription) {
            subscription.request(1);
        }

        @Override
        public void onNext(Integer value) {
            throw new IllegalStateException("a subscriber that breaks the rules, on purpose");
        }

        @Override
        public void onError(Throwable error) {}

        @Override
        public void onComplete() {}
    }
}
