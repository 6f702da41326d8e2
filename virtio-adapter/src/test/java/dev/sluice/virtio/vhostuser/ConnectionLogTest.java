package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.CapturedLog;
import dev.sluice.pipeline.LogLimiter;
import org.junit.jupiter.api.Test;

/** Each line names the disk and is one line; a kind of line and a user at the other end have their own limit. */
final class ConnectionLogTest {
    private final ConnectionLog log = new ConnectionLog("disk.sock");

    @Test
    void shouldNameTheDiskInOneLine() {
        try (CapturedLog captured = new CapturedLog()) {
            log.info(ConnectionLog.Kind.CONNECTED, "front end connected");
            log.warn(ConnectionLog.Kind.REFUSED, "two\nlines");
            log.error("our own fault", new IllegalStateException("with its stack"));
            assertThat(captured.text())
                    .containsSubsequence("INFO", "disk.sock: front end connected", "WARN", "disk.sock: two")
                    .containsSubsequence("ERROR", "disk.sock: our own fault", "with its stack", "\tat ")
                    .doesNotContain("two\nlines");
        }
    }

    @Test
    void shouldLimitEachKindOfLineOfEachUser() {
        try (CapturedLog captured = new CapturedLog()) {
            log.peer(1000);
            assertLimited(captured, () -> log.warn(ConnectionLog.Kind.REFUSED, "refused"), "disk.sock: refused");
            log.warn(ConnectionLog.Kind.VIOLATION, "another kind");
            log.peer(1001);
            log.warn(ConnectionLog.Kind.REFUSED, "another user");
            log.noPeer();
            log.warn(ConnectionLog.Kind.REFUSED, "nobody");
            assertThat(captured.text()).contains("another kind", "another user", "nobody");
        }
    }

    @Test
    void shouldLimitErrors() {
        try (CapturedLog captured = new CapturedLog()) {
            assertLimited(captured, () -> log.error("our own fault", new IllegalStateException("simulated")), "disk.sock: our own fault");
        }
    }

    /** A line a second after the burst. */
    private static void assertLimited(CapturedLog captured, Runnable logs, String line) {
        long begun = System.nanoTime();
        for (int i = 0; i < 20 * LogLimiter.BURST; i++) {
            logs.run();
        }
        long seconds = (System.nanoTime() - begun) / 1_000_000_000L;
        long logged = captured.text().lines().filter(each -> each.contains(line)).count();
        assertThat(logged).isBetween((long) LogLimiter.BURST, LogLimiter.BURST + seconds + 1);
    }

    @Test
    void shouldSayAtTheEndHowManyLinesWereLeftOut() {
        try (CapturedLog captured = new CapturedLog()) {
            log.close();
            assertThat(captured.text()).isEmpty();
            for (int i = 0; i < 3 * LogLimiter.BURST; i++) {
                log.info(ConnectionLog.Kind.CONNECTED, "front end connected");
            }
            log.close();
            assertThat(captured.text()).containsPattern("WARN .* disk.sock: \\d+ more lines about front ends were not logged");
            int length = captured.text().length();
            log.close();
            assertThat(captured.text()).as("said once").hasSize(length);
        }
    }
}
