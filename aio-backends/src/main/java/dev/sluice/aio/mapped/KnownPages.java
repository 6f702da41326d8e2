package dev.sluice.aio.mapped;

import dev.sluice.linux.Mapping;
import dev.sluice.linux.NativeMemory;
import java.io.IOException;

/**
 * Which pages of an image are known to exist, so that touching them through the mapping allocates nothing: a bit for each page. An access to a hole would
 * allocate a page of the file system, even to read zeroes; and if it has none left, it is a fault instead of an error number. So holes are read without being
 * touched, and filled by a system call that reports ENOSPC.
 *
 * <p>A hint, and only one: a page that is not known is looked for, and one that is known although somebody has punched it is allocated again by the access, or
 * faults, which is handled. So loops set and clear bits with plain loads and stores, and one may undo the other's.
 *
 * <p><b>Threading:</b> any. <b>Ownership:</b> of its bits' memory, until {@link #close}, which comes after the last access. <b>Failure:</b> {@link IOException}
 * from the factory. <b>Allocation:</b> a bit a page, of which the kernel provides what is touched.
 */
final class KnownPages implements AutoCloseable {
    private static final long ALL = -1L;

    private final Mapping bits;
    private final int pageShift;

    private KnownPages(Mapping bits, int pageShift) {
        this.bits = bits;
        this.pageShift = pageShift;
    }

    /**
     * None is known.
     *
     * @param pageBytes a power of two
     */
    static KnownPages of(long imageBytes, long pageBytes) throws IOException {
        int shift = Long.numberOfTrailingZeros(pageBytes);
        long words = (((imageBytes - 1) >>> shift) >>> 6) + 1;
        int flags = Mapping.MAP_PRIVATE | Mapping.MAP_ANONYMOUS | Mapping.MAP_NORESERVE;
        return new KnownPages(Mapping.map(-1, 0, words * Long.BYTES, Mapping.PROT_READ | Mapping.PROT_WRITE, flags), shift);
    }

    /** Whether all pages that a range touches are known; the range is not empty and lies within the image. */
    boolean contain(long offset, long bytes) {
        long first = offset >>> pageShift;
        long last = (offset + bytes - 1) >>> pageShift;
        for (long word = first >>> 6; word <= (last >>> 6); word++) {
            long wanted = mask(word, first, last);
            if ((NativeMemory.getLong(address(word)) & wanted) != wanted) {
                return false;
            }
        }
        return true;
    }

    /** All pages that a range touches are known from now on. */
    void add(long offset, long bytes) {
        long first = offset >>> pageShift;
        long last = (offset + bytes - 1) >>> pageShift;
        for (long word = first >>> 6; word <= (last >>> 6); word++) {
            NativeMemory.putLong(address(word), NativeMemory.getLong(address(word)) | mask(word, first, last));
        }
    }

    /** What another knows of the same image, which may be shorter. */
    void addAll(KnownPages other) {
        long bytes = Math.min(bits.bytes(), other.bits.bytes());
        for (long at = 0; at < bytes; at += Long.BYTES) {
            long word = NativeMemory.getLong(other.bits.address() + at);
            // Not to touch what stays empty: the kernel would provide it.
            if (word != 0) {
                NativeMemory.putLong(bits.address() + at, NativeMemory.getLong(bits.address() + at) | word);
            }
        }
    }

    /** No page that a range touches is known any more. */
    void remove(long offset, long bytes) {
        long first = offset >>> pageShift;
        long last = (offset + bytes - 1) >>> pageShift;
        for (long word = first >>> 6; word <= (last >>> 6); word++) {
            long known = NativeMemory.getLong(address(word));
            // Not to touch what stays empty, as above.
            if (known != 0) {
                NativeMemory.putLong(address(word), known & ~mask(word, first, last));
            }
        }
    }

    /** Of the pages from one to another those that have their bits in this word, as bits. */
    private static long mask(long word, long first, long last) {
        long from = word == (first >>> 6) ? ALL << first : ALL;
        return word == (last >>> 6) ? from & (ALL >>> (63 - (last & 63))) : from;
    }

    private long address(long word) {
        return bits.address() + word * Long.BYTES;
    }

    @Override
    public void close() {
        bits.close();
    }
}
