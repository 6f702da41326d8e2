package dev.sluice.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.virtio.driver.BlockDriver;
import dev.sluice.virtio.driver.BlockDriverOptions;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Not one more thread can be had from "ready" on (pids.max, TasksMax, RLIMIT_NPROC): everything works, and the process ends when it is told to. */
@Timeout(300)
class TaskLimitIT {
    private static final int BLOCK = 4096;

    /** Not on tmpfs, where io_uring needs no worker. */
    @TempDir
    Path directory;

    private Path image;
    private Path socket;

    @BeforeEach
    void makeImage() throws Exception {
        image = Files.createTempFile(Path.of("target"), "sluice-tasks", ".img").toAbsolutePath();
        image.toFile().deleteOnExit();
        socket = directory.resolve("disk.sock");
        SparseFile.create(image, 64 << 20);
    }

    @ParameterizedTest
    @CsvSource({"io_uring, io_uring, false", "io_uring, io_uring, true", "linux-aio, epoll, false", "linux-aio, epoll, true", "nio, epoll, false"})
    void shouldCompleteEveryRequestAndTerminateWhenNoThreadCanBeHad(String backend, String loop, boolean buffered) throws Exception {
        List<Object> arguments = new ArrayList<>(List.of("--blk-file", image, "--socket-path", socket, "--backend", backend, "--loop", loop));
        if (buffered) {
            arguments.add("--buffered");
        }
        try (TaskGroup group = TaskGroup.create();
                SluiceProcess serve = SluiceProcess.serve(arguments.toArray())) {
            group.add(serve.pid());
            group.freeze();
            try (BlockDriver driver = BlockDriver.open(socket.toString(), BlockDriverOptions.defaults())) {
                byte[] block = new byte[BLOCK];
                for (int i = 0; i < 200; i++) {
                    Arrays.fill(block, (byte) i);
                    driver.disk(0).write((long) i * BLOCK, MemorySegment.ofArray(block));
                    if (i % 10 == 0) {
                        driver.disk(0).flush();
                        driver.disk(0).writeZeroes(i * 8L, 8, false);
                        if (!backend.equals("nio")) {
                            driver.disk(0).discard((i + 1000) * 8L, 8);
                        }
                    }
                }
                byte[] read = new byte[BLOCK];
                for (int i = 0; i < 200; i++) {
                    Arrays.fill(block, (byte) (i % 10 == 0 ? 0 : i));
                    driver.disk(0).read((long) i * BLOCK, MemorySegment.ofArray(read));
                    assertThat(read).isEqualTo(block);
                }
            }
            SluiceProcess.Ended ended = serve.terminate();
            assertThat(ended.status()).as(ended.err()).isZero();
            assertThat(ended.err()).contains("terminating: waiting");
        }
    }

    @Test
    void shouldReloadAndTerminateWhenNoThreadCanBeHad() throws Exception {
        Path config = directory.resolve("disks.yaml");
        String disk = "disks:\n  - name: one\n    image: " + image + "\n    socket: " + socket + "\n";
        Files.writeString(config, disk);
        try (TaskGroup group = TaskGroup.create();
                SluiceProcess serve = SluiceProcess.serve("--config", config)) {
            group.add(serve.pid());
            group.freeze();
            serve.signal("HUP");
            assertThat(serve.awaitOut("reloaded")).contains("unchanged [one]");
            Files.writeString(config, disk + "  - name: two\n    image: " + image + ".2\n    socket: " + socket + "2\n");
            SparseFile.create(Path.of(image + ".2"), 1 << 20);
            Path.of(image + ".2").toFile().deleteOnExit();
            serve.signal("HUP");
            // A further disk needs no thread of its own while nobody is connected to it.
            assertThat(serve.awaitOut("added [two]")).contains("unchanged [one]", "failed []");
            try (BlockDriver two = BlockDriver.open(socket + "2", BlockDriverOptions.defaults())) {
                two.disk(0).write(0, MemorySegment.ofArray(new byte[BLOCK]));
                group.freeze();
                // The thread that was there has a front end now: who connects to the other disk is disconnected, and told why.
                try (HandMadeFrontEnd refused = HandMadeFrontEnd.connect(socket)) {
                    assertThat(refused.awaitHangUp()).isTrue();
                }
                assertThat(serve.awaitErr("a front end was disconnected")).containsPattern(socket + ": .*no thread can be started to serve it .*TasksMax");
                group.thaw();
                try (BlockDriver one = BlockDriver.open(socket.toString(), BlockDriverOptions.defaults())) {
                    one.disk(0).write(0, MemorySegment.ofArray(new byte[BLOCK]));
                }
                two.disk(0).write(0, MemorySegment.ofArray(new byte[BLOCK]));
            }
            SluiceProcess.Ended ended = serve.terminate();
            assertThat(ended.status()).as(ended.err()).isZero();
        }
    }

    @Test
    void shouldTerminateOnAnInterruptWhenNoThreadCanBeHad() throws Exception {
        try (TaskGroup group = TaskGroup.create();
                SluiceProcess serve = SluiceProcess.serve("--blk-file", image, "--socket-path", socket)) {
            group.add(serve.pid());
            group.freeze();
            serve.signal("INT");
            SluiceProcess.Ended ended = serve.await();
            assertThat(ended.status()).as(ended.err()).isZero();
        }
    }

    @Test
    void shouldSayHowManyMoreTasksCanBeStartedWhenFewCan() throws Exception {
        try (TaskGroup group = TaskGroup.create()) {
            // A few more than it takes.
            group.limit(30);
            String script = "echo $$ > " + group.pidsMax().resolveSibling("cgroup.procs") + " && exec \"$@\"";
            try (SluiceProcess serve = SluiceProcess.startWith(SluiceProcess.NATIVE_ACCESS, List.of("sh", "-c", script, "sh"), Map.of(), SluiceProcess.MAIN,
                    "serve", "--blk-file", image, "--socket-path", socket)
                    .ready()) {
                assertThat(serve.awaitErr("more tasks")).containsPattern("only \\d+ more tasks can be started \\(.*" + group.pidsMax() + " = 30");
                assertThat(serve.terminate().status()).isZero();
            }
        }
    }
}
