package dev.sluice.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.sluice.linux.LinuxAio;
import dev.sluice.virtio.driver.BlockDriver;
import dev.sluice.virtio.driver.BlockDriverOptions;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * {@code serve} on a machine whose AIO events are nearly used up. This test holds so many that one loop cannot have the most that it may ask for; whatever
 * else runs here meanwhile finds enough for what it usually takes.
 */
class AioEventsIT {
    private static final int MOST = 32768;
    private static final long LEFT_TO_OTHERS = 20_000;
    private static final int MAX_CONTEXTS = 64;
    private static final Path IN_USE = Path.of("/proc/sys/fs/aio-nr");
    private static final Path LIMIT = Path.of("/proc/sys/fs/aio-max-nr");

    @TempDir
    Path directory;

    Path image;
    Path socket;
    final List<Long> contexts = new ArrayList<>();

    @BeforeEach
    void holdEvents() throws Exception {
        image = directory.resolve("disk.img");
        socket = directory.resolve("disk.sock");
        SparseFile.create(image, 1 << 20);
        for (long surplus = surplus(); surplus > 0 && contexts.size() < MAX_CONTEXTS; surplus = surplus()) {
            long context = LinuxAio.setup((int) Math.min(surplus, MOST));
            if (context < 0) {
                break;
            }
            contexts.add(context);
        }
        assumeThat(number(LIMIT) - number(IN_USE))
                .as("SKIPPED: used up AIO events, as fs.aio-max-nr is larger than this test can use up (or there is no Linux AIO here)")
                .isLessThan(MOST);
    }

    @AfterEach
    void giveThemBack() {
        contexts.forEach(LinuxAio::destroy);
    }

    private static long surplus() throws IOException {
        return number(LIMIT) - number(IN_USE) - LEFT_TO_OTHERS;
    }

    private static long number(Path sysctl) throws IOException {
        return Long.parseLong(Files.readAllLines(sysctl).getFirst().strip());
    }

    @Test
    void shouldEndWithOneLineThatNamesBothNumbers() throws Exception {
        SluiceProcess.Ended ended =
                SluiceProcess.run("serve", "--blk-file", image, "--socket-path", socket, "--backend", "linux-aio", "--aio-max-events", MOST);
        assertThat(ended.status()).as(ended.err()).isEqualTo(1);
        assertThat(ended.err().lines()).as(ended.err()).hasSize(1);
        assertThat(ended.err())
                .startsWith("sluice: error: ")
                .contains("io_setup(" + MOST + "): EAGAIN")
                .containsPattern("fs\\.aio-nr = \\d{3,} of fs\\.aio-max-nr = " + number(LIMIT) + ":")
                .contains("raise it as root", "ask for fewer events");
        assertThat(ended.out()).isEmpty();
        assertThat(socket).doesNotExist();
    }

    @Test
    void shouldFallBackToTheNextBackendAndSayWhyWhenItMayChoose() throws Exception {
        try (SluiceProcess serve =
                SluiceProcess.serve("--blk-file", image, "--socket-path", socket, "--loop", "epoll", "--backend", "auto", "--aio-max-events", MOST)) {
            try (BlockDriver driver = BlockDriver.open(socket.toString(), BlockDriverOptions.defaults())) {
                byte[] block = new byte[4096];
                block[7] = 7;
                driver.disk(0).write(8192, MemorySegment.ofArray(block));
                byte[] read = new byte[4096];
                driver.disk(0).read(8192, MemorySegment.ofArray(read));
                assertThat(read).isEqualTo(block);
            }
            SluiceProcess.Ended ended = serve.terminate();
            assertThat(ended.status()).as(ended.err()).isZero();
            assertThat(ended.out()).contains(", nio) on ");
            assertThat(ended.err().lines().filter(line -> line.contains("passed over")))
                    .singleElement()
                    .asString()
                    .contains("backend nio on loop epoll", "linux-aio: io_setup(" + MOST + "): EAGAIN", "fs.aio-max-nr = " + number(LIMIT));
        }
        // With what is left it can have what it usually takes.
        try (SluiceProcess serve = SluiceProcess.serve("--blk-file", image, "--socket-path", socket, "--loop", "epoll", "--backend", "auto")) {
            assertThat(serve.terminate().out()).contains(", linux-aio) on ");
        }
    }
}
