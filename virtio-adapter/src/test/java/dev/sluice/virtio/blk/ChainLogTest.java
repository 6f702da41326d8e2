package dev.sluice.virtio.blk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.CapturedLog;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A guest that breaks rules all the time gets a line a second. */
final class ChainLogTest {
    private static final long SECOND_NANOS = 1_000_000_000L;

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 17, Long.MAX_VALUE - 10, Long.MIN_VALUE, -SECOND_NANOS})
    void shouldLogTheFirstAndThenOneASecondWithTheNumberOfTheOthers(long start) {
        ChainLog chains = new ChainLog(3);
        try (CapturedLog log = new CapturedLog()) {
            chains.malformed(7, "a rule", start);
            chains.malformed(8, "another", start);
            chains.malformed(9, "another", start + SECOND_NANOS - 1);
            assertThat(log.of(ChainLog.class)).containsExactly("WARN: queue 3: request of head 7 is malformed: a rule; it fails (0 more since the last such line)");
            chains.malformed(10, "yet another", start + SECOND_NANOS);
            chains.malformed(11, "yet another", start + 2 * SECOND_NANOS - 1);
            chains.malformed(12, "the last", start + 3 * SECOND_NANOS);
            assertThat(log.of(ChainLog.class)).hasSize(3);
            assertThat(log.of(ChainLog.class).get(1)).endsWith("head 10 is malformed: yet another; it fails (2 more since the last such line)");
            assertThat(log.of(ChainLog.class).get(2)).endsWith("head 12 is malformed: the last; it fails (1 more since the last such line)");
        }
    }

    @Test
    void shouldCountForEachQueueByItself() {
        try (CapturedLog log = new CapturedLog()) {
            new ChainLog(0).malformed(1, "a rule", 5);
            new ChainLog(1).malformed(2, "a rule", 5);
            assertThat(log.of(ChainLog.class)).hasSize(2);
        }
    }
}
