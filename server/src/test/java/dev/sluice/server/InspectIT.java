package dev.sluice.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.sluice.virtio.driver.BlockDriver;
import dev.sluice.virtio.driver.BlockDriverOptions;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code sluice inspect} on disks of Sluice and of a peer, and on sockets that are none. */
class InspectIT {
    private static final Path STORAGE_DAEMON = Path.of("/usr/bin/qemu-storage-daemon");

    @TempDir
    Path directory;

    Path image;
    Path socket;

    @BeforeEach
    void makeImage() throws Exception {
        image = directory.resolve("disk.img");
        socket = directory.resolve("disk.sock");
        SparseFile.create(image, 8 << 20);
    }

    @Test
    void shouldSayWhatSluiceOffers() throws Exception {
        try (SluiceProcess serve = SluiceProcess.serve("--blk-file", image, "--socket-path", socket, "--num-queues", 3, "--read-only")) {
            SluiceProcess.Ended ended = SluiceProcess.run("inspect", socket);
            assertThat(ended.status()).as(ended.err()).isZero();
            assertThat(ended.out()).contains(
                    "is served by java, process ", "F_VERSION_1", "virtio 1.0 or newer", "BLK_F_RO", "REPLY_ACK", "queues             3 at most",
                    "8,388,608 bytes (8.0 MiB)", "access             read-only", "segments           126 of a request");
            // It leaves the disk as it was: a front end connects after it.
            BlockDriver.open(socket.toString(), BlockDriverOptions.defaults()).close();
            assertThat(serve.terminate().status()).isZero();
        }
    }

    @Test
    void shouldSayWhatQemuStorageDaemonOffers() throws Exception {
        assumeThat(STORAGE_DAEMON).as("SKIPPED: inspect on qemu-storage-daemon, which is not installed (apt-get install qemu-system-common)").isExecutable();
        Process daemon = new ProcessBuilder(
                STORAGE_DAEMON.toString(), "--blockdev", "driver=file,node-name=disk,filename=" + image,
                "--export", "type=vhost-user-blk,id=export,node-name=disk,num-queues=2,writable=on,addr.type=unix,addr.path=" + socket)
                .inheritIO()
                .start();
        try {
            long deadline = System.nanoTime() + 30_000_000_000L;
            while (!Files.exists(socket) && daemon.isAlive() && System.nanoTime() < deadline) {
                Thread.sleep(20);
            }
            SluiceProcess.Ended ended = SluiceProcess.run("inspect", socket);
            assertThat(ended.status()).as(ended.err()).isZero();
            assertThat(ended.out()).contains(
                    "qemu-storage-da", "BLK_F_MQ", "several queues", "CONFIG", "8,388,608 bytes (8.0 MiB)", "access             read and write",
                    "write zeroes");
        } finally {
            daemon.destroy();
            daemon.waitFor();
        }
    }

    @Test
    void shouldSayThatNobodyListens() throws Exception {
        SluiceProcess.Ended ended = SluiceProcess.run("inspect", directory.resolve("nobody.sock"));
        oneError(ended, "nobody.sock", "there is no socket; start the backend first");
    }

    @Test
    void shouldNotWaitForADiskThatHasAFrontEnd() throws Exception {
        try (SluiceProcess serve = SluiceProcess.serve("--blk-file", image, "--socket-path", socket);
                BlockDriver _ = BlockDriver.open(socket.toString(), BlockDriverOptions.defaults())) {
            oneError(SluiceProcess.run("inspect", socket), "no reply from " + socket, "another front end may be connected");
            assertThat(serve.isAlive()).isTrue();
        }
    }

    @Test
    void shouldSayThatAnHttpServerIsNoDisk() throws Exception {
        try (HttpOnSocket _ = HttpOnSocket.start(socket)) {
            oneError(SluiceProcess.run("inspect", socket), socket + " does not speak vhost-user");
        }
    }

    /** Failed with one line that names all of this. */
    private static void oneError(SluiceProcess.Ended ended, String... named) {
        assertThat(ended.status()).as(ended.err()).isEqualTo(1);
        List<String> lines = ended.err().lines().toList();
        assertThat(lines).as("stderr: %s", ended.err()).hasSize(1);
        assertThat(lines.getFirst()).startsWith("sluice: error: ").contains(named);
    }
}
