package dev.sluice.virtio.blk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.CapturedLog;
import org.junit.jupiter.api.Test;

/** A guest that breaks rules all the time gets a line a second. */
final class ChainLogTest {
    private long now = 17;

    @Test
    void shouldLogTheFirstOfMany() {
        ChainLog chains = new ChainLog(3, () -> now);
        try (CapturedLog log = new CapturedLog()) {
            chains.malformed(7, "a rule");
            for (int i = 0; i < 5; i++) {
                chains.malformed(8, "another");
            }
            assertThat(log.of(ChainLog.class)).containsExactly("WARN: queue 3: request of head 7 is malformed: a rule; it fails");
            now += 1_000_000_000L;
            chains.malformed(9, "the last");
            assertThat(log.of(ChainLog.class)).containsExactly(
                    "WARN: queue 3: request of head 7 is malformed: a rule; it fails",
                    "WARN: 5 lines of this kind were not logged",
                    "WARN: queue 3: request of head 9 is malformed: the last; it fails");
        }
    }

    @Test
    void shouldCountForEachQueueByItself() {
        try (CapturedLog log = new CapturedLog()) {
            new ChainLog(0, () -> now).malformed(1, "a rule");
            new ChainLog(1, () -> now).malformed(2, "a rule");
            assertThat(log.of(ChainLog.class)).hasSize(2);
        }
    }
}
