package dev.sluice.examples.copy;

import java.nio.ByteBuffer;
import java.util.zip.CRC32C;

/**
 * The CRC32C of all bytes of a chunk, of which those in holes are zero and are not read. What a file system reports as a hole may change while the bytes stay
 * the same (an extent that was allocated and not written is data while it is in the page cache), so the checksum must not distinguish them.
 *
 * <p>Zeroes take O(log n) steps, not n: an image of many TiB may be one large hole, and {@link CRC32C} over that would take minutes. The
 * arithmetic is that of crc32_combine in zlib: appending n bytes multiplies the register by x^(8n) modulo the polynomial, over GF(2).
 *
 * <p><b>Threading:</b> one thread at a time. <b>Allocation:</b> none after construction.
 */
final class ChunkChecksum {
    // Bits are reflected, as CRC32C has them: the highest one is x^0.
    private static final int POLYNOMIAL = 0x82F63B78;
    private static final int X_TO_0 = 1 << 31;
    private static final int X_TO_8 = 1 << 23;

    private final CRC32C data = new CRC32C();
    private long dataBytes;
    private int before;
    private long atBytes;

    /** @param offsetBytes where the chunk starts */
    ChunkChecksum(long offsetBytes) {
        this.atBytes = offsetBytes;
    }

    /** Adds the bytes that follow. */
    void data(ByteBuffer bytes) {
        dataBytes += bytes.remaining();
        atBytes += bytes.remaining();
        data.update(bytes);
    }

    /** Adds a hole between the last bytes and here. */
    void holeUpTo(long offsetBytes) {
        appendData();
        before = ~multiply(~before, xTo8(offsetBytes - atBytes));
        atBytes = offsetBytes;
    }

    int value() {
        appendData();
        return before;
    }

    private void appendData() {
        before = multiply(before, xTo8(dataBytes)) ^ (int) data.getValue();
        data.reset();
        dataBytes = 0;
    }

    /** x^(8n). */
    private static int xTo8(long n) {
        int power = X_TO_0;
        int square = X_TO_8;
        for (long bits = n; bits != 0; bits >>>= 1) {
            if ((bits & 1) != 0) {
                power = multiply(power, square);
            }
            square = multiply(square, square);
        }
        return power;
    }

    private static int multiply(int a, int b) {
        int product = 0;
        int shifted = b;
        for (int bit = X_TO_0; bit != 0; bit >>>= 1) {
            if ((a & bit) != 0) {
                product ^= shifted;
            }
            shifted = (shifted & 1) != 0 ? (shifted >>> 1) ^ POLYNOMIAL : shifted >>> 1;
        }
        return product;
    }
}
