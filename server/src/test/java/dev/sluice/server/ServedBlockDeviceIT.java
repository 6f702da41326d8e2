package dev.sluice.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.pipeline.testing.LoopDevice;
import dev.sluice.virtio.driver.BlockDriver;
import dev.sluice.virtio.driver.BlockDriverOptions;
import dev.sluice.virtio.layout.VirtioFeatures;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code serve} on a block device (a loop device), judged by what reaches it. */
class ServedBlockDeviceIT {
    private static final int SIZE = 4 << 20;
    private static final int BLOCK = 4096;

    @TempDir
    Path directory;
    private Path socket;

    @BeforeEach
    void nameSocket() {
        socket = directory.resolve("s");
    }

    private LoopDevice deviceOfLargeBlocks() throws IOException {
        byte[] ones = new byte[SIZE];
        Arrays.fill(ones, (byte) 1);
        return LoopDevice.attach(Files.write(directory.resolve("disk.img"), ones), "--sector-size", "4096");
    }

    @FunctionalInterface
    private interface Request {
        void make() throws IOException;
    }

    private static void assertFlushes(LoopDevice loop, String what, int expected, Request request) throws IOException {
        for (int round = 0; round < 5; round++) {
            long before = loop.flushes();
            request.make();
            assertThat(loop.flushes() - before).as("flushes of the device for one %s", what).isEqualTo(expected);
        }
    }

    /** Write-through is what a driver gets that does not take FLUSH (VIRTIO 1.3 §5.2.6.2). */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void shouldFlushTheDeviceForEachRequestOfAGuestInWriteThroughMode(boolean writeThrough) throws Exception {
        BlockDriverOptions options = BlockDriverOptions.defaults().withoutFeatures(writeThrough ? VirtioFeatures.BLK_FLUSH : 0);
        try (LoopDevice loop = deviceOfLargeBlocks();
                SluiceProcess serve = SluiceProcess.serve("--socket-path", socket, "--blk-file", loop.path())) {
            try (BlockDriver driver = BlockDriver.open(socket.toString(), options)) {
                int expected = writeThrough ? 1 : 0;
                assertFlushes(loop, "WRITE", expected, () -> driver.disk(0).write(0, MemorySegment.ofArray(new byte[BLOCK])));
                assertFlushes(loop, "WRITE of a sector", expected, () -> driver.disk(0).write(512, MemorySegment.ofArray(new byte[512])));
                assertFlushes(loop, "WRITE_ZEROES", expected, () -> driver.disk(0).writeZeroes(8, 16, false));
                assertFlushes(loop, "DISCARD", expected, () -> driver.disk(0).discard(32, 16));
                if (!writeThrough) {
                    assertFlushes(loop, "FLUSH", 1, () -> driver.disk(0).flush());
                }
            }
            assertThat(serve.terminate().status()).isZero();
        }
    }

    @Test
    void shouldZeroSectorsOfLargerBlocksAndDiscardWholeBlocks() throws Exception {
        try (LoopDevice loop = deviceOfLargeBlocks();
                SluiceProcess serve = SluiceProcess.serve("--socket-path", socket, "--blk-file", loop.path())) {
            try (BlockDriver driver = BlockDriver.open(socket.toString(), BlockDriverOptions.defaults())) {
                assertThat(driver.config().discardSectorAlignment()).isEqualTo(BLOCK / 512);
                driver.disk(0).writeZeroes(3, 26, false);
                driver.disk(0).writeZeroes(65, 2, true);
                driver.disk(0).discard(131, 26);
                driver.disk(0).discard(257, 3);
                byte[] found = new byte[300 * 512];
                driver.disk(0).read(0, MemorySegment.ofArray(found));
                for (int sector = 0; sector < 300; sector++) {
                    boolean zeroed = (sector >= 3 && sector < 29) || (sector >= 65 && sector < 67);
                    boolean discarded = sector >= 136 && sector < 152;
                    assertThat(found[sector * 512]).as("sector %d", sector).isEqualTo((byte) (zeroed || discarded ? 0 : 1));
                }
            }
            assertThat(serve.terminate().status()).isZero();
        }
    }

    @Test
    void shouldTellThatWritebackHasFailedAndNeverFlushAgain() throws Exception {
        Path full = Files.createDirectory(directory.resolve("full"));
        LoopDevice.require("a full file system", List.of("mount", "-t", "tmpfs", "-o", "size=1M", "sluice-full", full.toString()));
        int port = PrometheusServer.freePort();
        try {
            Path file = LoopDevice.sparse(full.resolve("disk.img"), SIZE);
            try (LoopDevice loop = LoopDevice.attach(file);
                    SluiceProcess serve =
                            SluiceProcess.serve("--socket-path", socket, "--blk-file", loop.path(), "--buffered", "--metrics", "127.0.0.1:" + port)) {
                try (BlockDriver driver = BlockDriver.open(socket.toString(), BlockDriverOptions.defaults())) {
                    assertThat(metrics(port)).contains("sluice_device_writeback_failed{device=\"" + loop.path().getFileName() + "\"} 0.0\n");
                    MemorySegment data = MemorySegment.ofArray(new byte[64 * 1024]);
                    data.fill((byte) 1);
                    for (long at = 0; at < SIZE; at += data.byteSize()) {
                        driver.disk(0).write(at, data);
                    }
                    assertThatThrownBy(() -> driver.disk(0).flush()).isInstanceOf(IOException.class);
                    assertThatThrownBy(() -> driver.disk(0).flush()).isInstanceOf(IOException.class);
                    assertThat(metrics(port)).contains("sluice_device_writeback_failed{device=\"" + loop.path().getFileName() + "\"} 1.0\n");
                    byte[] first = new byte[512];
                    driver.disk(0).read(0, MemorySegment.ofArray(first));
                    assertThat(MemorySegment.ofArray(first).get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 1);
                }
                SluiceProcess.Ended ended = serve.terminate();
                assertThat(ended.err().lines().filter(line -> line.contains("sync failed"))).as(ended.err()).hasSize(1);
                assertThat(ended.err()).contains("image " + loop.path() + ": sync failed: EIO").contains("reopen the image");
            }
        } finally {
            LoopDevice.require("a full file system", List.of("umount", full.toString()));
        }
    }

    private static String metrics(int port) throws Exception {
        try (HttpClient client = HttpClient.newHttpClient()) {
            URI page = URI.create("http://127.0.0.1:" + port + "/metrics");
            // A page may be as old as the interval in which it is shared.
            Thread.sleep(1500);
            return client.send(HttpRequest.newBuilder(page).timeout(Duration.ofMinutes(1)).build(), BodyHandlers.ofString()).body();
        }
    }
}
