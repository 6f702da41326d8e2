package dev.sluice.examples.copy;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;

class ChunkChecksumTest {
    private static final long SEED = 20261127;
    private static final int BYTES = 64 << 10;

    @Test
    void shouldBeTheCrc32cOfAllBytesWhateverIsAHole() {
        SplittableRandom random = new SplittableRandom(SEED);
        for (int round = 0; round < 500; round++) {
            byte[] chunk = new byte[random.nextInt(1, BYTES)];
            random.nextBytes(chunk);
            int zeroFrom = random.nextInt(chunk.length);
            int zeroTo = random.nextInt(zeroFrom, chunk.length + 1);
            Arrays.fill(chunk, zeroFrom, zeroTo, (byte) 0);
            CRC32C wanted = new CRC32C();
            wanted.update(chunk);

            long begin = random.nextLong(1L << 50);
            ChunkChecksum checksum = new ChunkChecksum(begin);
            // Of the zeroes, some are data; and data comes in two pieces.
            int holeFrom = random.nextInt(zeroFrom, zeroTo + 1);
            int holeTo = random.nextInt(holeFrom, zeroTo + 1);
            int piece = random.nextInt(holeFrom + 1);
            checksum.data(ByteBuffer.wrap(chunk, 0, piece));
            checksum.data(ByteBuffer.wrap(chunk, piece, holeFrom - piece));
            checksum.holeUpTo(begin + holeTo);
            checksum.data(ByteBuffer.wrap(chunk, holeTo, chunk.length - holeTo));
            checksum.holeUpTo(begin + chunk.length);
            assertThat(checksum.value()).as("seed %d, round %d", SEED, round).isEqualTo((int) wanted.getValue());
        }
    }

    @Test
    void shouldTakeAHoleOfAnyLengthInNoTime() {
        long holes = 1 << 20;
        long chunkBytes = 4L << 30;
        ChunkChecksum inOne = new ChunkChecksum(0);
        inOne.holeUpTo(chunkBytes);
        ChunkChecksum inMany = new ChunkChecksum(0);
        for (long i = 1; i <= holes; i++) {
            inMany.holeUpTo(i * (chunkBytes / holes));
        }
        assertThat(inMany.value()).isEqualTo(inOne.value()).isNotZero();
    }
}
