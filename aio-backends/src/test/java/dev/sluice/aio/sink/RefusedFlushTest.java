package dev.sluice.aio.sink;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.SinkCounters;
import dev.sluice.pipeline.testing.TestIo;
import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A flush of which the kernel takes nothing, or a part: what counts as handed over, and when the rest is offered again. */
@Timeout(60)
class RefusedFlushTest {
    private static final long MILLIS = 1_000_000;
    private static final int SECTOR = 512;

    @Test
    void shouldCountNoBatchOfAFlushOfWhichTheKernelTakesNothing() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            rig.sink.refusals = 2;
            rig.submit(TestIo.read(0, SECTOR), TestIo.read(1, SECTOR));
            assertThat(rig.sink.counters()).isEqualTo(new SinkCounters(0, 0, 1, 0, 0));
            assertThat(rig.sink.awaitsKernel()).isFalse();
            rig.loop.advance(MILLIS);
            rig.tick();
            assertThat(rig.sink.counters()).isEqualTo(new SinkCounters(0, 0, 2, 0, 0));
            rig.loop.advance(2 * MILLIS);
            rig.tick();
            assertThat(rig.sink.counters()).isEqualTo(new SinkCounters(1, 2, 2, 0, 0));
            rig.endAll();
        }
    }

    @Test
    void shouldStartFromAShortPauseWhenTheKernelHasTakenSomethingInBetween() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            for (int round = 0; round < 10; round++) {
                rig.sink.refusals = 1;
                TestIo read = rig.submit(TestIo.read(round, SECTOR));
                assertThat(rig.started()).isEmpty();
                rig.loop.advance(MILLIS);
                rig.tick();
                assertThat(rig.started()).as("a millisecond after refusal %d", round).hasSize(1);
                rig.end();
                assertThat(read.result()).isEqualTo(SECTOR);
            }
            assertThat(rig.sink.counters()).isEqualTo(new SinkCounters(10, 10, 10, 0, 0));
        }
    }
}
