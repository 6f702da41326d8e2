package dev.sluice.aio.sink;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.aio.raw.DirectAlignment;
import dev.sluice.linux.Iovec;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Data goes past the page cache if each address and each length that is left fits; addresses and lengths have rules of their own. */
class IovecAlignmentTest {
    private static final DirectAlignment SECTORS = new DirectAlignment(512, 512);
    private static final int COUNT = 3;

    private final NativeBlock iovecs = NativeMemory.allocate((long) COUNT * Iovec.SIZE, 16);
    private final IovecCursor cursor = new IovecCursor();

    @AfterEach
    void free() {
        iovecs.close();
    }

    /** Segments of 8192 bytes, one of which differs. */
    private void begin(int odd, long addressBytes, long lengthBytes) {
        for (int i = 0; i < COUNT; i++) {
            Iovec.set(iovecs.address(), i, 0x10000L * (i + 1) + (i == odd ? addressBytes : 0), 8192 + (i == odd ? lengthBytes : 0));
        }
        cursor.begin(iovecs.address(), COUNT);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2})
    void shouldLookAtTheAddressAndTheLengthOfEachSegmentThatIsLeft(int odd) {
        begin(odd, 0, 0);
        assertThat(cursor.aligned(SECTORS)).isTrue();
        for (long[] difference : new long[][] {{8, 0}, {256, 0}, {0, -8}, {0, 256}}) {
            begin(odd, difference[0], difference[1]);
            assertThat(cursor.aligned(SECTORS)).as("segment %d", odd).isFalse();
            for (int i = 0; i <= odd; i++) {
                cursor.advance(8192 + (i == odd ? difference[1] : 0));
            }
            assertThat(cursor.aligned(SECTORS)).as("behind segment %d", odd).isTrue();
        }
    }

    @Test
    void shouldKnowTheRuleOfAddressesFromThatOfLengths() {
        DirectAlignment anyAddress = new DirectAlignment(4, 512);
        begin(1, 4, 0);
        assertThat(cursor.aligned(anyAddress)).isTrue();
        begin(1, 0, 4);
        assertThat(cursor.aligned(anyAddress)).isFalse();
        DirectAlignment anyLength = new DirectAlignment(512, 4);
        begin(1, 4, 0);
        assertThat(cursor.aligned(anyLength)).isFalse();
        begin(1, 0, 4);
        assertThat(cursor.aligned(anyLength)).isTrue();
    }

    /** What is done of a segment moves the address and shortens the length of its rest. */
    @Test
    void shouldLookAtWhereATransferHasStopped() {
        for (DirectAlignment alignment : new DirectAlignment[] {new DirectAlignment(4, 512), new DirectAlignment(512, 4), SECTORS}) {
            begin(0, 0, 0);
            cursor.advance(4);
            assertThat(cursor.aligned(alignment)).as("%s, 4 bytes on", alignment).isFalse();
            cursor.advance(508);
            assertThat(cursor.aligned(alignment)).as("%s, 512 bytes on", alignment).isTrue();
        }
        begin(0, 0, 0);
        cursor.advance(4);
        assertThat(cursor.aligned(new DirectAlignment(4, 4))).isTrue();
    }
}
