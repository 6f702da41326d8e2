package dev.sluice.virtio.driver;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class StorageDaemonIT {
    private static final long IMAGE_BYTES = 64L << 20;

    @TempDir
    Path directory;

    @Test
    void shouldReadWhatItWroteWhenUsedAsABlockingDisk() throws IOException {
        try (StorageDaemon daemon = StorageDaemon.serve(directory, image(), 4);
                BlockDriver driver = BlockDriver.open(daemon.socket(), BlockDriverOptions.defaults().withQueues(4))) {
            assertThat(driver.queueCount()).isEqualTo(4);
            assertThat(driver.config().capacityBytes()).isEqualTo(IMAGE_BYTES);
            assertThat(driver.backendPid()).isEqualTo((int) daemon.pid());
            byte[] written = new byte[300_032];
            new Random(1).nextBytes(written);
            for (int queue = 0; queue < 4; queue++) {
                BlockingDisk disk = driver.disk(queue);
                disk.write(queue << 20, MemorySegment.ofArray(written));
                disk.flush();
                byte[] read = new byte[written.length];
                disk.read(queue << 20, MemorySegment.ofArray(read));
                assertThat(read).isEqualTo(written);
                assertThat(disk.id()).isNotEmpty();
            }
        }
    }

    private String image() throws IOException {
        Path image = directory.resolve("disk.raw");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(IMAGE_BYTES);
        }
        return "driver=file,discard=unmap,filename=" + image;
    }
}
