package dev.sluice.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.FrontEndObserver.ConnectionEvent;
import dev.sluice.pipeline.PipelineObserver.QueueEvent;
import dev.sluice.pipeline.PipelineObserver;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Events for Java Flight Recorder. */
class FlightRecorderTest {
    @TempDir
    Path directory;

    private List<RecordedEvent> recorded(String name, Runnable work) throws IOException {
        try (Recording recording = new Recording()) {
            recording.enable(name);
            recording.start();
            work.run();
            recording.stop();
            Path file = directory.resolve("events.jfr");
            recording.dump(file);
            return RecordingFile.readAllEvents(file).stream().filter(event -> event.getEventType().getName().equals(name)).toList();
        }
    }

    @Test
    void shouldTellOfRequestsThatTookLongerThanTheThreshold() throws IOException {
        SluiceMetrics metrics = new SluiceMetrics("disk0", 2, Duration.ofMillis(10));
        List<RecordedEvent> events = recorded("dev.sluice.SlowRequest", () -> {
            metrics.requestCompleted(0, BlockOp.READ, 512, 0, 4_000_000, 6_000_000, PipelineObserver.BYPASSED);
            metrics.requestCompleted(1, BlockOp.WRITE, 8192, Errno.EIO, 4_000_000, 6_000_001, PipelineObserver.BYPASSED);
        });
        assertThat(events).hasSize(1);
        RecordedEvent slow = events.getFirst();
        assertThat(slow.getString("device")).isEqualTo("disk0");
        assertThat(slow.getInt("queue")).isEqualTo(1);
        assertThat(slow.getString("op")).isEqualTo("WRITE");
        assertThat(slow.getLong("bytes")).isEqualTo(8192);
        assertThat(slow.getInt("errno")).isEqualTo(Errno.EIO);
        assertThat(slow.getDuration("waitTime")).isEqualTo(Duration.ofMillis(4));
        assertThat(slow.getDuration("deviceTime")).isEqualTo(Duration.ofNanos(6_000_001));
        assertThat(slow.getBoolean("bypassed")).isTrue();
    }

    @Test
    void shouldTellOfEachOfTheRequestsThatWereAlike() throws IOException {
        SluiceMetrics metrics = new SluiceMetrics("disk0", 1, Duration.ofNanos(1));
        List<RecordedEvent> events = recorded("dev.sluice.SlowRequest", () -> metrics.requestsCompleted(0, BlockOp.READ, 3, 512, 0, 1, 1, 0));
        assertThat(events).hasSize(3).noneMatch(event -> event.getBoolean("bypassed"));
    }

    @Test
    void shouldTellOfNoRequestWithoutAThreshold() throws IOException {
        SluiceMetrics metrics = new SluiceMetrics("disk0", 1);
        assertThat(recorded("dev.sluice.SlowRequest", () -> metrics.requestCompleted(0, BlockOp.READ, 512, 0, 0, Duration.ofHours(1).toNanos(), 0))).isEmpty();
        assertThatThrownBy(() -> new SluiceMetrics("disk0", 1, Duration.ZERO)).hasMessageContaining("slow requests is 0 ns");
    }

    @Test
    void shouldTellOfQueuesAndConnections() throws IOException {
        SluiceMetrics metrics = new SluiceMetrics("disk0", 2);
        List<RecordedEvent> events = recorded("dev.sluice.DeviceState", () -> {
            metrics.connectionEvent(ConnectionEvent.CONNECTED, 4711);
            metrics.queueEvent(1, QueueEvent.STARTED);
            metrics.queueEvent(1, QueueEvent.MALFORMED_CHAIN);
            metrics.queueEvent(1, QueueEvent.BROKEN);
        });
        assertThat(events).extracting(event -> event.getString("change")).containsExactlyInAnyOrder("CONNECTED", "STARTED", "BROKEN");
        assertThat(events).filteredOn(event -> event.getInt("queue") == -1).extracting(event -> event.getInt("peerPid")).containsExactly(4711);
    }
}
