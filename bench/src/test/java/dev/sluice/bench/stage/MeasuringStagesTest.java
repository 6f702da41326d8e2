package dev.sluice.bench.stage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.device.BlockDevice;
import dev.sluice.device.BlockDeviceOptions;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.BlockStageProvider;
import dev.sluice.pipeline.PipelineObserver;
import dev.sluice.pipeline.Providers;
import dev.sluice.pipeline.testing.PollLoop;
import dev.sluice.pipeline.testing.SimulatedBackend;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.ServiceLoader;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class MeasuringStagesTest {
    private static final int BLOCK_BYTES = 4096;

    @Test
    void shouldBeFoundByName() {
        assertThat(ServiceLoader.load(BlockStageProvider.class)).extracting(BlockStageProvider::name).contains("noop", "hop", "uninterested");
    }

    @Test
    void shouldPassRequestsOnOrBeBypassed() throws Exception {
        assertThat(flagsOfARead("noop")).isZero();
        assertThat(flagsOfARead("hop:")).isZero();
        assertThat(flagsOfARead("uninterested")).isEqualTo(PipelineObserver.BYPASSED);
    }

    private static int flagsOfARead(String stage) throws Exception {
        AtomicInteger flags = new AtomicInteger(-1);
        PipelineObserver observer = new PipelineObserver() {
            @Override
            public void requestCompleted(int queue, BlockOp op, long bytes, int errno, long waitNanos, long deviceNanos, int seen) {
                flags.set(seen);
            }
        };
        try (SimulatedBackend backend = SimulatedBackend.ofSize(1 << 20);
                PollLoop loop = PollLoop.start("stages");
                BlockPipeline pipeline = BlockPipeline.builder().backend(backend).stage(Providers.stage(stage)).observer(observer).build();
                BlockDevice device = BlockDevice.open(pipeline, List.of(loop), BlockDeviceOptions.defaults())) {
            assertThat(device.read(0, ByteBuffer.allocateDirect(BLOCK_BYTES)).block()).isEqualTo(BLOCK_BYTES);
        }
        return flags.get();
    }

    @Test
    void shouldRefuseArgumentsThatMeanNothing() {
        for (String name : List.of("noop", "hop", "uninterested")) {
            try (SimulatedBackend backend = SimulatedBackend.ofSize(1 << 20)) {
                assertThatThrownBy(() -> BlockPipeline.builder().backend(backend).stage(Providers.stage(name + ":x")).build())
                        .isInstanceOf(IllegalArgumentException.class)
                        .hasMessage("stage " + name + " takes no arguments; 'x' was given");
            }
        }
    }
}
