package dev.sluice.aio.image;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.CapturedLog;
import dev.sluice.linux.Errno;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What is logged about images, once each, and the thread that looks at them. */
@Timeout(60)
class ImageWatchTest {
    private static final long SIZE = 1 << 20;

    @Test
    void shouldLogOnceThatAnImageShrankAndOnceThatItIsWholeAgain() {
        AtomicLong actual = new AtomicLong(SIZE);
        try (CapturedLog logged = new CapturedLog();
                ImageSize size = ImageSize.watch("shrinking", SIZE, actual::get)) {
            size.look();
            assertThat(logged.containing("image shrinking")).isEmpty();
            actual.set(SIZE / 2);
            size.look();
            size.look();
            actual.set(SIZE / 4);
            size.look();
            assertThat(logged.containing("image shrinking: shrank to " + SIZE / 2 + " bytes while it is served, the disk has " + SIZE)).hasSize(1);
            assertThat(logged.containing("shrank to")).hasSize(1);
            assertThat(size).hasToString("ImageSize[shrinking, " + SIZE / 4 + " of " + SIZE + " bytes]");
            assertThat(logged.containing("again; requests")).isEmpty();
            actual.set(SIZE);
            size.look();
            size.look();
            assertThat(logged.containing("image shrinking: has its " + SIZE + " bytes again")).hasSize(1);
            assertThat(size.missingBytes()).isZero();
        }
    }

    @Test
    void shouldNotCallAnImageWholeBecauseItsDiskShrank() {
        AtomicLong actual = new AtomicLong(SIZE);
        try (CapturedLog logged = new CapturedLog();
                ImageSize size = ImageSize.watch("resized", SIZE, actual::get)) {
            actual.set(SIZE / 4);
            size.look();
            // Still longer than the image.
            size.resized(SIZE / 2);
            assertThat(size.missingBytes()).isEqualTo(SIZE / 4);
            assertThat(size.reachesTo(SIZE / 4)).isTrue();
            assertThat(size.reachesTo(SIZE / 4 + 512)).isFalse();
            // Exactly as long, then shorter.
            size.resized(SIZE / 4);
            assertThat(size.missingBytes()).isZero();
            size.resized(SIZE / 8);
            assertThat(size.reachesTo(SIZE / 8)).isTrue();
            assertThat(size.reachesTo(SIZE / 8 + 512)).isFalse();
            assertThat(logged.containing("shrank to")).hasSize(1);
        }
    }

    @Test
    void shouldLogTheFirstFailureOfWritebackAlone() {
        try (CapturedLog logged = new CapturedLog()) {
            WritebackState state = new WritebackState("broken");
            assertThat(state.synced(-Errno.EIO)).isEqualTo(-Errno.EIO);
            assertThat(state.synced(-Errno.ENOSPC)).isEqualTo(-Errno.ENOSPC);
            assertThat(logged.containing("image broken: sync failed: EIO")).hasSize(1);
            assertThat(logged.containing("sync failed")).hasSize(1);
            assertThat(state.synced(0)).isEqualTo(-Errno.EIO);
            assertThat(state.synced(1)).isEqualTo(-Errno.EIO);
        }
    }

    private static Thread watcher() {
        List<Thread> found = new ArrayList<>();
        for (Thread thread : Thread.getAllStackTraces().keySet()) {
            if (thread.getName().equals(ImageSizeTimer.THREAD_NAME) && thread.isAlive()) {
                found.add(thread);
            }
        }
        assertThat(found).as("one thread for all images").hasSize(1);
        return found.getFirst();
    }

    /** A second, whoever interrupts it and whatever an image throws. */
    @Test
    void shouldLookAtEachImageOnceASecondWhateverHappens() throws InterruptedException {
        AtomicInteger looks = new AtomicInteger();
        CountDownLatch looked = new CountDownLatch(2);
        try (CapturedLog logged = new CapturedLog();
                ImageSize _ = ImageSize.watch("throwing", SIZE, () -> {
                    throw new IllegalStateException("made up");
                });
                ImageSize _ = ImageSize.watch("fine", SIZE, () -> {
                    looks.incrementAndGet();
                    looked.countDown();
                    return SIZE;
                })) {
            Thread thread = watcher();
            assertThat(thread.isDaemon()).isTrue();
            for (int i = 0; i < 5; i++) {
                thread.interrupt();
            }
            long began = System.nanoTime();
            assertThat(looked.await(30, TimeUnit.SECONDS)).isTrue();
            assertThat(System.nanoTime() - began).as("from its first look to its second").isGreaterThan(TimeUnit.MILLISECONDS.toNanos(900));
            assertThat(looks.get()).isLessThanOrEqualTo(2 + (int) ((System.nanoTime() - began) / TimeUnit.MILLISECONDS.toNanos(900)));
            assertThat(logged.containing("looking at the image's size failed")).isNotEmpty();
        }
    }

    @Test
    void shouldEndItsThreadAtOnceWhenTheLastImageIsClosed() throws InterruptedException {
        // That of a test before may be about to end.
        for (Thread before : Thread.getAllStackTraces().keySet()) {
            if (before.getName().equals(ImageSizeTimer.THREAD_NAME)) {
                before.join(30_000);
                assertThat(before.isAlive()).as("an image of another test is still open").isFalse();
            }
        }
        ImageSize first = ImageSize.watch("first", SIZE, () -> SIZE);
        ImageSize last = ImageSize.watch("last", SIZE, () -> SIZE);
        Thread thread = watcher();
        first.close();
        assertThat(thread.isAlive()).isTrue();
        assertThat(watcher()).isSameAs(thread);
        last.close();
        long began = System.nanoTime();
        thread.join(30_000);
        assertThat(thread.isAlive()).isFalse();
        assertThat(System.nanoTime() - began).as("it is woken").isLessThan(TimeUnit.MILLISECONDS.toNanos(900));
    }
}
