package dev.sluice.aio.mapped;

import dev.sluice.aio.sink.CopyBudget;
import dev.sluice.linux.Mapping;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;

/**
 * Finds out which pages of an image exist, and has the mapping know them: mincore(2) says for each page of a window whether it is in memory. A page that is
 * not may still exist (swapped out, allocated but never written): those are left to the calls that work for every page. A window is looked at once, until
 * something in it is forgotten.
 *
 * <p>Not for hugetlbfs, where mincore shows what this process has touched, nor for images that may not be written, of which it says that all pages are there.
 *
 * <p><b>Threading:</b> the loop's. <b>Ownership:</b> of its vector, until {@link #close}. <b>Failure:</b> nothing is known then. <b>Allocation:</b> none after
 * the constructor.
 */
final class ResidentPages implements AutoCloseable {
    /** Some 100 us: what is looked at in one call does not depend on the size of the image. */
    static final long WINDOW_BYTES = 4L << 20;

    /** What a look counts as: there is one in a tick. */
    private static final long COST_BYTES = CopyBudget.BYTES_PER_BATCH;

    private static final int RESIDENT = 1;

    private final CopyBudget budget;
    private final long pageBytes;
    private final boolean usable;
    private final NativeBlock vector;

    ResidentPages(MappedImage image, CopyBudget budget) {
        this.budget = budget;
        this.pageBytes = image.pageBytes();
        this.usable = image.findsHoles() && !image.geometry().readOnly();
        this.vector = NativeMemory.allocate(Math.max(1, WINDOW_BYTES / pageBytes), Long.BYTES);
    }

    /** Whether all pages that a range touches are known, now that their windows have been looked at. */
    boolean find(ImageMapping mapping, long offset, long bytes) {
        if (!usable || mapping.looked.contain(offset, bytes)) {
            return false;
        }
        for (long window = offset & -WINDOW_BYTES; window < offset + bytes; window += WINDOW_BYTES) {
            if (!mapping.looked.contain(window, 1)) {
                look(mapping, window);
            }
        }
        return mapping.known.contain(offset, bytes);
    }

    private void look(ImageMapping mapping, long window) {
        mapping.looked.add(window, 1);
        budget.copied(COST_BYTES);
        long bytes = Math.min(WINDOW_BYTES, mapping.bytes - window);
        if (Mapping.mincore(mapping.address + window, bytes, vector.address()) < 0) {
            return;
        }
        long pages = (bytes + pageBytes - 1) / pageBytes;
        for (long page = 0; page < pages; page++) {
            long first = page;
            while (page < pages && isResident(page)) {
                page++;
            }
            if (page > first) {
                mapping.known.add(window + first * pageBytes, (page - first) * pageBytes);
            }
        }
    }

    private boolean isResident(long page) {
        return (NativeMemory.getByte(vector.address() + page) & RESIDENT) != 0;
    }

    @Override
    public void close() {
        vector.close();
    }
}
