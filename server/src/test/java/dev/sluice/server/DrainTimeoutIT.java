package dev.sluice.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.virtio.driver.BlkRequest;
import dev.sluice.virtio.driver.BlockDriver;
import dev.sluice.virtio.driver.BlockDriverOptions;
import dev.sluice.virtio.driver.DriverQueue;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code sluice serve} that is told to end while a stage holds a request that it never completes. */
class DrainTimeoutIT {
    private static final int SECTOR = 64;

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

    private static void holdAWrite(SluiceProcess serve, DriverQueue queue) throws Exception {
        assertThat(queue.submit(BlkRequest.T_OUT, SECTOR, 4096)).isNotNegative();
        boolean _ = queue.publish();
        serve.awaitErr(HoldStageProvider.HOLDING);
    }

    private static int status(DriverQueue queue) {
        int[] found = {-1};
        int _ = queue.poll((slot, status, written) -> found[0] = status);
        return found[0];
    }

    private void listsTheWrite(SluiceProcess.Ended ended) {
        assertThat(ended.err()).contains("disk disk.img, queue 0: WRITE of 4096 bytes at sector 64 failed: ECANCELED", "stage " + HoldStageProvider.NAME)
                .doesNotContain("a bug in sluice");
        assertThat(ended.err().lines().filter(line -> line.startsWith("sluice: error: "))).singleElement().asString().contains("1 request", "--drain-timeout");
        assertThat(socket).doesNotExist();
    }

    @Test
    void shouldFailWhatAStageHoldsAtTheTimeoutAndExitWithOne() throws Exception {
        try (SluiceProcess serve =
                SluiceProcess.serve("--socket-path", socket, "--blk-file", image, "--stage", HoldStageProvider.NAME, "--drain-timeout", "1.5");
                BlockDriver driver = BlockDriver.open(socket.toString(), BlockDriverOptions.defaults())) {
            holdAWrite(serve, driver.queue(0));
            long begun = System.nanoTime();
            SluiceProcess.Ended ended = serve.terminate();
            assertThat(System.nanoTime() - begun).isGreaterThan(TimeUnit.MILLISECONDS.toNanos(1400));
            assertThat(ended.status()).as(ended.err()).isEqualTo(1);
            listsTheWrite(ended);
            assertThat(status(driver.queue(0))).isEqualTo(BlkRequest.S_IOERR);
        }
    }

    @Test
    void shouldNotWaitAnyLongerAfterASecondSignal() throws Exception {
        for (String second : new String[] {"TERM", "INT"}) {
            try (SluiceProcess serve =
                    SluiceProcess.serve("--socket-path", socket, "--blk-file", image, "--stage", HoldStageProvider.NAME, "--drain-timeout", "3600");
                    BlockDriver driver = BlockDriver.open(socket.toString(), BlockDriverOptions.defaults())) {
                holdAWrite(serve, driver.queue(0));
                serve.signal("TERM");
                serve.awaitErr("terminating: waiting");
                assertThat(serve.isAlive()).isTrue();
                serve.signal(second);
                SluiceProcess.Ended ended = serve.await();
                assertThat(ended.status()).as(ended.err()).isEqualTo(1);
                listsTheWrite(ended);
            }
        }
    }

    @Test
    void shouldFailAWriteWhoseStageThrewAnErrorOfTheJvmOnAnotherThread() throws Exception {
        try (SluiceProcess serve =
                SluiceProcess.serve("--socket-path", socket, "--blk-file", image, "--stage", HoldStageProvider.NAME + ":" + HoldStageProvider.LOSE);
                BlockDriver driver = BlockDriver.open(socket.toString(), BlockDriverOptions.defaults())) {
            DriverQueue queue = driver.queue(0);
            assertThat(queue.submit(BlkRequest.T_OUT, SECTOR, 4096)).isNotNegative();
            boolean _ = queue.publish();
            assertThat(queue.await(60_000)).as("completed").isTrue();
            assertThat(status(queue)).isEqualTo(BlkRequest.S_IOERR);
            assertThat(serve.terminate().status()).isZero();
        }
    }

    @Test
    void shouldTakeTheTimeoutOfADiskFromTheFile() throws Exception {
        Path file = directory.resolve("disks.yaml");
        Files.writeString(file, "disks:\n  - image: disk.img\n    socket: disk.sock\n    stages: [" + HoldStageProvider.NAME + "]\n    drain-timeout: 1\n");
        try (SluiceProcess serve = SluiceProcess.serve("--config", file);
                BlockDriver driver = BlockDriver.open(socket.toString(), BlockDriverOptions.defaults())) {
            holdAWrite(serve, driver.queue(0));
            SluiceProcess.Ended ended = serve.terminate();
            assertThat(ended.status()).as(ended.err()).isEqualTo(1);
            listsTheWrite(ended);
        }
    }

    @Test
    void shouldRefuseATimeoutOutOfRange() throws Exception {
        SluiceProcess.Ended ended = SluiceProcess.run("serve", "--socket-path", socket, "--blk-file", image, "--drain-timeout", "-1");
        assertThat(ended.status()).isNotZero();
        assertThat(ended.err()).contains("--drain-timeout -1.0 is not from 0 to 86400 seconds");
    }
}
