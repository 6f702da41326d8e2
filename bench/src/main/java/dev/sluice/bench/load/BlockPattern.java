package dev.sluice.bench.load;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Content that identifies where and when it was written: every 8 bytes depend on the sector they belong in, on how often that block was
 * written and on the load's seed, so that a lost, stale or misplaced write is detected. Immutable, allocation free.
 */
final class BlockPattern {
    private static final int SECTOR_BYTES = 512;
    private static final long GOLDEN = 0x9E3779B97F4A7C15L;

    private final long seed;

    BlockPattern(long seed) {
        this.seed = seed;
    }

    void write(MemorySegment memory, long offset, int bytes, long firstSector, int generation) {
        for (int at = 0; at < bytes; at += Long.BYTES) {
            memory.set(ValueLayout.JAVA_LONG_UNALIGNED, offset + at, word(firstSector + at / SECTOR_BYTES, at % SECTOR_BYTES, generation));
        }
    }

    boolean matches(MemorySegment memory, long offset, int bytes, long firstSector, int generation) {
        for (int at = 0; at < bytes; at += Long.BYTES) {
            if (memory.get(ValueLayout.JAVA_LONG_UNALIGNED, offset + at) != word(firstSector + at / SECTOR_BYTES, at % SECTOR_BYTES, generation)) {
                return false;
            }
        }
        return true;
    }

    private long word(long sector, int offsetInSector, int generation) {
        long x = (seed ^ sector * GOLDEN) + ((long) generation << 32 | offsetInSector);
        x = (x ^ x >>> 32) * 0xD6E8FEB86659FD93L;
        return x ^ x >>> 32;
    }
}
