package dev.sluice.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.virtio.driver.BlockDriver;
import dev.sluice.virtio.driver.BlockDriverOptions;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code serve --config}: files of disks, and reading them again. */
class ConfigIT {
    private static final long MIB = 1 << 20;

    @TempDir
    Path directory;

    Path file;

    @BeforeEach
    void makeImages() throws Exception {
        file = directory.resolve("disks.yaml");
        for (String name : List.of("a", "b", "c")) {
            SparseFile.create(directory.resolve(name + ".img"), 4 * MIB);
        }
    }

    @Test
    void shouldAddAndRemoveDisksOnReloadWithoutTouchingTheOthers() throws Exception {
        write(disk("a", ""), disk("b", "queues: 2"));
        try (SluiceProcess serve = SluiceProcess.serve("--config", file, "--loops", 2)) {
            serve.awaitOut("  b: ");
            try (BlockDriver a = open("a"); BlockDriver b = open("b")) {
                mark(b, 7);
                // a goes, c comes, b stays with its guest connected.
                write(disk("b", "queues: 2"), disk("c", "serial: third"));
                reload(serve, "added [c], removed [a], unchanged [b], failed []");
                assertThat(directory.resolve("a.sock")).doesNotExist();
                assertThat(marked(b)).isEqualTo((byte) 7);
                assertThat(b.backendHungUp()).isFalse();
                assertThat(a.backendHungUp()).isTrue();
                try (BlockDriver c = open("c")) {
                    assertThat(c.disk(0).id()).isEqualTo("third");
                }
                // What has changed is opened again.
                write(disk("b", "queues: 2"), disk("c", "serial: fourth"));
                reload(serve, "added [c], removed [c], unchanged [b], failed []");
                try (BlockDriver c = open("c")) {
                    assertThat(c.disk(0).id()).isEqualTo("fourth");
                }
                assertThat(marked(b)).isEqualTo((byte) 7);
            }
            // The image of a is free again.
            try (SluiceProcess other = SluiceProcess.serve("--blk-file", directory.resolve("a.img"), "--socket-path", directory.resolve("a.sock"))) {
                assertThat(other.terminate().status()).isZero();
            }
            SluiceProcess.Ended ended = serve.terminate();
            assertThat(ended.status()).as(ended.err()).isZero();
            assertThat(ended.err()).doesNotContain("error", "bug", "Exception");
        }
        assertThat(directory.resolve("b.sock")).doesNotExist();
        assertThat(directory.resolve("c.sock")).doesNotExist();
    }

    @Test
    void shouldSayThatSighupHasNoEffectWhereItWasIgnoredAtTheStart() throws Exception {
        write(disk("a", ""));
        List<String> nohup = List.of("sh", "-c", "trap '' HUP; exec \"$@\"", "sh");
        try (SluiceProcess serve = SluiceProcess.startWith(SluiceProcess.NATIVE_ACCESS, nohup, Map.of(), SluiceProcess.MAIN, "serve", "--config", file)) {
            serve.ready();
            assertThat(serve.awaitErr(" WARN ")).contains("SIGHUP has no effect");
            serve.signal("HUP");
            open("a").close();
            assertThat(serve.terminate().status()).isZero();
        }
    }

    @Test
    void shouldChangeNothingWhenTheFileIsWrong() throws Exception {
        write(disk("a", ""));
        try (SluiceProcess serve = SluiceProcess.serve("--config", file); BlockDriver a = open("a")) {
            mark(a, 5);
            write(disk("b", ""), disk("c", "queues: 1000"));
            reload(serve, "not reloaded");
            assertThat(serve.awaitErr("1000")).contains("sluice: error: ", "disk 2", "1000", "256");
            assertThat(marked(a)).isEqualTo((byte) 5);
            assertThat(directory.resolve("b.sock")).doesNotExist();
            Files.delete(file);
            serve.signal("HUP");
            serve.awaitErr("no such file");
            Files.writeString(file, "disks: []\n---\ndisks: []\n");
            serve.signal("HUP");
            serve.awaitErr("a second document starts here");
            write(disk("a", "stages: [null]"));
            serve.signal("HUP");
            serve.awaitOut("the disks are unchanged\n", 4);
            assertThat(serve.awaitErr("element without a value")).contains("disk 1 (a): 'stages:'").doesNotContain("a bug in sluice");
            assertThat(marked(a)).isEqualTo((byte) 5);
            assertThat(serve.terminate().status()).isZero();
        }
    }

    /** What can be known to be wrong before the disk is closed must not cost its guest the disk. */
    @Test
    void shouldKeepADiskWhoseNewLinesNameWhatIsNotThere() throws Exception {
        write(disk("a", ""));
        try (SluiceProcess serve = SluiceProcess.serve("--config", file); BlockDriver a = open("a")) {
            mark(a, 6);
            String longPath = "x".repeat(120);
            int reloads = 0;
            for (String wrong : List.of("image: a.img, socket: a.sock, stages: [nope]", "image: a.img, socket: a.sock, backend: nope",
                    "image: a.img, socket: a.sock, loop-of-queue: {0: 9}", "image: a.img, socket: " + longPath)) {
                write("  - {name: a, " + wrong + "}\n");
                serve.signal("HUP");
                serve.awaitOut("not reloaded", ++reloads);
                assertThat(marked(a)).as(wrong).isEqualTo((byte) 6);
            }
            SluiceProcess.Ended ended = serve.terminate();
            assertThat(ended.status()).isZero();
            assertThat(ended.err()).contains(
                    "disk a: there is no stage 'nope'", "backend 'nope'", "loop of queue 0: 9 is not from 0 to 0", "at most 107 bytes");
        }
    }

    @Test
    void shouldServeTheOthersWhenOneCannotBeOpenedOnReload() throws Exception {
        write(disk("a", ""));
        try (SluiceProcess serve = SluiceProcess.serve("--config", file)) {
            Files.move(directory.resolve("b.img"), directory.resolve("away.img"));
            write(disk("a", ""), disk("b", ""), disk("c", ""));
            reload(serve, "added [c], removed [], unchanged [a], failed [b]");
            assertThat(serve.awaitErr("ENOENT")).contains("sluice: error: disk b: open ", "ENOENT");
            open("c").close();
            Files.move(directory.resolve("away.img"), directory.resolve("b.img"));
            reload(serve, "added [b], removed [], unchanged [a, c], failed []");
            open("b").close();
            assertThat(serve.terminate().status()).isZero();
        }
    }

    @Test
    void shouldEndWithOneLineWhenADiskCannotBeOpenedAtTheStart() throws Exception {
        write(disk("a", ""), disk("missing", ""));
        oneLine(SluiceProcess.run("serve", "--config", file), "disk missing: ", "missing.img", "ENOENT");
        assertThat(directory.resolve("a.sock")).doesNotExist();

        SparseFile.create(directory.resolve("odd.img"), MIB + 100);
        write(disk("odd", ""));
        oneLine(SluiceProcess.run("serve", "--config", file), "disk odd: ", "512");

        Files.writeString(directory.resolve("a.sock"), "precious");
        write(disk("a", ""));
        oneLine(SluiceProcess.run("serve", "--config", file), "disk a: ", "a.sock", "not a socket");
        assertThat(directory.resolve("a.sock")).hasContent("precious");

        // What is found only when a socket is made comes last and once, behind what is logged of the disks before.
        write(disk("b", ""), disk("a", ""), disk("c", ""));
        SluiceProcess.Ended ended = SluiceProcess.run("serve", "--config", file);
        assertThat(ended.status()).isEqualTo(1);
        assertThat(ended.err().lines()).last().asString().startsWith("sluice: error: disk a: ").contains("a.sock", "not a socket");
        assertThat(ended.err().lines().filter(line -> !line.contains(" INFO "))).as(ended.err()).hasSize(1);
        assertThat(ended.err()).contains("b.sock").doesNotContain("c.sock");
        assertThat(directory.resolve("b.sock")).doesNotExist();
        Files.delete(directory.resolve("a.sock"));

        write(disk("a", ""), disk("b", "loop-of-queue: {0: 1}"));
        oneLine(SluiceProcess.run("serve", "--config", file), "disk b: ", "loop of queue 0: 1 is not from 0 to 0");

        write(disk("b", "backend: spdk"));
        oneLine(SluiceProcess.run("serve", "--config", file), "disk b: ", "spdk", "io_uring");

        oneLine(SluiceProcess.run("serve", "--config", directory), directory + ": is a directory");

        write(disk("b", "queues: 0"));
        oneLine(SluiceProcess.run("serve", "--config", file), "disk 1 (b)", "0", "256");

        write(disk("b", ""));
        try (SluiceProcess busy = SluiceProcess.serve("--blk-file", directory.resolve("b.img"), "--socket-path", directory.resolve("other.sock"))) {
            oneLine(SluiceProcess.run("serve", "--config", file), "disk b: ", "lock", "b.img");
            assertThat(busy.isAlive()).isTrue();
        }
        try (SluiceProcess denied = SluiceProcess.startWith(List.of("--illegal-native-access=deny"), "serve", "--config", file)) {
            oneLine(denied.await(), "--enable-native-access=ALL-UNNAMED");
        }
    }

    @Test
    void shouldRefuseOptionsOfADiskBesideAFileOfDisks() throws Exception {
        write(disk("a", ""));
        SluiceProcess.Ended ended = SluiceProcess.run("serve", "--config", file, "--num-queues", 4);
        assertThat(ended.status()).isEqualTo(2);
        assertThat(ended.err()).contains("--num-queues", "--config");
        assertThat(SluiceProcess.run("serve", "--config", file, "--socket-path", directory.resolve("x.sock")).status()).isEqualTo(2);
    }

    @Test
    void shouldLogAsMuchAsItIsTold() throws Exception {
        write(disk("a", ""));
        try (SluiceProcess serve = SluiceProcess.serve("--config", file, "--log-level", "error")) {
            open("a").close();
            assertThat(serve.terminate().err()).isEmpty();
        }
        try (SluiceProcess serve = SluiceProcess.serve("--config", file, "--log-level", "INFO")) {
            open("a").close();
            assertThat(serve.terminate().err()).contains("front end connected");
        }
        SluiceProcess.Ended ended = SluiceProcess.run("serve", "--config", file, "--log-level", "loud");
        assertThat(ended.status()).isEqualTo(2);
        assertThat(ended.err()).contains("--log-level", "loud");
    }

    private String disk(String name, String setting) {
        return "  - name: " + name + "\n    image: " + name + ".img\n    socket: " + name + ".sock\n" + (setting.isEmpty() ? "" : "    " + setting + "\n");
    }

    private void write(String... disks) throws Exception {
        Files.writeString(file, "disks:\n" + String.join("", disks));
    }

    private static void reload(SluiceProcess serve, String said) throws Exception {
        serve.signal("HUP");
        serve.awaitOut(said);
    }

    private BlockDriver open(String name) throws Exception {
        return BlockDriver.open(directory.resolve(name + ".sock").toString(), BlockDriverOptions.defaults());
    }

    private static void mark(BlockDriver driver, int value) throws Exception {
        byte[] block = new byte[4096];
        Arrays.fill(block, (byte) value);
        driver.disk(0).write(8192, MemorySegment.ofArray(block));
    }

    private static byte marked(BlockDriver driver) throws Exception {
        byte[] block = new byte[4096];
        driver.disk(0).read(8192, MemorySegment.ofArray(block));
        return block[100];
    }

    private static void oneLine(SluiceProcess.Ended ended, String... named) {
        assertThat(ended.status()).as("status; stderr: %s", ended.err()).isEqualTo(1);
        // All disks are opened before the first is served: nothing is logged of those that could have been.
        assertThat(ended.err().lines()).as("stderr: %s", ended.err()).hasSize(1);
        assertThat(ended.err()).startsWith("sluice: error: ").contains(named);
        assertThat(ended.out()).isEmpty();
    }
}
