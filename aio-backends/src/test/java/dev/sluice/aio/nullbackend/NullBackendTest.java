package dev.sluice.aio.nullbackend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.BlockStage;
import dev.sluice.pipeline.QueueSource;
import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.TestIo;
import dev.sluice.pipeline.testing.TestQueue;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class NullBackendTest {
    private static final long SIZE = 1 << 20;
    private static final int QUEUE_SIZE = 16;

    private record Rig(ManualLoop loop, BlockPipeline pipeline, TestQueue queue, QueueSource source) implements AutoCloseable {
        static Rig of(NullBackend backend, BlockStage... stages) {
            ManualLoop loop = new ManualLoop();
            BlockPipeline.Builder builder = BlockPipeline.builder().backend(backend);
            for (BlockStage stage : stages) {
                builder.stage(stage);
            }
            BlockPipeline pipeline = builder.build();
            TestQueue queue = new TestQueue(loop, 0, QUEUE_SIZE);
            QueueSource source = queue.feed(new QueueSource(loop, queue));
            pipeline.connect(source);
            loop.tickUntilIdle();
            return new Rig(loop, pipeline, queue, source);
        }

        TestIo done(TestIo io) {
            queue.submit(io);
            loop.tickUntilIdle();
            return io;
        }

        @Override
        public void close() {
            source.stop(() -> {});
            loop.tickUntilIdle();
            pipeline.close();
            loop.tickUntilIdle();
            queue.close();
            loop.close();
        }
    }

    private static NullBackend backend(boolean readOnly, boolean readZeroes) {
        return new NullBackend(SIZE, readOnly, readZeroes, 8);
    }

    @Test
    void shouldAnswerABatchInTheTickThatBroughtIt() {
        try (Rig rig = Rig.of(backend(false, false))) {
            List<TestIo> ios = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                ios.add(rig.queue.submit(TestIo.read(i, 512)));
            }
            rig.loop.tick();
            assertThat(ios).allMatch(io -> io.completions() == 1 && io.result() == 512);
        }
    }

    @Test
    void shouldSucceedAtEverything() {
        try (Rig rig = Rig.of(backend(false, false))) {
            assertThat(rig.done(TestIo.write(0, new byte[4096])).result()).isEqualTo(4096);
            assertThat(rig.done(TestIo.flush()).result()).isZero();
            assertThat(rig.done(TestIo.discard(8, 4096)).result()).isZero();
            assertThat(rig.done(TestIo.writeZeroes(8, 4096)).result()).isZero();
        }
    }

    @Test
    void shouldFillBuffersOnlyWhereZeroesAreAskedFor() {
        // The guest of the test fills the buffers of its reads with something else than zeroes.
        try (Rig rig = Rig.of(backend(false, false))) {
            assertThat(rig.done(TestIo.read(0, 512)).data()).doesNotContain(0);
        }
        try (Rig rig = Rig.of(backend(false, true))) {
            assertThat(rig.done(TestIo.read(0, 512)).data()).containsOnly(0);
        }
    }

    @Test
    void shouldRefuseWritesWhereItIsReadOnly() {
        try (Rig rig = Rig.of(backend(true, false))) {
            assertThat(rig.done(TestIo.write(0, new byte[512])).result()).isEqualTo(-Errno.EROFS);
            assertThat(rig.done(TestIo.read(0, 512)).result()).isEqualTo(512);
        }
    }

    @Test
    void shouldLetTheLoopGoOnWhereAStageTriesAgainForEver() {
        // Ends after a thousand tries, of which a tick makes no more than one.
        BlockStage stubborn = (request, chain) -> chain.proceed(request).repeat(999).last();
        try (Rig rig = Rig.of(backend(false, false), stubborn)) {
            TestIo io = rig.queue.submit(TestIo.read(0, 512));
            assertThat(rig.loop.tickUntilIdle()).isGreaterThanOrEqualTo(999);
            assertThat(io.result()).isEqualTo(512);
        }
    }

    @Test
    void shouldSayWhatIsOutOfRange() {
        assertThatThrownBy(() -> new NullBackend(0, false, false, 1)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("0 bytes");
        assertThatThrownBy(() -> new NullBackend(511, false, false, 1)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("512");
        assertThatThrownBy(() -> new NullBackend(512, false, false, 0)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("capacity");
    }
}
