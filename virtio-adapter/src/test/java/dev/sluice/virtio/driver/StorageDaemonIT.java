package dev.sluice.virtio.driver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.virtio.layout.VhostUser;
import dev.sluice.virtio.layout.VirtioFeatures;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The driver against somebody else's backend: qemu-storage-daemon. */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
final class StorageDaemonIT {
    private static final int QUEUES = 4;
    private static final int DEPTH = 64;
    /** What this backend calls every disk. */
    private static final String SERIAL = "vhost_user_blk";
    private static final long IMAGE_BYTES = 64L << 20;
    private static final BlockDriverOptions OPTIONS =
            BlockDriverOptions.defaults().withQueues(QUEUES).withShape(QueueShape.of(256, DEPTH, 64 << 10));

    /** What a front end may leave out or do differently. */
    static Stream<Named<BlockDriverOptions>> variants() {
        long slots = VhostUser.PROTOCOL_F_CONFIGURE_MEM_SLOTS;
        return Stream.of(
                Named.of("everything", OPTIONS),
                Named.of("direct", OPTIONS.withoutFeatures(VirtioFeatures.INDIRECT_DESC)),
                Named.of("no EVENT_IDX", OPTIONS.withoutFeatures(VirtioFeatures.EVENT_IDX)),
                Named.of("a region per queue", OPTIONS.withRegionPerQueue(true)),
                Named.of("SET_MEM_TABLE", OPTIONS.withRegionPerQueue(true).withoutProtocolFeatures(slots)),
                Named.of("no REPLY_ACK", OPTIONS.withoutProtocolFeatures(VhostUser.PROTOCOL_F_REPLY_ACK)));
    }

    @TempDir
    Path directory;

    @Test
    void shouldReadWhatItWroteWhenUsedAsABlockingDisk() throws IOException {
        try (StorageDaemon daemon = StorageDaemon.serve(directory, image(), QUEUES);
                BlockDriver driver = BlockDriver.open(daemon.socket(), OPTIONS)) {
            assertThat(driver.queueCount()).isEqualTo(QUEUES);
            assertThat(driver.config().capacityBytes()).isEqualTo(IMAGE_BYTES);
            assertThat(driver.config().numQueues()).isEqualTo(QUEUES);
            assertThat(driver.config().segMax()).isGreaterThan(1);
            assertThat(driver.backendPid()).isEqualTo((int) daemon.pid());
            byte[] written = new byte[300_032];
            new Random(1).nextBytes(written);
            for (int queue = 0; queue < QUEUES; queue++) {
                BlockingDisk disk = driver.disk(queue);
                disk.write(queue << 20, MemorySegment.ofArray(written));
                disk.flush();
                assertThat(read(disk, queue << 20, written.length)).isEqualTo(written);
                assertThat(disk.id()).isEqualTo(SERIAL);
            }
        }
    }

    @Test
    void shouldReadZeroesWhereItDiscardedOrWroteThem() throws IOException {
        try (StorageDaemon daemon = StorageDaemon.serve(directory, image(), 1);
                BlockDriver driver = BlockDriver.open(daemon.socket(), OPTIONS)) {
            assertThat(driver.queueCount()).as("as many as the backend has").isEqualTo(1);
            assertThat(driver.has(VirtioFeatures.BLK_DISCARD | VirtioFeatures.BLK_WRITE_ZEROES)).isTrue();
            BlockingDisk disk = driver.disk(0);
            byte[] ones = new byte[65_536];
            Arrays.fill(ones, (byte) 1);
            disk.write(0, MemorySegment.ofArray(ones));
            disk.discard(0, 16);
            disk.writeZeroes(16, 16, false);
            assertThat(read(disk, 0, 16_384)).containsOnly(0);
            assertThat(read(disk, 16_384, 4096)).containsOnly(1);
            assertThatThrownBy(() -> disk.discard(IMAGE_BYTES / 512, 1))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("discard failed: IOERR");
        }
    }

    @ParameterizedTest
    @MethodSource("variants")
    void shouldVerifyOnFourQueuesAtDepth64(BlockDriverOptions options) throws IOException {
        try (StorageDaemon daemon = StorageDaemon.serve(directory, image(), QUEUES);
                BlockDriver driver = BlockDriver.open(daemon.socket(), options)) {
            List<VerifyingLoad> loads = loads(driver);
            inParallel(loads, load -> {
                load.run(10_000);
                load.drain();
            });
            for (VerifyingLoad load : loads) {
                assertThat(load.reads()).isGreaterThan(4000);
                assertThat(load.writes()).isGreaterThan(4000);
            }
            assertThat(driver.queues()).noneMatch(DriverQueue::errSignalled);
        }
    }

    @Test
    void shouldGoOnWhereItWasWhenStoppedAndStartedAgain() throws IOException {
        try (StorageDaemon daemon = StorageDaemon.serve(directory, image(), QUEUES);
                BlockDriver driver = BlockDriver.open(daemon.socket(), OPTIONS)) {
            List<VerifyingLoad> loads = loads(driver);
            for (int round = 0; round < 20; round++) {
                inParallel(loads, load -> load.run(500));
                // Requests are in flight, and some have just been published, when the device stops.
                for (int i = 0; i < QUEUES; i++) {
                    loads.get(i).fill();
                    boolean _ = driver.queue(i).publish();
                }
                driver.restart();
                assertThat(driver.queues()).anyMatch(queue -> queue.inFlight() > 0);
            }
            inParallel(loads, VerifyingLoad::drain);
        }
    }

    @Test
    void shouldStartFromZeroWhenReset() throws IOException {
        try (StorageDaemon daemon = StorageDaemon.serve(directory, image(), QUEUES);
                BlockDriver driver = BlockDriver.open(daemon.socket(), OPTIONS)) {
            BlockingDisk disk = driver.disk(1);
            byte[] written = new byte[4096];
            new Random(2).nextBytes(written);
            disk.write(0, MemorySegment.ofArray(written));
            driver.reset();
            assertThat(driver.queue(1).splitRing().availIdx()).isZero();
            assertThat(read(disk, 0, 4096)).isEqualTo(written);
        }
    }

    @Test
    void shouldServeOneFrontEndAfterAnother() throws IOException {
        try (StorageDaemon daemon = StorageDaemon.serve(directory, image(), QUEUES)) {
            for (int i = 0; i < 5; i++) {
                try (BlockDriver driver = BlockDriver.open(daemon.socket(), OPTIONS)) {
                    assertThat(driver.disk(i % QUEUES).id()).isEqualTo(SERIAL);
                }
            }
        }
    }

    @Test
    void shouldNoticeWhenTheBackendDies() throws IOException, InterruptedException {
        try (StorageDaemon daemon = StorageDaemon.serve(directory, image(), 1);
                BlockDriver driver = BlockDriver.open(daemon.socket(), OPTIONS)) {
            assertThat(driver.backendHungUp()).isFalse();
            daemon.kill();
            assertThat(driver.backendHungUp()).isTrue();
            int _ = driver.queue(0).submit(BlkRequest.T_FLUSH, 0, 0);
            boolean _ = driver.queue(0).publish();
            assertThat(driver.queue(0).await(50)).isFalse();
            assertThatThrownBy(driver::stop).isInstanceOf(IOException.class).hasMessageContaining("closed");
        }
    }

    @Test
    void shouldSayWhichSocketIsMissing() {
        BlockDriverOptions impatient = OPTIONS.withTimeout(Duration.ofMillis(50));
        assertThatThrownBy(() -> BlockDriver.open(directory + "/nobody.sock", impatient))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("nobody.sock")
                .hasMessageContaining("ENOENT");
    }

    private List<VerifyingLoad> loads(BlockDriver driver) {
        int blocks = (int) (IMAGE_BYTES / VerifyingLoad.BLOCK_BYTES / QUEUES);
        List<VerifyingLoad> loads = new ArrayList<>();
        for (int i = 0; i < QUEUES; i++) {
            loads.add(new VerifyingLoad(driver.queue(i), i * blocks, blocks, i));
        }
        return loads;
    }

    private static void inParallel(List<VerifyingLoad> loads, Consumer<VerifyingLoad> work) {
        CompletableFuture<?>[] running = loads.stream()
                .map(load -> CompletableFuture.runAsync(() -> work.accept(load), command -> {
                    Thread _ = Thread.ofPlatform().start(command);
                }))
                .toArray(CompletableFuture<?>[]::new);
        CompletableFuture.allOf(running).join();
    }

    private static byte[] read(BlockingDisk disk, long offsetBytes, int bytes) throws IOException {
        byte[] read = new byte[bytes];
        disk.read(offsetBytes, MemorySegment.ofArray(read));
        return read;
    }

    private String image() throws IOException {
        Path image = directory.resolve("disk.raw");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(IMAGE_BYTES);
        }
        return "driver=file,discard=unmap,filename=" + image;
    }
}
