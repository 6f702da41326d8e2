package dev.sluice.bench.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The kit by itself, on QEMU's own backend: that a guest which fails is seen to fail. */
class GuestKitIT {
    private static final Duration TIME_LIMIT = Duration.ofMinutes(2);

    @TempDir
    Path directory;
    private DiskServer.Disk disk;

    private static GuestTools tools;

    @BeforeAll
    static void requireGuest() {
        tools = GuestRequirement.orSkip(GuestKitIT.class, HostProgram.QEMU_STORAGE_DAEMON);
    }

    @BeforeEach
    void makeDisk() throws Exception {
        disk = new DiskServer.Disk(directory.resolve("disk.img"), directory.resolve("disk.sock"), 1, "", false);
        try (RandomAccessFile file = new RandomAccessFile(disk.image().toFile(), "rw")) {
            file.setLength(1 << 20);
        }
    }

    @Test
    void shouldTalkToTheScriptAndReturnItsExitStatus() throws Exception {
        GuestScript script =
                new GuestScript("echo \"asking $WHO\"\nread -r answer\necho \"heard $answer\"\nexit 7\n").with("WHO", "the host");
        try (DiskServer server = DiskServer.start(DiskServer.Kind.STORAGE_DAEMON, disk);
                Guest guest = boot(script, TIME_LIMIT)) {
            guest.awaitLine("asking the host");
            guest.send("an answer");
            GuestResult result = guest.await();
            assertThat(result.exitStatus()).isEqualTo(7);
            assertThat(result.output().lines()).contains("asking the host", "heard an answer");
            server.terminate();
        }
    }

    @Test
    void shouldRunTheScriptOfTheDemo() throws Exception {
        DiskServer.Disk large = new DiskServer.Disk(directory.resolve("large.img"), disk.socket(), 2, "", false);
        try (RandomAccessFile file = new RandomAccessFile(large.image().toFile(), "rw")) {
            file.setLength(256L << 20);
        }
        try (DiskServer server = DiskServer.start(DiskServer.Kind.STORAGE_DAEMON, large);
                Guest guest = boot(large, GuestScript.demo(large.numQueues(), 1, 42), TIME_LIMIT)) {
            GuestResult result = guest.await();
            assertThat(result.exitStatus()).as(result.output()).isZero();
            assertThat(result.output())
                    .contains("2 queues", "verified-writes: (groupid=0, jobs=2)", "random-reads: (groupid=0, jobs=2)", "virtio0-req.1");
            server.terminate();
        }
    }

    @Test
    void shouldKillAGuestThatOutlivesItsTimeAndRemoveItsFiles() throws Exception {
        long before = leftovers();
        try (DiskServer server = DiskServer.start(DiskServer.Kind.STORAGE_DAEMON, disk)) {
            Guest guest = boot(new GuestScript("read -r never\n"), Duration.ofSeconds(2));
            try {
                assertThatThrownBy(guest::await)
                        .isInstanceOf(GuestException.class)
                        .hasMessageContaining("did not power off within 2 s");
            } finally {
                guest.close();
            }
            assertThatThrownBy(() -> guest.send("anybody?")).isInstanceOf(IOException.class);
            server.terminate();
        }
        assertThat(leftovers()).isEqualTo(before);
    }

    @Test
    void shouldRefuseToBootWithoutABackend() {
        assertThatThrownBy(() -> boot(new GuestScript("true"), TIME_LIMIT))
                .isInstanceOf(GuestException.class)
                .hasMessageContaining("no socket at");
    }

    private Guest boot(GuestScript script, Duration timeLimit) throws Exception {
        return boot(disk, script, timeLimit);
    }

    private static Guest boot(DiskServer.Disk disk, GuestScript script, Duration timeLimit) throws Exception {
        GuestSpec spec = new GuestSpec(disk.socket(), disk.numQueues(), script, timeLimit);
        return Guest.boot(tools, spec, line -> System.out.println("[guest] " + line));
    }

    private static long leftovers() throws Exception {
        try (Stream<Path> files = Files.list(Path.of(System.getProperty("java.io.tmpdir")))) {
            return files.filter(file -> file.getFileName().toString().startsWith("sluice-guest-")).count();
        }
    }
}
