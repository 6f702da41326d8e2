package dev.sluice.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.Patience;
import dev.sluice.pipeline.testing.PollLoop;
import dev.sluice.pipeline.testing.SimulatedBackend;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.reactivestreams.Subscription;

class ClosingTest {

    @Test
    void shouldDrainWhatIsInFlightAndWhatWaits() {
        try (DeviceRig rig = new DeviceRig(BlockDeviceOptions.builder().queueDepth(1))) {
            rig.sink().hold();
            DeviceRig.Outcome<Integer> inFlight = rig.run(rig.device.read(0, ByteBuffer.allocateDirect(512)));
            DeviceRig.Outcome<Integer> waiting = rig.run(rig.device.read(0, ByteBuffer.allocateDirect(512)));
            DeviceRig.Outcome<Void> closed = rig.run(rig.device.shutdown());
            assertThat(closed.ended()).isFalse();
            DeviceRig.Outcome<Integer> late = rig.run(rig.device.read(0, ByteBuffer.allocateDirect(512)));
            assertThat(late.failure(BlockIoException.class).errno()).isEqualTo(Errno.ESHUTDOWN);

            rig.sink().releaseAll();
            rig.loop.tickUntilIdle();
            closed.await();
            inFlight.assertValue(512);
            waiting.assertValue(512);
            closed.assertCompleted();
        }
    }

    @Test
    void shouldDrainWhereAllThatWaitedWasCancelled() {
        try (DeviceRig rig = new DeviceRig()) {
            DeviceRig.start(rig.device.read(0, ByteBuffer.allocateDirect(512))).cancel();
            DeviceRig.Outcome<Void> closed = DeviceRig.start(rig.device.shutdown());
            rig.loop.tickUntilIdle();
            closed.await();
            closed.assertCompleted();
        }
    }

    @Test
    void shouldWaitForTheDrainAndBeIdempotent() throws Exception {
        try (PollLoop loop = PollLoop.start("closing")) {
            SimulatedBackend backend = SimulatedBackend.ofSize(1 << 20);
            BlockDevice device = BlockDevice.open(backend, List.of(loop), BlockDeviceOptions.defaults());
            loop.run(() -> backend.sinkOf(loop).hold());
            DeviceRig.Outcome<Integer> reading = DeviceRig.start(device.read(0, ByteBuffer.allocateDirect(512)));
            CompletableFuture<Void> closing = CompletableFuture.runAsync(device::close);
            loop.run(() -> backend.sinkOf(loop).releaseAll());
            closing.get(Patience.seconds(30), TimeUnit.SECONDS);
            reading.assertValue(512);
            device.close();
            backend.close();
        }
    }

    @Test
    void shouldWaitOnWhenInterruptedAndPassItOn() throws Exception {
        try (PollLoop loop = PollLoop.start("closing")) {
            SimulatedBackend backend = SimulatedBackend.ofSize(1 << 20);
            BlockDevice device = BlockDevice.open(backend, List.of(loop), BlockDeviceOptions.defaults());
            loop.run(() -> backend.sinkOf(loop).hold());
            DeviceRig.Outcome<Integer> reading = DeviceRig.start(device.read(0, ByteBuffer.allocateDirect(512)));
            CompletableFuture<Boolean> interrupted = new CompletableFuture<>();
            Thread closer = Thread.ofPlatform().start(() -> {
                Thread.currentThread().interrupt();
                device.close();
                interrupted.complete(Thread.interrupted());
            });
            loop.run(() -> backend.sinkOf(loop).releaseAll());
            assertThat(interrupted.get(Patience.seconds(30), TimeUnit.SECONDS)).as("the flag is set again").isTrue();
            closer.join();
            reading.assertValue(512);
            backend.close();
        }
    }

    @Test
    void shouldRefuseWhatWaitsForALoopThatHasEnded() {
        ManualLoop loop = new ManualLoop();
        SimulatedBackend backend = SimulatedBackend.ofSize(1 << 20);
        BlockDevice device = BlockDevice.open(backend, List.of(loop), BlockDeviceOptions.builder().queueDepth(1).build());
        backend.sinkOf(loop).hold();
        DeviceRig.Outcome<Integer> taken = DeviceRig.start(device.read(0, ByteBuffer.allocateDirect(512)));
        loop.tickUntilIdle();
        DeviceRig.Outcome<Integer> waiting = DeviceRig.start(device.read(0, ByteBuffer.allocateDirect(512)));
        loop.close();
        assertThat(taken.ended() || waiting.ended()).isFalse();
        DeviceRig.Outcome<Void> closed = DeviceRig.start(device.shutdown());
        closed.await();
        assertThat(waiting.failure(BlockIoException.class).errno()).isEqualTo(Errno.ESHUTDOWN);
        closed.assertCompleted();
        // The simulated disk still has the request that was taken, and stays open.
    }

    @Test
    void shouldHoldBuffersThatAnotherDeviceUsesThoughTheirOwnIsClosed() {
        DeviceRig owner = new DeviceRig(BlockDeviceOptions.builder().buffers(1, 4096));
        try (DeviceRig user = new DeviceRig()) {
            user.fillDisk(5);
            user.sink().hold();
            BlockBuffer buffer = Objects.requireNonNull(owner.device.buffers().tryTake());
            MemorySegment memory = MemorySegment.ofBuffer(buffer.bytes());
            DeviceRig.Outcome<Integer> reading = user.run(user.device.read(0, buffer.bytes()));
            reading.cancel();
            buffer.close();
            assertThat(owner.device.buffers().available()).as("the kernel has it").isZero();
            owner.shutDown();
            assertThat(memory.scope().isAlive()).as("the memory is there").isTrue();
            user.sink().releaseAll();
            user.loop.tickUntilIdle();
            assertThat(memory.scope().isAlive()).as("the memory is freed").isFalse();
        }
        owner.loop.close();
        owner.backend.close();
    }

    @Test
    void shouldTakeBackWhatARangeHasReadAheadAndTellItsSubscriber() {
        try (DeviceRig rig = new DeviceRig(BlockDeviceOptions.builder().buffers(8, 4096).readAhead(4))) {
            List<BlockBuffer> emitted = new ArrayList<>();
            DeviceRig.Outcome<BlockBuffer> slow = new DeviceRig.Outcome<>() {
                @Override
                protected void hookOnSubscribe(Subscription subscription) {
                    subscription.request(1);
                }

                @Override
                protected void hookOnNext(BlockBuffer buffer) {
                    emitted.add(buffer);
                }
            };
            rig.device.readRange(0, 64 * 4096).subscribe(slow);
            rig.loop.tickUntilIdle();
            assertThat(emitted).hasSize(1);
            emitted.forEach(BlockBuffer::close);
            rig.shutDown();
            assertThat(slow.failure(BlockIoException.class).errno()).isEqualTo(Errno.ESHUTDOWN);
            assertThat(rig.device.buffers().leaks()).as("all that was read ahead has come back").isZero();
        }
    }

    @Test
    void shouldRefuseToWaitOnItsOwnLoop() {
        try (DeviceRig rig = new DeviceRig()) {
            assertThatThrownBy(rig.device::close).isInstanceOf(IllegalStateException.class).hasMessageContaining("wait for itself");
            assertThatThrownBy(() -> {
                try (var channel = rig.device.channel()) {
                    var _ = channel.read(ByteBuffer.allocate(1));
                }
            }).isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void shouldTellOfBuffersThatAreStillOut() {
        DeviceRig rig = new DeviceRig(BlockDeviceOptions.builder().leakDetection(LeakDetection.TRACE));
        BlockBuffer forgotten = Objects.requireNonNull(rig.device.buffers().tryTake());
        ByteBuffer bytes = forgotten.bytes();
        rig.shutDown();
        assertThat(rig.device.buffers().leaks()).isEqualTo(1);
        assertThatThrownBy(() -> bytes.get(0)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(rig.device.buffers()::tryTake).isInstanceOf(IllegalStateException.class);
        forgotten.close();
        rig.loop.close();
        rig.backend.close();
    }

    @Test
    void shouldFailWhereItsLoopHasEndedBeforeIt() {
        PollLoop loop = PollLoop.start("ended");
        SimulatedBackend backend = SimulatedBackend.ofSize(1 << 20);
        BlockDevice device = BlockDevice.open(backend, List.of(loop), BlockDeviceOptions.defaults());
        loop.close();
        DeviceRig.Outcome<Integer> refused = DeviceRig.start(device.read(0, ByteBuffer.allocateDirect(512)));
        assertThat(refused.failure(BlockIoException.class).errno()).isEqualTo(Errno.ESHUTDOWN);
        device.close();
        backend.close();
    }
}
