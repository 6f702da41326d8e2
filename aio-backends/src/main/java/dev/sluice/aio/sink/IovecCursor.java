package dev.sluice.aio.sink;

import dev.sluice.aio.raw.DirectAlignment;
import dev.sluice.linux.Iovec;
import dev.sluice.linux.NativeMemory;

/**
 * A place in the data of one request, given as a native array of {@code struct iovec}.
 *
 * <p>Where a transfer continues in the middle of an element, that element is shortened in place for the kernel ({@link #cutElement}) and put
 * back afterwards ({@link #restore}): who looks at the data segments after completion finds them as they were.
 *
 * <p><b>Threading:</b> the loop's. <b>Ownership:</b> the array is the request's. <b>Failure:</b> the methods that touch the data throw
 * {@code InternalError} where a guest has truncated the memory behind it; each has surfaced it when it returns. <b>Allocation:</b> none.
 */
final class IovecCursor {
    /** IOV_MAX of Linux. */
    static final int MAX_ELEMENTS = 1024;

    private long iovecs;
    private int count;
    private int element;
    /** Bytes of the current element that are done. */
    private long within;
    private boolean cut;
    private long wholeBase;
    private long wholeLength;

    void begin(long iovecs, int count) {
        this.iovecs = iovecs;
        this.count = count;
        this.element = 0;
        this.within = 0;
        this.cut = false;
    }

    /** Whether all the rest can be handed to O_DIRECT without a bounce buffer. */
    boolean aligned(DirectAlignment alignment) {
        if (!alignment.allowsOffset(within) || !alignment.allowsAddress(within)) {
            return false;
        }
        for (int i = element; i < count; i++) {
            if (!alignment.allowsAddress(Iovec.base(iovecs, i)) || !alignment.allowsOffset(Iovec.length(iovecs, i))) {
                return false;
            }
        }
        return true;
    }

    /** Makes the current element start where the cursor stands. */
    void cutElement() {
        if (within > 0 && !cut) {
            cut = true;
            wholeBase = Iovec.base(iovecs, element);
            wholeLength = Iovec.length(iovecs, element);
            Iovec.set(iovecs, element, wholeBase + within, wholeLength - within);
        }
    }

    /** Undoes {@link #cutElement}. */
    void restore() {
        if (cut) {
            cut = false;
            Iovec.set(iovecs, element, wholeBase, wholeLength);
        }
    }

    /** Address of the current element, for READV and WRITEV. */
    long elementAddress() {
        return Iovec.address(iovecs, element);
    }

    /** How many elements from there the kernel takes at once. */
    int elementCount() {
        return Math.min(MAX_ELEMENTS, count - element);
    }

    void advance(long bytes) {
        restore();
        within += bytes;
        while (element < count && within >= Iovec.length(iovecs, element)) {
            within -= Iovec.length(iovecs, element);
            element++;
        }
    }

    /** Copies the next bytes of the request to a buffer, without moving on. */
    void copyTo(long target, long bytes) {
        copy(target, bytes, true);
    }

    /** Copies a buffer into the next bytes of the request, without moving on. */
    void copyFrom(long source, long bytes) {
        copy(source, bytes, false);
    }

    private void copy(long buffer, long bytes, boolean toBuffer) {
        assert bytes <= BouncePool.BUFFER_BYTES : "a buffer has " + BouncePool.BUFFER_BYTES + " bytes, not " + bytes;
        long copied = 0;
        long done = within;
        for (int i = element; copied < bytes && i < count; i++) {
            long base = Iovec.base(iovecs, i) + done;
            long part = Math.min(Iovec.length(iovecs, i) - done, bytes - copied);
            if (toBuffer) {
                NativeMemory.copy(base, buffer + copied, part);
            } else {
                NativeMemory.copy(buffer + copied, base, part);
            }
            copied += part;
            done = 0;
        }
        NativeMemory.surfaceFault();
    }
}
