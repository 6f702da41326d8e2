package dev.sluice.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.testing.SimulatedFaults;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;

class RangeTest {
    private static final int BUFFER_BYTES = 4096;

    private static BlockDeviceOptions.Builder options() {
        return BlockDeviceOptions.builder().buffers(16, BUFFER_BYTES).readAhead(4).queueDepth(8);
    }

    private static byte[] bytesAndClose(BlockBuffer buffer) {
        try (buffer) {
            byte[] copy = new byte[buffer.bytes().remaining()];
            buffer.bytes().get(copy);
            return copy;
        }
    }

    @Test
    void shouldEmitWithinDemandAndReadAheadOfIt() {
        try (DeviceRig rig = new DeviceRig(options())) {
            rig.fillDisk(1);
            StepVerifier.create(rig.device.readRange(512, 10 * BUFFER_BYTES + 512).map(RangeTest::bytesAndClose), 0)
                    .expectSubscription()
                    .then(() -> assertThat(rig.sink().submissions()).isZero())
                    .thenRequest(1)
                    .then(rig.loop::tickUntilIdle)
                    .assertNext(bytes -> assertThat(bytes).isEqualTo(rig.onDisk(512, BUFFER_BYTES)))
                    .then(() -> assertThat(rig.sink().submissions()).as("one emitted, four ahead").isEqualTo(5))
                    .thenRequest(9)
                    .then(rig.loop::tickUntilIdle)
                    .expectNextCount(9)
                    .thenRequest(5)
                    .then(rig.loop::tickUntilIdle)
                    .assertNext(bytes -> assertThat(bytes).isEqualTo(rig.onDisk(512 + 10 * BUFFER_BYTES, 512)))
                    .verifyComplete();
            assertThat(rig.device.buffers().available()).isEqualTo(16);
        }
    }

    @Test
    void shouldAskForTheWholeWindowAsOneBatch() {
        try (DeviceRig rig = new DeviceRig(options())) {
            DeviceRig.Outcome<Long> bytes = DeviceRig.start(rig.device.readRange(0, 4 * BUFFER_BYTES).map(RangeTest::bytesAndClose).count());
            rig.loop.tickUntilIdle();
            bytes.assertValue(4L);
            assertThat(rig.sink().flushes()).isEqualTo(1);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void shouldKeepTheOrderWhateverTheDiskDoes(long seed) {
        SimulatedFaults faults = new SimulatedFaults(seed, 0, 40, 50, 6, true);
        try (DeviceRig rig = new DeviceRig(faults, options())) {
            rig.fillDisk(seed);
            ByteArrayOutputStream read = new ByteArrayOutputStream();
            DeviceRig.Outcome<Void> outcome =
                    rig.run(rig.device.readRange(0, 100 * BUFFER_BYTES).doOnNext(buffer -> read.writeBytes(bytesAndClose(buffer))).then());
            outcome.assertCompleted();
            assertThat(read.toByteArray()).as("seed %d", seed).isEqualTo(rig.onDisk(0, 100 * BUFFER_BYTES));
        }
    }

    @Test
    void shouldGiveEverythingBackWhenItIsCancelled() {
        try (DeviceRig rig = new DeviceRig(options())) {
            rig.sink().hold();
            List<byte[]> seen = new ArrayList<>();
            DeviceRig.Outcome<byte[]> reading = new DeviceRig.Outcome<>();
            rig.device.readRange(0, 20 * BUFFER_BYTES).map(RangeTest::bytesAndClose).doOnNext(seen::add).subscribe(reading);
            rig.loop.tickUntilIdle();
            rig.sink().release(rig.sink().held().get(1));
            rig.loop.tickUntilIdle();
            reading.cancel();
            assertThat(rig.device.buffers().available()).as("three are with the kernel").isEqualTo(13);
            rig.sink().releaseAll();
            rig.loop.tickUntilIdle();
            assertThat(rig.device.buffers().available()).isEqualTo(16);
            assertThat(seen).isEmpty();
            assertThat(rig.sink().submissions()).isEqualTo(4);
        }
    }

    @Test
    void shouldEmitWhatCameBeforeAnErrorAndThenTheError() {
        try (DeviceRig rig = new DeviceRig(options())) {
            rig.sink().hold();
            DeviceRig.Outcome<byte[]> reading = new DeviceRig.Outcome<>();
            rig.device.readRange(0, 20 * BUFFER_BYTES).map(RangeTest::bytesAndClose).subscribe(reading);
            rig.loop.tickUntilIdle();
            List<BlockRequest> held = rig.sink().held();
            rig.sink().release(held.get(2), Errno.EIO);
            rig.sink().release(held.get(3));
            rig.loop.tickUntilIdle();
            assertThat(reading.ended()).isFalse();
            rig.sink().releaseAll();
            rig.loop.tickUntilIdle();
            assertThat(reading.values).hasSize(2);
            assertThat(reading.errors).hasSize(1);
            assertThat(reading.errors.getFirst()).hasMessageContaining("offset 8192");
            rig.loop.tickUntilIdle();
            assertThat(rig.device.buffers().available()).isEqualTo(16);
        }
    }

    @Test
    void shouldWaitForABufferWhereThePoolHasNone() {
        try (DeviceRig rig = new DeviceRig(BlockDeviceOptions.builder().buffers(2, BUFFER_BYTES).readAhead(8))) {
            List<BlockBuffer> kept = new ArrayList<>();
            DeviceRig.Outcome<BlockBuffer> reading = new DeviceRig.Outcome<>();
            rig.device.readRange(0, 5 * BUFFER_BYTES).doOnNext(kept::add).subscribe(reading);
            for (int i = 1; i <= 5; i++) {
                rig.loop.tickUntilIdle();
                assertThat(reading.values).hasSize(Math.min(5, i + 1));
                kept.removeFirst().close();
            }
            reading.assertCompleted();
        }
    }

    @Test
    void shouldRefuseARangeBeyondTheEnd() {
        try (DeviceRig rig = new DeviceRig(options())) {
            StepVerifier.create(rig.device.readRange(DeviceRig.DISK_BYTES - 512, 1024)).verifyError(IllegalArgumentException.class);
            StepVerifier.create(rig.device.readRange(512, Long.MAX_VALUE - 511)).verifyError(IllegalArgumentException.class);
            StepVerifier.create(rig.device.readRange(DeviceRig.DISK_BYTES, 0)).verifyComplete();
        }
    }

    // ---- writing

    private static Flux<BlockBuffer> content(DeviceRig rig, long seed, int buffers) {
        SplittableRandom random = new SplittableRandom(seed);
        return Flux.range(0, buffers).map(i -> {
            BlockBuffer buffer = Objects.requireNonNull(rig.device.buffers().tryTake(), "the range asks for more than it writes at once");
            byte[] bytes = new byte[BUFFER_BYTES];
            random.nextBytes(bytes);
            buffer.bytes().put(bytes).flip();
            return buffer;
        });
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3})
    void shouldWriteBuffersOneBehindTheOther(long seed) {
        SimulatedFaults faults = new SimulatedFaults(seed, 0, 40, 50, 6, true);
        try (DeviceRig rig = new DeviceRig(faults, options())) {
            rig.run(rig.device.writeRange(1024, content(rig, seed, 50))).assertValue(50L * BUFFER_BYTES);
            byte[] expected = new byte[50 * BUFFER_BYTES];
            new SplittableRandom(seed).nextBytes(expected);
            byte[] first = new byte[BUFFER_BYTES];
            SplittableRandom random = new SplittableRandom(seed);
            for (int i = 0; i < 50; i++) {
                random.nextBytes(first);
                System.arraycopy(first, 0, expected, i * BUFFER_BYTES, BUFFER_BYTES);
            }
            assertThat(rig.onDisk(1024, expected.length)).as("seed %d", seed).isEqualTo(expected);
            assertThat(rig.device.buffers().available()).isEqualTo(16);
        }
    }

    @Test
    void shouldTellTheFirstErrorOnlyAfterTheWritesUnderWay() {
        try (DeviceRig rig = new DeviceRig(options())) {
            rig.sink().hold();
            DeviceRig.Outcome<Long> writing = rig.run(rig.device.writeRange(0, content(rig, 1, 50)));
            assertThat(rig.sink().held()).hasSize(4);
            rig.sink().release(rig.sink().held().getFirst(), Errno.ENOSPC);
            rig.loop.tickUntilIdle();
            assertThat(writing.ended()).as("three writes are with the kernel").isFalse();
            rig.sink().releaseAll();
            rig.loop.tickUntilIdle();
            assertThat(writing.failure(BlockIoException.class).errno()).isEqualTo(Errno.ENOSPC);
            assertThat(rig.sink().submissions()).isEqualTo(4);
            assertThat(rig.device.buffers().available()).isEqualTo(16);
        }
    }

    @Test
    void shouldTellAnErrorOfTheSource() {
        try (DeviceRig rig = new DeviceRig(options())) {
            Flux<BlockBuffer> broken = content(rig, 1, 2).concatWith(Mono.error(new IllegalStateException("the source broke")));
            assertThat(rig.run(rig.device.writeRange(0, broken)).failure(IllegalStateException.class)).hasMessage("the source broke");
            rig.run(rig.device.writeRange(0, Flux.empty())).assertValue(0L);
            assertThat(rig.device.buffers().available()).isEqualTo(16);
        }
    }

    @Test
    void shouldRefuseABufferBeyondTheEndOfTheDisk() {
        try (DeviceRig rig = new DeviceRig(options())) {
            assertThat(rig.run(rig.device.writeRange(DeviceRig.DISK_BYTES - BUFFER_BYTES, content(rig, 1, 2))).failure(IllegalArgumentException.class))
                    .hasMessageContaining("not within");
            assertThat(rig.device.buffers().available()).isEqualTo(16);
        }
    }

    @Test
    void shouldCopyARangeToAnother() {
        try (DeviceRig rig = new DeviceRig(options())) {
            rig.fillDisk(9);
            byte[] source = rig.onDisk(0, 100 * BUFFER_BYTES);
            rig.run(rig.device.writeRange(DeviceRig.DISK_BYTES / 2, rig.device.readRange(0, source.length))).assertValue((long) source.length);
            assertThat(Arrays.equals(rig.onDisk(DeviceRig.DISK_BYTES / 2, source.length), source)).isTrue();
            ByteBuffer unused = ByteBuffer.allocateDirect(512);
            rig.run(rig.device.read(0, unused)).assertValue(512);
        }
    }
}
