package dev.sluice.aio.mapped;

import dev.sluice.linux.Errno;
import dev.sluice.linux.ErrnoException;
import dev.sluice.linux.Mapping;
import java.io.IOException;

/** The size of the pages of a file on hugetlbfs. Any thread; set-up only. */
final class HugePages {
    private static final long LARGEST_BYTES = 16L << 30;

    private HugePages() {}

    /**
     * The smallest offset from which the file can be mapped is one page (mmap(2), "Huge page (Huge TLB) mappings"). Only for reading: a writable mapping would
     * extend the file.
     */
    static long bytes(int fd, String path) throws IOException {
        for (long bytes = Mapping.pageBytes(); bytes <= LARGEST_BYTES; bytes *= 2) {
            if (mapsFrom(fd, bytes)) {
                return bytes;
            }
        }
        throw new IOException("open " + path + ": its huge pages have no size that is known: use another backend");
    }

    private static boolean mapsFrom(int fd, long bytes) throws IOException {
        try (Mapping _ = Mapping.map(fd, bytes, bytes, Mapping.PROT_READ, Mapping.MAP_SHARED | Mapping.MAP_NORESERVE)) {
            return true;
        } catch (ErrnoException refused) {
            if (refused.errno() == Errno.EINVAL) {
                return false;
            }
            throw refused;
        }
    }
}
