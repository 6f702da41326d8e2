package dev.sluice.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.sluice.virtio.driver.BlockDriver;
import dev.sluice.virtio.driver.BlockDriverOptions;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * {@code serve --cache} and {@code --state-file} over the end of the process. The judge of durability is the kernel: a loop device counts the flushes
 * that it is sent, and a durable write (RWF_DSYNC) sends one.
 */
class CacheModeIT {
    private static final int WRITEBACK = 32;
    private static final int SECTOR = 4096;
    /** Of /sys/block/DEVICE/stat (Documentation/block/stat.rst). */
    private static final int FLUSHES = 15;

    @TempDir
    Path directory;

    private Path socket;
    private String device = "";

    @BeforeEach
    void attach() throws Exception {
        socket = directory.resolve("disk.sock");
        Path file = directory.resolve("disk.img");
        SparseFile.create(file, 4 << 20);
        Process attached = new ProcessBuilder("losetup", "-f", "--show", file.toString()).redirectErrorStream(true).start();
        String said = new String(attached.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        assumeThat(attached.waitFor()).as("SKIPPED: the flushes of a durable write, as losetup needs root and loop devices: %s", said).isZero();
        device = said;
    }

    @AfterEach
    void detach() throws Exception {
        if (!device.isEmpty()) {
            assertThat(new ProcessBuilder("losetup", "-d", device).start().waitFor()).isZero();
        }
    }

    private long flushes() throws IOException {
        String[] counts = Files.readString(Path.of("/sys/block", Path.of(device).getFileName().toString(), "stat")).strip().split("\\s+", -1);
        return Long.parseLong(counts[FLUSHES]);
    }

    /** Whether a write that has completed has made the device flush. */
    private boolean writesAreDurable(BlockDriver driver) throws IOException {
        long before = flushes();
        driver.disk(0).write(SECTOR, MemorySegment.ofArray(new byte[SECTOR]));
        return flushes() > before;
    }

    private BlockDriver open() throws IOException {
        return BlockDriver.open(socket.toString(), BlockDriverOptions.defaults());
    }

    private static void set(BlockDriver driver, int writeback) throws IOException {
        driver.frontend().setConfig(WRITEBACK, MemorySegment.ofArray(new byte[] {(byte) writeback}), 0);
    }

    @ParameterizedTest
    @ValueSource(strings = {"io_uring", "linux-aio", "nio"})
    void shouldWriteDurablyAfterARestartWhenTheGuestHadTurnedTheCacheOff(String backend) throws Exception {
        Object[] serve = {"--blk-file", device, "--socket-path", socket, "--backend", backend};
        try (SluiceProcess first = SluiceProcess.serve(serve)) {
            try (BlockDriver driver = open()) {
                assertThat(writesAreDurable(driver)).isFalse();
                set(driver, 0);
                assertThat(writesAreDurable(driver)).isTrue();
            }
            assertThat(first.terminate().status()).isZero();
        }
        try (SluiceProcess second = SluiceProcess.serve(serve); BlockDriver driver = open()) {
            assertThat(writesAreDurable(driver)).isTrue();
            // As a crash would: what was acknowledged is there.
            set(driver, 1);
            second.kill();
        }
        try (SluiceProcess third = SluiceProcess.serve(serve); BlockDriver driver = open()) {
            assertThat(writesAreDurable(driver)).isFalse();
            assertThat(third.isAlive()).isTrue();
        }
    }

    @Test
    void shouldKeepTheModeWhenAReloadOpensTheDiskAnew() throws Exception {
        Path file = directory.resolve("disks.yaml");
        String disk = "disks:\n  - name: d\n    image: " + device + "\n    socket: disk.sock\n    state-file: kept\n    serial: ";
        Files.writeString(file, disk + "first\n");
        try (SluiceProcess serve = SluiceProcess.serve("--config", file)) {
            try (BlockDriver driver = open()) {
                set(driver, 0);
            }
            assertThat(directory.resolve("kept")).content().contains("writethrough");
            Files.writeString(file, disk + "second\n");
            serve.signal("HUP");
            serve.awaitOut("added [d]");
            try (BlockDriver driver = open()) {
                assertThat(driver.disk(0).id()).isEqualTo("second");
                assertThat(writesAreDurable(driver)).isTrue();
            }
            Files.writeString(directory.resolve("kept"), "torn");
            Files.writeString(file, disk + "third\n");
            serve.signal("HUP");
            serve.awaitOut("removed [d]", 2);
            try (BlockDriver driver = open()) {
                assertThat(writesAreDurable(driver)).isTrue();
            }
            assertThat(serve.terminate().err()).containsOnlyOnce("WARN").contains("kept: is not a state file of this version");
        }
    }

    @Test
    void shouldWriteAsTheCommandLineFixesIt() throws Exception {
        try (SluiceProcess serve = SluiceProcess.serve("--blk-file", device, "--socket-path", socket, "--cache", "writethrough"); BlockDriver driver = open()) {
            assertThat(writesAreDurable(driver)).isTrue();
            assertThat(serve.isAlive()).isTrue();
        }
        try (SluiceProcess serve = SluiceProcess.serve("--blk-file", device, "--socket-path", socket, "--cache", "writeback"); BlockDriver driver = open()) {
            assertThat(writesAreDurable(driver)).isFalse();
            assertThat(serve.isAlive()).isTrue();
        }
        SluiceProcess.Ended unknown = SluiceProcess.run("serve", "--blk-file", device, "--socket-path", socket, "--cache", "none");
        assertThat(unknown.status()).isEqualTo(2);
        assertThat(unknown.err()).contains("--cache", "guest, writeback, writethrough");
        SluiceProcess.Ended idle =
                SluiceProcess.run("serve", "--blk-file", device, "--socket-path", socket, "--cache", "writeback", "--state-file", directory.resolve("s"));
        assertThat(idle.status()).isEqualTo(1);
        assertThat(idle.err().lines()).hasSize(1).first().asString().contains("has no effect with cache writeback");
        SluiceProcess.Ended nowhere = SluiceProcess.run("serve", "--blk-file", device, "--socket-path", socket, "--state-file", directory.resolve("no/s"));
        assertThat(nowhere.status()).isEqualTo(1);
        assertThat(nowhere.err().lines()).hasSize(1).first().asString().contains("its directory does not exist");
    }
}
