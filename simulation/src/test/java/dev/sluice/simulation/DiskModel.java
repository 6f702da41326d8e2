package dev.sluice.simulation;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * What the guest may rely on: for each sector the data that was acknowledged last, or that nothing is known as its write failed. Data is known by a
 * stamp, from which all of a sector follows.
 */
final class DiskModel {
    static final int SECTOR = SimulatedKernel.SECTOR;
    private static final int WORDS = SECTOR / Long.BYTES;

    private final SimulatedKernel kernel;
    private final int sectors;
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

    DiskModel(SimulatedKernel kernel, int sectors) {
        this.kernel = kernel;
        this.sectors = sectors;
        this.stamp = new long[sectors];
        this.generation = new long[sectors];
        this.survives = new long[sectors];
        this.unknown = new boolean[sectors];
        this.writing = new boolean[sectors];
        this.reading = new int[sectors];
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

    /** Sectors of which nobody knows any more what they hold. */
    void lost(boolean[] which) {
        for (int sector = 0; sector < sectors; sector++) {
            unknown[sector] |= which[sector];
        }
    }

    void checkDurable(int first, int count, String by) {
        for (int sector = first; sector < first + count; sector++) {
            checkDurable(sector, by);
        }
    }

    private void checkDurable(int sector, String by) {
        if (kernel.durableChecksum(sector) != expectedChecksum(sector)) {
            throw new Violation("sector " + sector + " is not durable after " + by + ": a power failure would lose stamp " + stamp[sector]);
        }
        survives[sector] = generation[sector];
    }

    /** With nothing in flight: the file holds what was acknowledged. */
    void checkAll() {
        for (int sector = 0; sector < sectors; sector++) {
            if (writing[sector]) {
                throw new Violation("sector " + sector + " is still being written when all is quiet");
            }
            if (!unknown[sector] && kernel.checksum(sector) != expectedChecksum(sector)) {
                throw new Violation("sector " + sector + " of the file is not what was acknowledged, stamp " + stamp[sector]);
            }
        }
    }

}
