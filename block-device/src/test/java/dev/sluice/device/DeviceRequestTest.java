package dev.sluice.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.Errno;
import dev.sluice.linux.LinuxFile;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.SimulatedBackend;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.assertj.core.groups.Tuple;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.publisher.Mono;

/** What the pipeline sees of a call, on a disk of 16 TiB that only its geometry knows: an operator keeps everything from the sink. */
class DeviceRequestTest {
    private static final long DISK_BYTES = 16L << 40;

    private record Seen(BlockOp op, long offsetBytes, long lengthBytes, boolean durable, boolean mayUnmap) {}

    private final List<Seen> seen = new ArrayList<>();

    private static BlockBackend large(SimulatedBackend backend, boolean readOnly) {
        return new BlockBackend() {
            @Override
            public String name() {
                return "large";
            }

            @Override
            public BlockGeometry geometry() {
                return new BlockGeometry(DISK_BYTES, 512, 512, 0, readOnly, !readOnly, !readOnly);
            }

            @Override
            public BlockSink openSink(IoLoop loop) {
                return backend.openSink(loop);
            }

            @Override
            public void close() {
                backend.close();
            }
        };
    }

    private boolean seen(BlockRequest request) {
        return !seen.add(new Seen(request.op(), request.offsetBytes(), request.lengthBytes(), request.durable(), request.mayUnmap()));
    }

    private void with(boolean writeThrough, boolean readOnly, Body test) {
        BlockDeviceOptions options = BlockDeviceOptions.builder().writeThrough(writeThrough).readOnly(readOnly)
                .pipeline(builder -> builder.operator(flux -> flux.filter(this::seen))).build();
        ManualLoop loop = new ManualLoop();
        try (SimulatedBackend backend = SimulatedBackend.ofSize(1 << 20)) {
            BlockDevice device = BlockDevice.open(large(backend, readOnly), List.of(loop), options);
            test.run(mono -> {
                DeviceRig.Outcome<?> outcome = DeviceRig.start(mono);
                loop.tickUntilIdle();
                return outcome;
            }, device);
            DeviceRig.Outcome<Void> closed = DeviceRig.start(device.shutdown());
            loop.tickUntilIdle();
            closed.await();
        }
        loop.close();
    }

    @FunctionalInterface
    private interface Call {
        DeviceRig.Outcome<?> run(Mono<?> mono);
    }

    @FunctionalInterface
    private interface Body {
        void run(Call call, BlockDevice device);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, (1L << 31) - 512, 1L << 31, (1L << 32) + 512, 1L << 40, DISK_BYTES - 8192})
    void shouldPassOffsetsAndLengthsOn(long offset) {
        with(false, false, (call, device) -> {
            call.run(device.read(offset, ByteBuffer.allocateDirect(4096)));
            call.run(device.write(offset, List.of(ByteBuffer.allocateDirect(512), ByteBuffer.allocateDirect(1024))));
            call.run(device.writeZeroes(offset, 8192, true));
            call.run(device.writeZeroes(offset, 8192, false));
            call.run(device.discard(offset, 512));
            assertThat(seen).containsExactly(
                    new Seen(BlockOp.READ, offset, 4096, false, false),
                    new Seen(BlockOp.WRITE, offset, 1536, false, false),
                    new Seen(BlockOp.WRITE_ZEROES, offset, 8192, false, true),
                    new Seen(BlockOp.WRITE_ZEROES, offset, 8192, false, false),
                    new Seen(BlockOp.DISCARD, offset, 512, false, true));
        });
    }

    @Test
    void shouldMakeEverythingDurableThatChangesTheDiskWhenItWritesThrough() {
        with(true, false, (call, device) -> {
            call.run(device.read(0, ByteBuffer.allocateDirect(512)));
            call.run(device.write(0, ByteBuffer.allocateDirect(512)));
            call.run(device.writeZeroes(0, 512, false));
            call.run(device.discard(0, 512));
            call.run(device.flush());
            assertThat(seen).extracting(Seen::op, Seen::durable).containsExactly(
                    Tuple.tuple(BlockOp.READ, false),
                    Tuple.tuple(BlockOp.WRITE, true),
                    Tuple.tuple(BlockOp.WRITE_ZEROES, true),
                    Tuple.tuple(BlockOp.DISCARD, true),
                    Tuple.tuple(BlockOp.FLUSH, false));
        });
    }

    @Test
    void shouldRefuseWhatChangesADiskThatIsReadOnly() {
        with(false, true, (call, device) -> {
            for (Mono<?> change : List.<Mono<?>>of(device.write(0, ByteBuffer.allocateDirect(512)), device.writeZeroes(0, 512, false),
                    device.discard(0, 512))) {
                DeviceRig.Outcome<?> outcome = call.run(change);
                assertThat(outcome.errors).singleElement().isInstanceOfSatisfying(BlockIoException.class,
                        refused -> assertThat(refused.errno()).isEqualTo(Errno.EROFS));
            }
            assertThat(seen).isEmpty();
            call.run(device.read(0, ByteBuffer.allocateDirect(512)));
            call.run(device.flush());
            assertThat(seen).extracting(Seen::op).containsExactly(BlockOp.READ, BlockOp.FLUSH);
        });
    }

    /** A call moves no more than a system call does; a range may be longer. */
    @Test
    void shouldLimitWhatIsMovedAndNotWhatIsZeroed() {
        with(false, false, (call, device) -> {
            long most = LinuxFile.MAX_RW_COUNT;
            assertThatThrownBy(() -> device.limits().check(BlockOp.READ, 0, most + 512)).isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("at most " + most);
            assertThatThrownBy(() -> device.limits().check(BlockOp.WRITE, 512, most + 512)).isInstanceOf(IllegalArgumentException.class);
            for (long length : new long[] {most, 512}) {
                try {
                    device.limits().check(BlockOp.READ, 0, length);
                } catch (BlockIoException refused) {
                    throw new AssertionError(refused);
                }
            }
            call.run(device.writeZeroes(0, 1L << 42, false));
            call.run(device.discard(512, (1L << 42) + 512));
            assertThat(seen).extracting(Seen::lengthBytes).containsExactly(1L << 42, (1L << 42) + 512);
        });
    }
}
