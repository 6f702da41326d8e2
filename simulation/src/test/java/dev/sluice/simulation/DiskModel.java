package dev.sluice.simulation;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * What the guest may rely on: for each sector the data that was acknowledged last, or that nothing is known as its write failed. Data is known by a
 * stamp, from which all of a sector follows.
 */
final class DiskModel {
    static final int SECTOR = SimulatedKernel.SECTOR;
    private static final int WORDS = SECTOR / Long.BYTES;

    private final SimulatedKernel kernel;
    private final int sectors;
    private final Placement placement;
    private final int[] headerChecksum;
    private final long[] stamp;
    /** Counts what became of a sector: two zeroings are not the same. */
    private final long[] generation;
    /** The generation that is known to survive a power failure. */
    private final long[] survives;

    private final boolean[] unknown;
    private final boolean[] writing;
    private final int[] reading;
    private final byte[] scratch = new byte[SECTOR];
    private long stamps;

    DiskModel(SimulatedKernel kernel, int sectors, Placement placement) {
        this.kernel = kernel;
        this.sectors = sectors;
        this.placement = placement;
        this.headerChecksum = IntStream.range(0, placement.header).map(kernel::checksum).toArray();
        this.stamp = new long[sectors];
        this.generation = new long[sectors];
        this.survives = new long[sectors];
        this.unknown = new boolean[sectors];
        this.writing = new boolean[sectors];
        this.reading = new int[sectors];
        Arrays.fill(unknown, !placement.zeroesStayZeroes);
    }

    int sectors() {
        return sectors;
    }

    long nextStamp() {
        return ++stamps;
    }

    // ---- requests under way

    boolean mayWrite(int first, int count) {
        for (int i = first; i < first + count; i++) {
            if (writing[i] || reading[i] > 0) {
                return false;
            }
        }
        return true;
    }

    boolean mayRead(int first, int count) {
        for (int i = first; i < first + count; i++) {
            if (writing[i]) {
                return false;
            }
        }
        return true;
    }

    void beginRead(int first, int count) {
        for (int i = first; i < first + count; i++) {
            reading[i]++;
        }
    }

    void endRead(int first, int count) {
        for (int i = first; i < first + count; i++) {
            reading[i]--;
        }
    }

    void beginWrite(int first, int count) {
        for (int i = first; i < first + count; i++) {
            writing[i] = true;
            generation[i]++;
        }
    }

    /** The write was acknowledged. Sector i holds stamp + i from now on, or zeroes. */
    void wrote(int first, int count, long firstStamp) {
        for (int i = 0; i < count; i++) {
            stamp[first + i] = firstStamp == 0 ? 0 : firstStamp + i;
            unknown[first + i] = false;
            writing[first + i] = false;
        }
    }

    /** Nobody knows what is there: the write failed, or the range was discarded. */
    void lost(int first, int count) {
        for (int i = first; i < first + count; i++) {
            unknown[i] = true;
            writing[i] = false;
        }
    }

    /** Reserves stamps for so many sectors. */
    long stampsFor(int count) {
        long first = stamps + 1;
        stamps += count;
        return first;
    }

    // ---- data

    static long word(long stamp, int index) {
        if (stamp == 0) {
            return 0;
        }
        long mixed = (stamp * 0x9E3779B97F4A7C15L) ^ (index * 0xC2B2AE3D27D4EB4FL);
        return mixed ^ (mixed >>> 29);
    }

    static void fill(MemorySegment target, long offset, long stamp) {
        for (int i = 0; i < WORDS; i++) {
            target.set(ValueLayout.JAVA_LONG_UNALIGNED, offset + (long) i * Long.BYTES, word(stamp, i));
        }
    }

    /** What a read gave for a sector. */
    void checkRead(int sector, MemorySegment data, long offset) {
        if (unknown[sector]) {
            return;
        }
        for (int i = 0; i < WORDS; i++) {
            long found = data.get(ValueLayout.JAVA_LONG_UNALIGNED, offset + (long) i * Long.BYTES);
            if (found != word(stamp[sector], i)) {
                throw new Violation(
                        "sector " + sector + " reads wrong at byte " + i * Long.BYTES + ": " + Long.toHexString(found) + " in place of stamp " + stamp[sector]);
            }
        }
    }

    private int expectedChecksum(int sector) {
        fill(MemorySegment.ofArray(scratch), 0, stamp[sector]);
        placement.encode(scratch);
        return SimulatedKernel.sum(scratch, 0);
    }

    /** Sectors whose contents a flush that is submitted now has to make durable. */
    boolean[] acknowledged() {
        boolean[] covered = new boolean[sectors];
        for (int i = 0; i < sectors; i++) {
            covered[i] = !writing[i] && !unknown[i];
        }
        return covered;
    }

    long[] generations() {
        return generation.clone();
    }

    /** A flush was acknowledged: what was acknowledged before it was submitted, and has not been written again, survives a power failure. */
    void checkDurable(boolean[] covered, long[] generationsThen) {
        for (int sector = 0; sector < sectors; sector++) {
            if (covered[sector] && !unknown[sector] && generation[sector] == generationsThen[sector]) {
                checkDurable(sector, "an acknowledged flush");
            }
        }
    }

    /** What was acknowledged and not flushed may be there or not; what was, is. */
    void powerFailed() {
        for (int sector = 0; sector < sectors; sector++) {
            unknown[sector] |= survives[sector] != generation[sector];
        }
    }

    /** Sectors of the file of which nobody knows any more what they hold. */
    void lost(boolean[] which) {
        for (int sector = 0; sector < sectors; sector++) {
            for (int copy = 0; copy < placement.copies; copy++) {
                unknown[sector] |= which[placement.place(sector, sectors, copy)];
            }
        }
    }

    /** Whether something has failed since that this READ could not do without: the last copy of what it asks for. */
    boolean failedToRead(GuestRequest request) {
        for (int copy = 0; copy < placement.copies; copy++) {
            if (!failed(request, copy)) {
                return false;
            }
        }
        return true;
    }

    /** Whether something has failed since that touched a copy of what this request changes. */
    boolean failedToWrite(GuestRequest request) {
        for (int copy = 0; copy < placement.copies; copy++) {
            if (failed(request, copy)) {
                return true;
            }
        }
        return false;
    }

    private boolean failed(GuestRequest request, int copy) {
        return kernel.failedSince(request.failuresBefore, (long) placement.place(request.sector, sectors, copy) * SECTOR, (long) request.sectors * SECTOR);
    }

    /** A range was discarded, or zeroed below whatever changes the data. */
    void zeroed(GuestRequest request) {
        if (placement.zeroesStayZeroes) {
            wrote(request.sector, request.sectors, 0);
        } else {
            lost(request.sector, request.sectors);
        }
    }

    void checkDurable(int first, int count, String by) {
        for (int sector = first; sector < first + count; sector++) {
            checkDurable(sector, by);
        }
    }

    private void checkDurable(int sector, String by) {
        if (unknown[sector]) {
            return;
        }
        int expected = expectedChecksum(sector);
        for (int copy = 0; copy < placement.copies; copy++) {
            if (kernel.durableChecksum(placement.place(sector, sectors, copy)) != expected) {
                throw new Violation("sector " + sector + " is not durable after " + by + ": a power failure would lose stamp " + stamp[sector] + which(copy));
            }
        }
        survives[sector] = generation[sector];
    }

    /** With nothing in flight: the file holds what was acknowledged. */
    void checkAll() {
        for (int sector = 0; sector < sectors; sector++) {
            if (writing[sector]) {
                throw new Violation("sector " + sector + " is still being written when all is quiet");
            }
            for (int copy = 0; copy < placement.copies && !unknown[sector]; copy++) {
                if (kernel.checksum(placement.place(sector, sectors, copy)) != expectedChecksum(sector)) {
                    throw new Violation("sector " + sector + " of the file is not what was acknowledged, stamp " + stamp[sector] + which(copy));
                }
            }
        }
        for (int sector = 0; sector < headerChecksum.length; sector++) {
            if (kernel.checksum(sector) != headerChecksum[sector]) {
                throw new Violation("sector " + sector + " of the file, which is not the guest's, has changed");
            }
        }
    }

    private String which(int copy) {
        return placement.copies == 1 ? "" : " of copy " + copy;
    }
}
