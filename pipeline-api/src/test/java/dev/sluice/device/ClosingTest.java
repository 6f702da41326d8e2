package dev.sluice.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.pipeline.Errno;
import dev.sluice.pipeline.testing.PollLoop;
import dev.sluice.pipeline.testing.SimulatedBackend;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

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
            closing.get(30, TimeUnit.SECONDS);
            reading.assertValue(512);
            device.close();
            backend.close();
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
