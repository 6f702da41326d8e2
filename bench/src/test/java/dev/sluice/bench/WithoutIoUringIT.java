package dev.sluice.bench;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.WithoutIoUring;
import dev.sluice.server.SluiceProcess;
import dev.sluice.server.SparseFile;
import dev.sluice.virtio.driver.BlockDriver;
import dev.sluice.virtio.driver.BlockDriverOptions;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command where io_uring is forbidden to it, as the default seccomp profiles of containers do. */
class WithoutIoUringIT {
    private static final String FORBIDDEN = "io_uring is forbidden to this process (";

    @TempDir
    Path directory;

    Path image;
    Path socket;

    @BeforeEach
    void makeImage() throws Exception {
        image = directory.resolve("disk.img");
        socket = directory.resolve("disk.sock");
        SparseFile.create(image, 1 << 20);
    }

    @Test
    void shouldServeThroughLinuxAioOnEpollAndSayWhy() throws Exception {
        try (SluiceProcess serve = start("serve", "--blk-file", image, "--socket-path", socket, "--loop", "auto", "--backend", "auto", "--loops", 2).ready()) {
            try (BlockDriver driver = BlockDriver.open(socket.toString(), BlockDriverOptions.defaults())) {
                byte[] block = new byte[4096];
                block[7] = 7;
                driver.disk(0).write(8192, MemorySegment.ofArray(block));
                driver.disk(0).flush();
                byte[] read = new byte[4096];
                driver.disk(0).read(8192, MemorySegment.ofArray(read));
                assertThat(read).isEqualTo(block);
            }
            SluiceProcess.Ended ended = serve.terminate();
            assertThat(ended.status()).as(ended.err()).isZero();
            assertThat(ended.out()).contains(", linux-aio) on ");
            assertThat(ended.err().lines().filter(line -> line.contains(FORBIDDEN)))
                    .as(ended.err())
                    .satisfiesExactlyInAnyOrder(
                            loops -> assertThat(loops).contains("loop epoll; passed over: io_uring: ", "seccomp"),
                            backend -> assertThat(backend).contains("backend linux-aio on loop epoll; passed over: io_uring: ", "seccomp"));
        }
    }

    @Test
    void shouldSayInOneLineThatItIsForbiddenWhenAskedForTheRing() throws Exception {
        for (String option : List.of("--loop", "--backend")) {
            try (SluiceProcess refused = start("serve", "--blk-file", image, "--socket-path", socket, option, "io_uring")) {
                SluiceProcess.Ended ended = refused.await();
                assertThat(ended.status()).as(ended.err()).isEqualTo(1);
                assertThat(ended.err().lines()).as(ended.err()).hasSize(1);
                assertThat(ended.err()).startsWith("sluice: error: ").contains(FORBIDDEN, "allow io_uring_setup, io_uring_enter and io_uring_register");
                assertThat(ended.out()).isEmpty();
            }
        }
    }

    /** Setup and register allowed, enter not: by the looks of it there are rings. */
    @Test
    void shouldServeThroughLinuxAioOnEpollWhenARingCanBeMadeButNotEntered() throws Exception {
        List<String> enterAlone = new ArrayList<>(SluiceProcess.NATIVE_ACCESS);
        enterAlone.add("-Dsluice.test.forbid=enter");
        try (SluiceProcess serve = SluiceProcess.startWith(enterAlone, List.of(), Map.of(), WithoutIoUring.class.getName(),
                SluiceProcess.MAIN, "serve", "--blk-file", image, "--socket-path", socket)
                .ready()) {
            try (BlockDriver driver = BlockDriver.open(socket.toString(), BlockDriverOptions.defaults())) {
                driver.disk(0).read(0, MemorySegment.ofArray(new byte[4096]));
            }
            SluiceProcess.Ended ended = serve.terminate();
            assertThat(ended.status()).as(ended.err()).isZero();
            assertThat(ended.out()).contains(", linux-aio) on ");
            assertThat(ended.err()).contains("loop epoll; passed over: io_uring: " + FORBIDDEN);
        }
    }

    @Test
    void shouldShowTheDemo() throws Exception {
        try (SluiceProcess demo = start("demo", "--seconds", "0.5")) {
            SluiceProcess.Ended ended = demo.await();
            assertThat(ended.status()).as(ended.out() + ended.err()).isZero();
            assertThat(ended.out()).contains(", linux-aio) on ", ", 0 wrong", "All data was correct");
            // Of the process that serves, which inherits what is forbidden.
            assertThat(ended.err()).contains("loop epoll; passed over: io_uring: " + FORBIDDEN);
        }
    }

    private static SluiceProcess start(Object... arguments) throws Exception {
        List<Object> all = new ArrayList<>(List.of(SluiceProcess.MAIN));
        all.addAll(List.of(arguments));
        return SluiceProcess.startWith(SluiceProcess.NATIVE_ACCESS, List.of(), Map.of(), WithoutIoUring.class.getName(), all.toArray());
    }
}
