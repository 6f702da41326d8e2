package dev.sluice.aio.image;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The one thread that looks at the sizes of all open images, once a second. It starts with the first image and ends with the last; no loop is woken.
 *
 * <p><b>Threading:</b> any. <b>Failure:</b> logged; the others are looked at all the same. A file system that does not respond (NFS) holds it up, and the
 * images of others are then looked at late.
 */
final class ImageSizeTimer {
    static final String THREAD_NAME = "sluice-image-sizes";

    private static final Logger LOG = LoggerFactory.getLogger(ImageSizeTimer.class);
    private static final long PERIOD_MILLIS = 1000;

    private static final Object LOCK = new Object();
    private static final List<ImageSize> WATCHED = new ArrayList<>();
    private static @Nullable Thread thread;

    private ImageSizeTimer() {}

    static void add(ImageSize size) {
        synchronized (LOCK) {
            WATCHED.add(size);
            if (thread == null) {
                thread = Thread.ofPlatform().daemon().name(THREAD_NAME).start(ImageSizeTimer::run);
            }
        }
    }

    static void remove(ImageSize size) {
        synchronized (LOCK) {
            if (WATCHED.remove(size) && WATCHED.isEmpty()) {
                LOCK.notifyAll();
            }
        }
    }

    private static void run() {
        while (true) {
            ImageSize[] watched = afterAPeriod();
            if (watched.length == 0) {
                return;
            }
            for (ImageSize size : watched) {
                try {
                    size.look();
                } catch (RuntimeException | Error bug) {
                    LOG.error("{}: looking at the image's size failed", size, bug);
                }
            }
        }
    }

    /** What is to be looked at now; nothing where the thread is to end. */
    private static ImageSize[] afterAPeriod() {
        long end = System.nanoTime() + PERIOD_MILLIS * 1_000_000;
        synchronized (LOCK) {
            for (long left = PERIOD_MILLIS; left > 0 && !WATCHED.isEmpty(); left = (end - System.nanoTime()) / 1_000_000) {
                try {
                    LOCK.wait(left);
                } catch (InterruptedException notForUs) {
                    LOG.debug("interrupted", notForUs);
                }
            }
            if (WATCHED.isEmpty()) {
                thread = null;
            }
            return WATCHED.toArray(ImageSize[]::new);
        }
    }
}
