package dev.sluice.pipeline.testing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import dev.sluice.linux.Iovec;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.QueueSource;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

class SimulatedSinkTest {

    @Nested
    class WithDelays extends Contract {
        WithDelays() {
            super(new SimulatedFaults(5, 0, 40, 40, 4, true), SimulatedSink.Pace.NEXT_TICK);
        }
    }

    @Nested
    class InsideFlush extends Contract {
        InsideFlush() {
            super(SimulatedFaults.NONE, SimulatedSink.Pace.IN_FLUSH);
        }
    }

    @TestsSink(SimulatedSink.class)
    abstract static class Contract extends ImageSinkContract {
        private final SimulatedFaults chance;
        private final SimulatedSink.Pace pace;
        private @Nullable SimulatedBackend opened;

        Contract(SimulatedFaults chance, SimulatedSink.Pace pace) {
            this.chance = chance;
            this.pace = pace;
        }

        @Override
        protected IoLoop openLoop() {
            return PollLoop.start("simulated-sink-test");
        }

        @Override
        protected BlockBackend openBackend(long sizeBytes, int sinkCapacity, boolean readOnly, SystemCallFaults faults) {
            BlockGeometry geometry = new BlockGeometry(sizeBytes, 512, 4096, 0, readOnly, true, true);
            SimulatedBackend backend = new SimulatedBackend(geometry, sinkCapacity, chance, faults);
            backend.pace(pace);
            opened = backend;
            return backend;
        }

        @Override
        protected byte[] stableContents() {
            SimulatedBackend backend = opened;
            if (backend == null) {
                throw new IllegalStateException("not opened");
            }
            return backend.durable().toArray(ValueLayout.JAVA_BYTE);
        }
    }

    @Test
    void shouldDoTheSameWhenTheSeedIsTheSame() {
        SimulatedFaults faults = new SimulatedFaults(99, 30, 30, 30, 5, true);
        List<Integer> once = resultsOfAHundredWrites(faults);
        assertThat(once).contains(512, -Errno.EIO);
        assertThat(resultsOfAHundredWrites(faults)).isEqualTo(once);
        assertThat(resultsOfAHundredWrites(new SimulatedFaults(100, 30, 30, 30, 5, true))).isNotEqualTo(once);
    }

    private static List<Integer> resultsOfAHundredWrites(SimulatedFaults faults) {
        try (ManualLoop loop = new ManualLoop();
                SimulatedBackend backend = SimulatedBackend.of(1 << 16, 64, faults);
                BlockPipeline pipeline = BlockPipeline.builder().backend(backend).build();
                TestQueue queue = new TestQueue(loop, 0, 16)) {
            pipeline.connect(queue.feed(new QueueSource(loop, queue)));
            List<TestIo> ios = new ArrayList<>();
            IntStream.range(0, 100).forEach(i -> ios.add(queue.submit(TestIo.write(i, new byte[512]))));
            loop.tickUntilIdle();
            return ios.stream().map(TestIo::result).toList();
        }
    }

    @Test
    void shouldMoveTheDataOnlyWhenTheRequestCompletes() {
        try (ManualLoop loop = new ManualLoop();
                SimulatedBackend backend = SimulatedBackend.ofSize(1 << 16);
                BlockPipeline pipeline = BlockPipeline.builder().backend(backend).build();
                TestQueue queue = new TestQueue(loop, 0, 4)) {
            pipeline.connect(queue.feed(new QueueSource(loop, queue)));
            SimulatedSink sink = backend.sinkOf(loop);
            sink.hold();
            byte[] ones = new byte[512];
            Arrays.fill(ones, (byte) 1);
            queue.submit(TestIo.write(0, ones));
            loop.tickUntilIdle();
            assertThat(backend.visible().get(ValueLayout.JAVA_BYTE, 0)).isZero();
            long iovecs = sink.held().getFirst().iovecsAddress();
            NativeMemory.fill(Iovec.base(iovecs, 0), Iovec.length(iovecs, 0), (byte) 2);
            sink.releaseAll();
            loop.tickUntilIdle();
            assertThat(backend.visible().get(ValueLayout.JAVA_BYTE, 0)).as("who writes too early is found out").isEqualTo((byte) 2);
            assertThat(backend.durable().get(ValueLayout.JAVA_BYTE, 0)).isZero();
        }
    }

    @Test
    void shouldRefuseWhatItsGeometryDoesNotHave() {
        BlockGeometry bare = new BlockGeometry(1 << 16, 512, 512, 0, true, false, false);
        try (ManualLoop loop = new ManualLoop();
                SimulatedBackend backend = new SimulatedBackend(bare, 8, SimulatedFaults.NONE);
                BlockPipeline pipeline = BlockPipeline.builder().backend(backend).build();
                TestQueue queue = new TestQueue(loop, 0, 8)) {
            pipeline.connect(queue.feed(new QueueSource(loop, queue)));
            List<TestIo> ios =
                    List.of(TestIo.write(0, new byte[512]), TestIo.discard(0, 512), TestIo.writeZeroes(0, 512), TestIo.read(127, 1024), TestIo.read(127, 512));
            ios.forEach(queue::submit);
            loop.tickUntilIdle();
            assertThat(ios.stream().map(TestIo::result)).containsExactly(-Errno.EROFS, -Errno.EROFS, -Errno.EROFS, -Errno.EINVAL, 512);
        }
    }
}
