package dev.sluice.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import java.nio.ByteBuffer;
import java.util.Objects;
import org.junit.jupiter.api.Test;

class CancellationTest {

    private static BlockBuffer take(DeviceRig rig) {
        return Objects.requireNonNull(rig.device.buffers().tryTake());
    }

    @Test
    void shouldNotSubmitWhatWasCancelledWhileItWaited() {
        try (DeviceRig rig = new DeviceRig()) {
            DeviceRig.Outcome<Integer> cancelled = DeviceRig.start(rig.device.read(0, ByteBuffer.allocateDirect(512)));
            cancelled.cancel();
            rig.loop.tickUntilIdle();
            assertThat(rig.sink().submissions()).isZero();
            assertThat(cancelled.ended()).isFalse();
        }
    }

    @Test
    void shouldHoldTheBufferOfACancelledReadUntilTheKernelHasLetGo() {
        try (DeviceRig rig = new DeviceRig(BlockDeviceOptions.builder().buffers(1, 4096))) {
            rig.fillDisk(1);
            rig.sink().hold();
            BlockBuffer buffer = take(rig);
            DeviceRig.Outcome<Integer> cancelled = rig.run(rig.device.read(0, buffer.bytes()));
            cancelled.cancel();
            buffer.close();
            assertThat(rig.device.buffers().tryTake()).as("the kernel may still write to it").isNull();

            rig.sink().releaseAll();
            rig.loop.tickUntilIdle();
            assertThat(cancelled.ended()).isFalse();
            take(rig).close();
        }
    }

    @Test
    void shouldGiveTheBufferBackAtOnceWhereNoLoopHasTakenTheRequest() {
        try (DeviceRig rig = new DeviceRig(BlockDeviceOptions.builder().buffers(1, 4096))) {
            BlockBuffer buffer = take(rig);
            DeviceRig.Outcome<Integer> waiting = DeviceRig.start(rig.device.read(0, buffer.bytes()));
            buffer.close();
            assertThat(rig.device.buffers().available()).isZero();
            waiting.cancel();
            assertThat(rig.device.buffers().available()).isEqualTo(1);
        }
    }

    @Test
    void shouldHoldASliceOfAPooledBufferToo() {
        try (DeviceRig rig = new DeviceRig(BlockDeviceOptions.builder().buffers(1, 4096))) {
            rig.sink().hold();
            BlockBuffer buffer = take(rig);
            DeviceRig.Outcome<Integer> reading = rig.run(rig.device.read(0, java.util.List.of(buffer.bytes().slice(0, 512), buffer.bytes().slice(1024, 512))));
            buffer.close();
            assertThat(rig.device.buffers().available()).isZero();
            rig.sink().releaseAll();
            rig.loop.tickUntilIdle();
            reading.assertValue(1024);
            assertThat(rig.device.buffers().available()).isEqualTo(1);
        }
    }

    @Test
    void shouldRefuseABufferThatHasBeenClosed() {
        try (DeviceRig rig = new DeviceRig()) {
            BlockBuffer buffer = take(rig);
            ByteBuffer stale = buffer.bytes();
            buffer.close();
            assertThat(rig.run(rig.device.read(0, stale)).failure(IllegalArgumentException.class)).hasMessageContaining("has been closed");
        }
    }

    @Test
    void shouldTellNobodyOfTheFailureOfACancelledRequest() {
        try (DeviceRig rig = new DeviceRig()) {
            rig.sink().hold();
            DeviceRig.Outcome<Integer> cancelled = rig.run(rig.device.read(0, ByteBuffer.allocateDirect(512)));
            cancelled.cancel();
            rig.sink().release(rig.sink().held().getFirst(), Errno.EIO);
            rig.loop.tickUntilIdle();
            assertThat(cancelled.ended()).isFalse();
        }
    }
}
