package dev.sluice.aio.mapped;

import dev.sluice.linux.Errno;
import dev.sluice.linux.ErrnoException;
import dev.sluice.linux.Mapping;
import java.io.IOException;

/**
 * An image as it is mapped, and what is known about its pages.
 *
 * <p><b>Threading:</b> any may access it; {@link MappedImage} counts who does. <b>Ownership:</b> the mapping's, until {@link #close}, after which no address in
 * it is used: that would end the process. <b>Failure:</b> {@link #open} says in one line what failed. <b>Allocation:</b> set-up only; the kernel's page tables
 * grow to 2 MiB for each GiB that is touched.
 */
final class ImageMapping implements AutoCloseable {
    /** As much as a front end may map: sparse images cost nothing, while a process whose address space is full cannot continue. */
    static final long MAX_BYTES = 16L << 40;

    final long address;
    final long bytes;
    final KnownPages known;

    /** Windows that {@link ResidentPages} has looked at. */
    final KnownPages looked;

    private final Mapping mapping;

    /** Sinks that use it; guarded by the {@link MappedImage}. */
    int users;

    private ImageMapping(Mapping mapping, KnownPages known, KnownPages looked) {
        this.mapping = mapping;
        this.address = mapping.address();
        this.bytes = mapping.bytes();
        this.known = known;
        this.looked = looked;
    }

    /**
     * Maps an image from its begin.
     *
     * @param imageBytes which hugetlbfs extends the file to if it is shorter
     */
    static ImageMapping open(int fd, String path, long imageBytes, long pageBytes, boolean readOnly) throws IOException {
        requireMappable(path, imageBytes);
        try {
            KnownPages known = KnownPages.of(imageBytes, pageBytes);
            try {
                KnownPages looked = KnownPages.of(imageBytes, ResidentPages.WINDOW_BYTES);
                try {
                    // Not reserved, as images may have holes: hugetlbfs would set huge pages aside for all of it.
                    int protection = readOnly ? Mapping.PROT_READ : Mapping.PROT_READ | Mapping.PROT_WRITE;
                    return new ImageMapping(Mapping.map(fd, 0, imageBytes, protection, Mapping.MAP_SHARED | Mapping.MAP_NORESERVE), known, looked);
                } catch (Throwable refused) {
                    looked.close();
                    throw refused;
                }
            } catch (Throwable refused) {
                known.close();
                throw refused;
            }
        } catch (ErrnoException refused) {
            throw new ErrnoException("mmap", path, refused.errno(), advice(refused.errno(), imageBytes));
        }
    }

    static void requireMappable(String path, long imageBytes) throws IOException {
        if (imageBytes > MAX_BYTES) {
            throw new ErrnoException(
                    "mmap", path, Errno.EFBIG, "the mapped backend serves images of up to 16 TiB, not " + imageBytes + " bytes: use another backend");
        }
    }

    private static String advice(int errno, long imageBytes) {
        return errno == Errno.ENOMEM
                ? "no address space for " + imageBytes + " bytes: raise the limit (ulimit -v, LimitAS=) or vm.max_map_count, or use another backend"
                : "use another backend";
    }

    /** Whether a range lies in it. */
    boolean contains(long offset, long length) {
        return offset >= 0 && length >= 0 && offset <= bytes - length;
    }

    /** Nothing is known of a range any more. */
    void forget(long offset, long length) {
        known.remove(offset, length);
        looked.remove(offset, length);
    }

    @Override
    public void close() {
        mapping.close();
        known.close();
        looked.close();
    }
}
