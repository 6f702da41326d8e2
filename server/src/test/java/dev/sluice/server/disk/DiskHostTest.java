package dev.sluice.server.disk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.server.systemd.ActivatedSockets;
import java.io.RandomAccessFile;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The disks of a process: who is notified of them, and a disk that is paused. */
class DiskHostTest {
    @TempDir
    Path directory;

    private DiskSpec spec(String name) throws Exception {
        Path image = directory.resolve(name + ".img");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(1 << 20);
        }
        return DiskSpec.of(image, new Endpoint.SocketPath(directory.resolve(name + ".sock"))).name(name).build();
    }

    /** Keeps what it is notified of. */
    private static final class Recorded implements DiskListener {
        final List<String> events = new ArrayList<>();

        @Override
        public void diskAdded(Disk disk) {
            events.add("+" + disk.name());
        }

        @Override
        public void diskRemoved(Disk disk) {
            events.add("-" + disk.name());
        }
    }

    @Test
    void shouldNotifyOfTheDisksThatThereAreAndOfEachChange() throws Exception {
        Recorded recorded = new Recorded();
        try (DiskHost host = DiskHost.start(LoopSpec.DEFAULT, ActivatedSockets.none())) {
            DiskSpec a = spec("a");
            DiskSpec b = spec("b");
            host.add(a);
            host.listen(recorded);
            assertThat(recorded.events).containsExactly("+a");
            host.change(List.of(a, b));
            host.change(List.of(b));
            assertThat(recorded.events).containsExactly("+a", "+b", "-a");
            host.unlisten(recorded);
            host.change(List.of());
            assertThat(recorded.events).hasSize(3);
        }
    }

    @Test
    void shouldPauseAndResumeTheFrontEndsOfADisk() throws Exception {
        try (DiskHost host = DiskHost.start(LoopSpec.DEFAULT, ActivatedSockets.none())) {
            Disk disk = host.add(spec("a"));
            assertThat(disk.pause()).succeedsWithin(Duration.ofSeconds(20));
            assertThat(disk.frontEnds()).allMatch(frontEnd -> frontEnd.describe().paused());
            disk.resume();
            assertThat(disk.frontEnds()).noneMatch(frontEnd -> frontEnd.describe().paused());
        }
    }
}
