package dev.sluice.aio.mapped;

import dev.sluice.linux.Iovec;
import dev.sluice.linux.NativeMemory;

/**
 * A place in the data of one request, given as a native array of {@code struct iovec}, which is only read.
 *
 * <p><b>Threading:</b> the loop's. <b>Failure:</b> a copy from or to memory that was truncated is thrown late, see {@link NativeMemory}: {@link MappedCopy}
 * surfaces it. <b>Allocation:</b> none.
 */
final class DataCursor {
    private long iovecs;
    private int count;
    private int element;
    /** Bytes of the current element that are done. */
    private long within;

    void begin(long iovecsAddress, int iovecCount) {
        iovecs = iovecsAddress;
        count = iovecCount;
        element = 0;
        within = 0;
        skipEmpty();
    }

    /** Goes to where so many bytes of the data are done. */
    void moveTo(long doneBytes) {
        begin(iovecs, count);
        for (long left = doneBytes; left > 0;) {
            long part = contiguous(left);
            advance(part);
            left -= part;
        }
    }

    /** Address of the next byte; there is one. */
    long address() {
        return Iovec.base(iovecs, element) + within;
    }

    /** Bytes from {@link #address} to the end of the element, at most so many; 0 at the end of the data. */
    long contiguous(long most) {
        return element == count ? 0 : Math.min(most, Iovec.length(iovecs, element) - within);
    }

    /** Moves on by no more than {@link #contiguous} bytes. */
    void advance(long bytes) {
        within += bytes;
        skipEmpty();
    }

    private void skipEmpty() {
        while (element < count && within >= Iovec.length(iovecs, element)) {
            element++;
            within = 0;
        }
    }
}
