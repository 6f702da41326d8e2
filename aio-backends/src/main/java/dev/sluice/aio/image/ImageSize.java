package dev.sluice.aio.image;

import java.io.IOException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where an open image ends now. Somebody may truncate an image, or shrink the device that it is, while it is served: reads behind the new end would find
 * nothing and writes would extend the file again. The size is looked at each second ({@link ImageSizeTimer}) and when a read finds the end of the file;
 * requests behind it fail with EIO until the image has its size again.
 *
 * <p>A write that was submitted between the truncation and the next look may extend the file: only a system call for each request could prevent it.
 *
 * <p><b>Threading:</b> any; {@link #reachesTo} is one volatile read. <b>Ownership:</b> {@link #close} before what {@link Measure} uses goes; none of its calls
 * is under way afterwards. <b>Failure:</b> one log line when something begins to be missing, one when it is back. <b>Allocation:</b> none.
 */
public final class ImageSize implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ImageSize.class);
    private static final long SECTOR_BYTES = 512;

    /** How large the image is. */
    @FunctionalInterface
    public interface Measure {
        long sizeBytes() throws IOException;
    }

    private final String image;
    private final Measure measure;
    private volatile long diskBytes;
    /** The end of the disk or of the image, whichever comes first. */
    private volatile long reachableBytes;

    private boolean closed;

    private ImageSize(String image, long diskBytes, Measure measure) {
        this.image = image;
        this.measure = measure;
        this.diskBytes = diskBytes;
        this.reachableBytes = diskBytes;
    }

    /**
     * Begins to watch.
     *
     * @param image how it is named in the log
     * @param diskBytes its size as it was found, the disk's
     */
    public static ImageSize watch(String image, long diskBytes, Measure measure) {
        ImageSize size = new ImageSize(image, diskBytes, measure);
        ImageSizeTimer.add(size);
        return size;
    }

    /** Whether a range that ends there lies on the disk and within the image. */
    public boolean reachesTo(long endBytes) {
        return endBytes <= reachableBytes;
    }

    /** Bytes of the disk behind the end of the image. */
    public long missingBytes() {
        return Math.max(0, diskBytes - reachableBytes);
    }

    /** The disk has another size from now on. */
    public synchronized void resized(long newDiskBytes) {
        boolean whole = reachableBytes == diskBytes;
        if (newDiskBytes < reachableBytes || whole) {
            reachableBytes = newDiskBytes;
        }
        diskBytes = newDiskBytes;
        look();
    }

    /** Measures the image. One system call. */
    public synchronized void look() {
        if (closed) {
            return;
        }
        long actualBytes;
        try {
            actualBytes = measure.sizeBytes();
        } catch (IOException unknown) {
            LOG.debug("image {}: its size cannot be read", image, unknown);
            return;
        }
        long reachable = Math.min(diskBytes, actualBytes / SECTOR_BYTES * SECTOR_BYTES);
        boolean wasWhole = reachableBytes == diskBytes;
        reachableBytes = reachable;
        boolean whole = reachable == diskBytes;
        if (wasWhole && !whole) {
            LOG.error(
                    "image {}: shrank to {} bytes while it is served, the disk has {}: requests beyond its end fail; restore it, or give it its size again"
                            + " ('truncate -s {}', what was cut off then reads as zeroes)",
                    image,
                    actualBytes,
                    diskBytes,
                    diskBytes);
        } else if (!wasWhole && whole) {
            LOG.warn("image {}: has its {} bytes again; requests beyond the former end are served again", image, diskBytes);
        }
    }

    /** Nothing is measured any more. Idempotent. */
    @Override
    public void close() {
        synchronized (this) {
            closed = true;
        }
        ImageSizeTimer.remove(this);
    }

    @Override
    public String toString() {
        return "ImageSize[" + image + ", " + reachableBytes + " of " + diskBytes + " bytes]";
    }
}
