package dev.sluice.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.sluice.virtio.driver.BlkRequest;
import dev.sluice.virtio.driver.BlockDriver;
import dev.sluice.virtio.driver.BlockDriverOptions;
import dev.sluice.virtio.driver.CompletionHandler;
import dev.sluice.virtio.driver.DriverQueue;
import dev.sluice.virtio.driver.QueueShape;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code sluice serve} as a person meets it: what works, and one line for each thing that cannot. */
class ServeIT {
    private static final long MIB = 1 << 20;

    @TempDir
    Path directory;

    Path image;
    Path socket;

    @BeforeEach
    void makeImage() throws Exception {
        image = directory.resolve("disk.img");
        socket = directory.resolve("disk.sock");
        SparseFile.create(image, 8 * MIB);
    }

    @Test
    void shouldKeepWhatADriverWroteAndExitWithZeroOnSigterm() throws Exception {
        byte[] written = new byte[65536];
        Arrays.fill(written, (byte) 0x5A);
        try (SluiceProcess serve = SluiceProcess.serve("--socket-path", socket, "--blk-file", image, "--num-queues", 2, "--serial", "unit-7")) {
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(socket))).isEqualTo("rw-------");
            try (BlockDriver driver = BlockDriver.open(socket.toString(), BlockDriverOptions.defaults().withQueues(2))) {
                assertThat(driver.config().capacitySectors()).isEqualTo(8 * MIB / 512);
                driver.disk(0).write(65536, MemorySegment.ofArray(written));
                byte[] read = new byte[written.length];
                driver.disk(1).read(65536, MemorySegment.ofArray(read));
                assertThat(read).isEqualTo(written);
                assertThat(driver.disk(1).id()).isEqualTo("unit-7");
            }
            // A second front end, after the first has gone.
            try (BlockDriver again = BlockDriver.open(socket.toString(), BlockDriverOptions.defaults())) {
                byte[] read = new byte[written.length];
                again.disk(0).read(65536, MemorySegment.ofArray(read));
                assertThat(read).isEqualTo(written);
                // SIGTERM while a front end is connected.
                SluiceProcess.Ended ended = serve.terminate();
                assertThat(ended.status()).as(ended.err()).isZero();
                assertThat(ended.err()).doesNotContain("bug", "Exception");
            }
        }
        byte[] onDisk = Arrays.copyOfRange(Files.readAllBytes(image), 65536, 65536 + written.length);
        assertThat(onDisk).isEqualTo(written);
        assertThat(socket).doesNotExist();
    }

    @Test
    void shouldAnswerAllThatItTookWhenItIsToldToStopUnderLoad() throws Exception {
        try (SluiceProcess serve = SluiceProcess.serve("--socket-path", socket, "--blk-file", image);
                BlockDriver driver = BlockDriver.open(socket.toString(), BlockDriverOptions.defaults().withShape(QueueShape.of(64, 32, 4096)))) {
            DriverQueue queue = driver.queue(0);
            boolean[] acknowledged = new boolean[2048];
            int[] blockOfSlot = new int[32];
            int next = 0;
            CompletionHandler noted = (slot, status, writtenBytes) -> {
                assertThat(status).isEqualTo(BlkRequest.S_OK);
                acknowledged[blockOfSlot[slot]] = true;
            };
            CompletableFuture<SluiceProcess.Ended> ended = null;
            while (ended == null || !driver.backendHungUp()) {
                int slot = next < 2048 ? queue.submit(BlkRequest.T_OUT, 8L * next, 4096) : DriverQueue.FULL;
                if (slot != DriverQueue.FULL) {
                    blockOfSlot[slot] = next;
                    queue.data(slot).fill((byte) (next % 255 + 1));
                    next++;
                } else {
                    queue.publish();
                    queue.await(10);
                }
                queue.poll(noted);
                if (ended == null && next > 512) {
                    ended = CompletableFuture.supplyAsync(() -> {
                        try {
                            return serve.terminate();
                        } catch (Exception failed) {
                            throw new IllegalStateException(failed);
                        }
                    }, task -> Thread.ofPlatform().daemon().start(task));
                }
            }
            queue.poll(noted);
            assertThat(ended.get().status()).as(ended.get().err()).isZero();
            assertThat(ended.get().err()).doesNotContain("bug", "Exception");
            assertThat(socket).doesNotExist();
            byte[] disk = Files.readAllBytes(image);
            for (int block = 0; block < acknowledged.length; block++) {
                if (acknowledged[block]) {
                    assertThat(disk[block * 4096]).as("block %s", block).isEqualTo((byte) (block % 255 + 1));
                }
            }
            assertThat(acknowledged[0]).isTrue();
        }
    }

    @Test
    void shouldAppendStatisticsWithItsLastLineAtTheEnd() throws Exception {
        Path stats = directory.resolve("stats.json");
        try (SluiceProcess serve = SluiceProcess.serve("--socket-path", socket, "--blk-file", image, "--stats", stats)) {
            try (BlockDriver driver = BlockDriver.open(socket.toString(), BlockDriverOptions.defaults())) {
                byte[] block = new byte[4096];
                for (int i = 0; i < 10; i++) {
                    driver.disk(0).read(4096L * i, MemorySegment.ofArray(block));
                }
            }
            assertThat(serve.terminate().status()).isZero();
        }
        JsonNode last = new ObjectMapper().readTree(Files.readAllLines(stats).getLast());
        assertThat(last.get("requests").asLong()).isEqualTo(10);
        assertThat(last.get("bytes").asLong()).isEqualTo(40960);
        assertThat(last.get("kicks").asLong()).isBetween(1L, 11L);
        assertThat(last.get("enters").asLong()).isPositive();
        assertThat(last.get("heapBytes").asLong()).isPositive();
    }

    @Test
    void shouldRefuseWritesToAReadOnlyDisk() throws Exception {
        try (SluiceProcess serve = SluiceProcess.serve("--socket-path", socket, "--blk-file", image, "--read-only");
                BlockDriver driver = BlockDriver.open(socket.toString(), BlockDriverOptions.defaults())) {
            assertThat(driver.config().readOnly()).isTrue();
            byte[] ones = new byte[512];
            Arrays.fill(ones, (byte) 1);
            assertThatThrownBy(() -> driver.disk(0).write(0, MemorySegment.ofArray(ones))).hasMessageContaining("IOERR");
            assertThat(serve.isAlive()).isTrue();
            assertThat(Files.readAllBytes(image)).containsOnly(0);
        }
    }

    @Test
    void shouldReplaceAStaleSocketAndRefuseABusyOne() throws Exception {
        try (SluiceProcess killed = SluiceProcess.serve("--socket-path", socket, "--blk-file", image)) {
            killed.kill();
        }
        assertThat(socket).exists();
        try (SluiceProcess serve = SluiceProcess.serve("--socket-path", socket, "--blk-file", image)) {
            Path other = directory.resolve("other.img");
            SparseFile.create(other, MIB);
            oneLine(SluiceProcess.run("serve", "--socket-path", socket, "--blk-file", other), socket.toString(), "in use");
            assertThat(serve.isAlive()).isTrue();
            assertThat(socket).exists();
        }
    }

    @Test
    void shouldLeaveAFileInTheSocketsPlaceAlone() throws Exception {
        Files.writeString(socket, "precious");
        oneLine(SluiceProcess.run("serve", "--socket-path", socket, "--blk-file", image), socket.toString());
        assertThat(Files.readString(socket)).isEqualTo("precious");
    }

    @Test
    void shouldRefuseAnImageThatAnotherProcessHas() throws Exception {
        try (SluiceProcess serve = SluiceProcess.serve("--socket-path", socket, "--blk-file", image)) {
            oneLine(SluiceProcess.run("serve", "--socket-path", directory.resolve("b.sock"), "--blk-file", image), image.toString(), "lock");
            assertThat(serve.isAlive()).isTrue();
        }
    }

    @Test
    void shouldSayWhichFileIsMissing() throws Exception {
        Path missing = directory.resolve("missing.img");
        oneLine(SluiceProcess.run("serve", "--socket-path", socket, "--blk-file", missing), missing.toString(), "ENOENT");
        assertThat(socket).doesNotExist();
    }

    @Test
    void shouldRefuseASizeThatIsNoMultipleOf512() throws Exception {
        SparseFile.create(image, MIB + 100);
        SparseFile.create(directory.resolve("odd.img"), MIB + 100);
        oneLine(SluiceProcess.run("serve", "--socket-path", socket, "--blk-file", directory.resolve("odd.img")), "512");
    }

    @Test
    void shouldSayHowToAllowNativeAccessWhereItIsDenied() throws Exception {
        try (SluiceProcess denied = SluiceProcess.startWith(
                List.of("--illegal-native-access=deny"), "serve", "--socket-path", socket, "--blk-file", image)) {
            oneLine(denied.await(), "--enable-native-access=ALL-UNNAMED");
        }
    }

    @Test
    void shouldRefuseNumbersOutOfRangeAndUnknownBackends() throws Exception {
        oneLine(SluiceProcess.run("serve", "--socket-path", socket, "--blk-file", image, "--num-queues", 257), "257", "256");
        oneLine(SluiceProcess.run("serve", "--socket-path", socket, "--blk-file", image, "--queue-size", 100), "100");
        oneLine(SluiceProcess.run("serve", "--socket-path", socket, "--blk-file", image, "--aio-max-events", 0), "--aio-max-events 0", "32768");
        oneLine(SluiceProcess.run("serve", "--socket-path", socket, "--blk-file", image, "--aio-max-events", 32769), "32769", "32768");
        oneLine(SluiceProcess.run("serve", "--socket-path", socket, "--blk-file", image, "--backend", "spdk"), "spdk", "io_uring");
        oneLine(SluiceProcess.run("serve", "--socket-path", socket, "--blk-file", image, "--serial", "123456789012345678901"), "20");
        oneLine(SluiceProcess.run("serve", "--socket-path", socket, "--backend", "null", "--size", 0), "--size 0 is not a positive multiple of 512");
        oneLine(SluiceProcess.run("serve", "--socket-path", socket, "--blk-file", image, "--backend", "null", "--size", "1T"), "--blk-file", "--backend null");
        oneLine(SluiceProcess.run("serve", "--socket-path", "", "--blk-file", image), "--socket-path is empty");
    }

    @Test
    void shouldPrintItsCapabilitiesAsJson() throws Exception {
        SluiceProcess.Ended ended = SluiceProcess.run("serve", "--print-capabilities", "--socket-path", socket);
        assertThat(ended.status()).isZero();
        JsonNode capabilities = new ObjectMapper().readTree(ended.out());
        assertThat(capabilities.get("type").asText()).isEqualTo("block");
        assertThat(capabilities.get("features").toString()).isEqualTo("[\"read-only\",\"blk-file\"]");
    }

    /** Failed with one line on stderr that names all of this, nothing on stdout. */
    private static void oneLine(SluiceProcess.Ended ended, String... named) {
        assertThat(ended.status()).as("status; stderr: %s", ended.err()).isNotZero();
        List<String> errors = ended.err().lines().filter(line -> line.startsWith("sluice: error: ")).toList();
        assertThat(errors).as("stderr: %s", ended.err()).hasSize(1);
        assertThat(errors.getFirst()).contains(named);
        assertThat(ended.err().lines()).as("stderr").hasSize(1);
    }
}
