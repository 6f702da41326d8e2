package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.CapturedLog;
import dev.sluice.pipeline.FrontEndObserver.ConnectionEvent;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** An observer of a front end gets what happens, and what it throws reaches nothing but the log. */
final class FrontEndObserverTest {
    private final List<String> seen = new ArrayList<>();

    private final FrontEndObserver recording = new FrontEndObserver() {
        @Override
        public void connectionEvent(ConnectionEvent event, int peerPid) {
            seen.add(event + " " + peerPid);
        }
    };

    private final FrontEndObserver throwing = new FrontEndObserver() {
        @Override
        public void connectionEvent(ConnectionEvent event, int peerPid) {
            throw new AssertionError(event);
        }
    };

    @Test
    void shouldPassOnWhatHappens() {
        FrontEndObserver observer = FrontEndObserver.guarded(recording, "/run/s");
        for (ConnectionEvent event : ConnectionEvent.values()) {
            observer.connectionEvent(event, 1234);
        }
        assertThat(seen).containsExactly("CONNECTED 1234", "DISCONNECTED 1234", "VIOLATION 1234", "FAILED 1234");
    }

    @Test
    void shouldSeeNothingByDefault() {
        FrontEndObserver.NONE.connectionEvent(ConnectionEvent.CONNECTED, 1);
    }

    @Test
    void shouldLogWhatAnObserverThrows() {
        FrontEndObserver observer = FrontEndObserver.guarded(throwing, "/run/s");
        try (CapturedLog log = new CapturedLog()) {
            observer.connectionEvent(ConnectionEvent.VIOLATION, 1234);
            assertThat(log.of(FrontEndObserver.class)).containsExactly("ERROR: /run/s: the observer of the front end failed on VIOLATION");
        }
    }

    @Test
    void shouldLogRepeatedFailuresWithinALimit() {
        FrontEndObserver observer = FrontEndObserver.guarded(throwing, "/run/s");
        try (CapturedLog log = new CapturedLog()) {
            for (int i = 0; i < 100; i++) {
                observer.connectionEvent(ConnectionEvent.CONNECTED, 1);
            }
            assertThat(log.of(FrontEndObserver.class)).hasSizeBetween(1, 9);
        }
    }
}
