package dev.sluice.aio.image;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.CapturedLog;
import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.Memfd;
import dev.sluice.pipeline.testing.Patience;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;

/** The end of an image, as it moves. */
class ImageSizeTest {
    private static final Duration PATIENCE = Duration.ofSeconds(Patience.seconds(60));
    private static final long SIZE = 1 << 20;

    private static void eventually(BooleanSupplier condition) throws InterruptedException {
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as("the condition never held").isLessThan(end);
            Thread.sleep(10);
        }
    }

    private static long threads() {
        return Thread.getAllStackTraces().keySet().stream().filter(thread -> thread.getName().equals(ImageSizeTimer.THREAD_NAME)).count();
    }

    @Test
    void shouldFollowTheEndOfTheImageByItself() throws InterruptedException {
        AtomicLong actual = new AtomicLong(SIZE);
        try (ImageSize size = ImageSize.watch("test", SIZE, actual::get)) {
            assertThat(size.reachesTo(SIZE)).isTrue();
            assertThat(size.reachesTo(SIZE + 512)).isFalse();
            actual.set(SIZE / 2 + 1000);
            eventually(() -> !size.reachesTo(SIZE));
            assertThat(size.reachesTo(SIZE / 2 + 512)).as("whole sectors").isTrue();
            assertThat(size.reachesTo(SIZE / 2 + 1024)).isFalse();
            assertThat(size.missingBytes()).isEqualTo(SIZE / 2 - 512);
            actual.set(2 * SIZE);
            eventually(() -> size.reachesTo(SIZE));
            assertThat(size.reachesTo(SIZE + 512)).as("no further than the disk").isFalse();
            assertThat(size.missingBytes()).isZero();
        }
    }

    @Test
    void shouldKeepWhatItKnowsWhenTheSizeCannotBeRead() {
        try (ImageSize size = ImageSize.watch("test", SIZE, () -> {
            throw new IOException("gone");
        })) {
            size.look();
            assertThat(size.reachesTo(SIZE)).isTrue();
            size.resized(2 * SIZE);
            assertThat(size.reachesTo(2 * SIZE)).as("a whole image grows with its disk").isTrue();
            size.resized(SIZE);
            assertThat(size.reachesTo(SIZE + 512)).isFalse();
        }
    }

    @Test
    void shouldFollowTheDiskWhenItIsResized() {
        AtomicLong actual = new AtomicLong(SIZE);
        try (ImageSize size = ImageSize.watch("test", SIZE, actual::get)) {
            size.resized(SIZE / 2);
            assertThat(size.reachesTo(SIZE / 2 + 512)).isFalse();
            assertThat(size.missingBytes()).isZero();
            actual.set(2 * SIZE);
            size.resized(2 * SIZE);
            assertThat(size.reachesTo(2 * SIZE)).isTrue();
            actual.set(SIZE);
            size.look();
            assertThat(size.missingBytes()).isEqualTo(SIZE);
            size.resized(SIZE);
            assertThat(size.missingBytes()).isZero();
        }
    }

    @Test
    void shouldMeasureNothingOnceItIsClosed() {
        AtomicInteger looks = new AtomicInteger();
        ImageSize size = ImageSize.watch("test", SIZE, () -> {
            looks.incrementAndGet();
            return SIZE;
        });
        size.close();
        int before = looks.get();
        size.look();
        assertThat(looks).hasValue(before);
        size.close();
    }

    @Test
    void shouldHaveOneThreadForAllImagesAndNoneWithoutAnImage() throws InterruptedException {
        long before = threads();
        List<ImageSize> sizes = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            sizes.add(ImageSize.watch("test " + i, SIZE, () -> SIZE));
            assertThat(threads()).isEqualTo(1);
        }
        sizes.forEach(ImageSize::close);
        eventually(() -> threads() <= before);
        try (ImageSize _ = ImageSize.watch("another", SIZE, () -> SIZE)) {
            assertThat(threads()).isEqualTo(1);
        }
    }

    /** 100 disks for 20 s: 2000 looks, which may take 40 ms. */
    @Test
    void shouldCostNextToNothing() throws IOException {
        try (Fd file = Fd.adopt(Memfd.create("image", Memfd.MFD_CLOEXEC))) {
            assertThat(LinuxFile.ftruncate(file.number(), SIZE)).isZero();
            try (ImageSize size = ImageSize.watch("test", SIZE, () -> LinuxFile.lseek(file.number(), 0, LinuxFile.SEEK_END))) {
                size.look();
                long before = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
                for (int i = 0; i < 2000; i++) {
                    size.look();
                }
                long spent = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() - before;
                System.out.println("2000 looks: " + spent / 1000 + " us");
                assertThat(Duration.ofNanos(spent)).isLessThan(Duration.ofMillis(40));
            }
        }
    }

    @Test
    void shouldLogOnceThatTheImageShrankAndOnceThatItIsWholeAgain() {
        AtomicLong actual = new AtomicLong(SIZE);
        try (CapturedLog logged = new CapturedLog();
                ImageSize size = ImageSize.watch("logged", SIZE, actual::get)) {
            size.look();
            assertThat(logged.containing("image logged")).isEmpty();
            for (long shrunk : new long[] {SIZE / 2 + 1, SIZE / 4}) {
                actual.set(shrunk);
                size.look();
                size.look();
            }
            assertThat(logged.containing("image logged: shrank to 524289 bytes while it is served, the disk has 1048576")).hasSize(1);
            actual.set(SIZE);
            size.look();
            size.look();
            assertThat(logged.containing("image logged: has its 1048576 bytes again")).hasSize(1);
            assertThat(logged.containing("image logged")).hasSize(2);
        }
    }

    @Test
    void shouldLookAtTheOtherImagesWhenALookThrows() throws InterruptedException {
        AtomicInteger failing = new AtomicInteger();
        AtomicInteger looks = new AtomicInteger();
        try (CapturedLog logged = new CapturedLog();
                ImageSize _ = ImageSize.watch("broken", SIZE, () -> {
                    failing.incrementAndGet();
                    throw new IllegalStateException("made up");
                });
                ImageSize _ = ImageSize.watch("other", SIZE, () -> {
                    looks.incrementAndGet();
                    return SIZE;
                })) {
            eventually(() -> failing.get() >= 2 && looks.get() >= 2);
            assertThat(logged.containing("ImageSize[broken, 1048576 of 1048576 bytes]: looking at the image's size failed")).isNotEmpty();
        }
    }
}
