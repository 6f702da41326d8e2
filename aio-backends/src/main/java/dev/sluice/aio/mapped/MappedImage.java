package dev.sluice.aio.mapped;

import dev.sluice.aio.image.ImageSize;
import dev.sluice.aio.image.OpenImage;
import dev.sluice.aio.image.WritebackState;
import dev.sluice.aio.raw.RawImage;
import dev.sluice.aio.sink.ZeroBuffer;
import dev.sluice.linux.FileStatus;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.Mapping;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockGeometry;
import java.io.IOException;

/**
 * A raw image on tmpfs or hugetlbfs, mapped as a whole. Opening, locking, measuring and resizing are {@link RawImage}'s.
 *
 * <p>An image that grows beyond its mapping gets a new one. The one before is unmapped once no sink uses it: each takes the current one when it begins a batch,
 * so that at most one more than there are sinks exists.
 *
 * <p><b>Threading:</b> any; {@link #current} is one volatile read. <b>Ownership:</b> image, lock and mappings are this object's; {@link #close} comes after the
 * last sink. <b>Failure:</b> {@link #open} and {@link #resize} say in one line what failed and what to do. <b>Allocation:</b> set-up only.
 */
final class MappedImage implements OpenImage {
    private static final int BLOCKS_OF_BYTES = 512;

    private final RawImage raw;
    private final long pageBytes;
    private final boolean hugePages;
    private volatile ImageMapping current;

    private MappedImage(RawImage raw, long pageBytes, boolean hugePages, ImageMapping mapping) {
        this.raw = raw;
        this.pageBytes = pageBytes;
        this.hugePages = hugePages;
        this.current = mapping;
    }

    /**
     * Opens and maps an image.
     *
     * @throws IOException as {@link RawImage#open}, and where it lies on another file system
     */
    static MappedImage open(BackendOptions options) throws IOException {
        // tmpfs has no O_DIRECT before Linux 6.6, hugetlbfs has none; both would mean the same without.
        RawImage raw = RawImage.open(options.withDirect(false));
        try {
            FileStatus status = LinuxFile.status(raw.fd());
            long kind = status.type() == FileStatus.Type.REGULAR ? LinuxFile.fileSystemType(raw.fd()) : 0;
            if (kind != LinuxFile.TMPFS_MAGIC && kind != LinuxFile.HUGETLBFS_MAGIC) {
                throw new IOException("open " + raw.path()
                        + ": the mapped backend serves images on tmpfs or hugetlbfs alone: use --backend auto, or move the image (to /dev/shm, for instance)");
            }
            boolean huge = kind == LinuxFile.HUGETLBFS_MAGIC;
            long pageBytes = huge ? HugePages.bytes(raw.fd(), raw.path()) : Mapping.pageBytes();
            BlockGeometry geometry = raw.geometry();
            ImageMapping mapping = ImageMapping.open(raw.fd(), raw.path(), geometry.sizeBytes(), pageBytes, geometry.readOnly());
            if (huge && status.allocatedBlocks() * BLOCKS_OF_BYTES >= geometry.sizeBytes()) {
                mapping.known.add(0, geometry.sizeBytes());
            }
            return new MappedImage(raw, pageBytes, huge, mapping);
        } catch (Throwable refused) {
            raw.close();
            throw refused;
        }
    }

    @Override
    public BlockGeometry geometry() {
        return raw.geometry();
    }

    @Override
    public WritebackState writeback() {
        return raw.writeback();
    }

    @Override
    public ImageSize size() {
        return raw.size();
    }

    /** Of the file system, for system calls. */
    int fd() {
        return raw.fd();
    }

    /** What the file system allocates at once, a power of two. */
    long pageBytes() {
        return pageBytes;
    }

    /** Whether the kernel says where holes are (SEEK_DATA, mincore); of hugetlbfs it does not. */
    boolean findsHoles() {
        return !hugePages;
    }

    @Override
    public synchronized void resize(long sizeBytes) throws IOException {
        ImageMapping before = current;
        if (hugePages && sizeBytes % pageBytes != 0) {
            // Mapping it would extend the file to the end of the page.
            throw new IOException("resize " + raw.path() + ": " + sizeBytes + " bytes are not a multiple of its huge pages of " + pageBytes + " bytes");
        }
        if (sizeBytes > before.bytes && !raw.geometry().readOnly()) {
            // First, so that no request finds a disk that is larger than its mapping.
            ImageMapping larger = ImageMapping.open(raw.fd(), raw.path(), sizeBytes, pageBytes, false);
            larger.known.addAll(before.known);
            current = larger;
            closeIfUnused(before);
        }
        raw.resize(sizeBytes);
        forgetBehindEnd();
    }

    /** What a disk that has shrunk had there is not there when it grows again. */
    private void forgetBehindEnd() {
        long pageEnd = pageEnd(raw.geometry().sizeBytes());
        if (pageEnd < current.bytes) {
            current.forget(pageEnd, current.bytes - pageEnd);
        }
    }

    /**
     * A write that was under way while the disk shrank may have put bytes behind its new end, into the last page: they are zeroed, so that they are not found
     * there when the disk grows again. Nothing can be behind that page, as an access there faults.
     */
    synchronized void clearBehindEnd() {
        long end = raw.geometry().sizeBytes();
        long pageEnd = pageEnd(end);
        try {
            for (long at = end; at < pageEnd && pageEnd <= pageEnd(current.bytes); at += ZeroBuffer.BYTES) {
                NativeMemory.copy(ZeroBuffer.ADDRESS, current.address + at, Math.min(pageEnd - at, ZeroBuffer.BYTES));
            }
            NativeMemory.surfaceFault();
        } catch (InternalError truncated) {
            // Then the bytes are gone, too.
            raw.size().look();
        }
    }

    private long pageEnd(long offset) {
        return (offset + pageBytes - 1) & -pageBytes;
    }

    /** The mapping to be used for a batch. */
    ImageMapping current() {
        return current;
    }

    /** The current mapping stays mapped until {@link #release}. */
    synchronized ImageMapping acquire() {
        current.users++;
        return current;
    }

    synchronized void release(ImageMapping mapping) {
        mapping.users--;
        closeIfUnused(mapping);
    }

    private void closeIfUnused(ImageMapping mapping) {
        if (mapping.users == 0 && mapping != current) {
            mapping.close();
        }
    }

    @Override
    public synchronized void close() {
        current.close();
        raw.close();
    }

    @Override
    public String toString() {
        return "MappedImage[" + raw.path() + (raw.geometry().readOnly() ? ", read-only]" : "]");
    }
}
