package dev.sluice.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Both ways to copy, the stub's and the one of words that aarch64 takes, against arrays, on whatever machine the test runs. */
class NativeCopyTest {
    private static final int BYTES = 320;
    private static final int LONGEST = 140;

    private final NativeBlock block = NativeMemory.allocate(BYTES, 64);
    private final byte[] expected = new byte[BYTES];
    private final SplittableRandom random = new SplittableRandom(42);

    enum Way {
        NATIVE_MEMORY {
            @Override
            void copy(long source, long target, int bytes) {
                NativeMemory.copy(source, target, bytes);
            }

            @Override
            void toArray(long source, byte[] target, int offset, int bytes) {
                NativeMemory.copyToArray(source, target, offset, bytes);
            }

            @Override
            void fromArray(byte[] source, int offset, long target, int bytes) {
                NativeMemory.copyFromArray(source, offset, target, bytes);
            }
        },
        WORDS {
            @Override
            void copy(long source, long target, int bytes) {
                WordCopy.copy(source, target, bytes);
            }

            @Override
            void toArray(long source, byte[] target, int offset, int bytes) {
                WordCopy.toArray(source, target, offset, bytes);
            }

            @Override
            void fromArray(byte[] source, int offset, long target, int bytes) {
                WordCopy.fromArray(source, offset, target, bytes);
            }
        },
        SEGMENTS {
            @Override
            void copy(long source, long target, int bytes) {
                NativeMemory.copy(source, target, bytes);
            }

            @Override
            void toArray(long source, byte[] target, int offset, int bytes) {
                NativeMemory.copyToSegment(source, MemorySegment.ofArray(target), offset, bytes);
            }

            @Override
            void fromArray(byte[] source, int offset, long target, int bytes) {
                NativeMemory.copyFromSegment(MemorySegment.ofArray(source), offset, target, bytes);
            }
        },
        WORDS_TO_SEGMENTS {
            @Override
            void copy(long source, long target, int bytes) {
                WordCopy.copy(source, target, bytes);
            }

            @Override
            void toArray(long source, byte[] target, int offset, int bytes) {
                WordCopy.toSegment(source, MemorySegment.ofArray(target), offset, bytes);
            }

            @Override
            void fromArray(byte[] source, int offset, long target, int bytes) {
                WordCopy.fromSegment(MemorySegment.ofArray(source), offset, target, bytes);
            }
        };

        abstract void copy(long source, long target, int bytes);

        abstract void toArray(long source, byte[] target, int offset, int bytes);

        abstract void fromArray(byte[] source, int offset, long target, int bytes);
    }

    @AfterEach
    void free() {
        block.close();
    }

    private void scramble() {
        random.nextBytes(expected);
        for (int i = 0; i < BYTES; i++) {
            NativeMemory.putByte(block.address() + i, expected[i]);
        }
    }

    private byte[] found() {
        byte[] bytes = new byte[BYTES];
        for (int i = 0; i < BYTES; i++) {
            bytes[i] = NativeMemory.getByte(block.address() + i);
        }
        return bytes;
    }

    @ParameterizedTest
    @EnumSource
    void shouldCopyEveryLengthAtEveryAlignmentWhetherRangesOverlapOrNot(Way way) {
        for (int bytes = 0; bytes <= LONGEST; bytes++) {
            for (int from = 0; from < 9; from++) {
                for (int to : new int[] {0, 1, 3, 8, 9, 16, 17, LONGEST + from, LONGEST + 5}) {
                    scramble();
                    way.copy(block.address() + from, block.address() + to, bytes);
                    System.arraycopy(expected, from, expected, to, bytes);
                    assertThat(found()).as("%d bytes from %d to %d", bytes, from, to).isEqualTo(expected);
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldCopyToAndFromArraysAtEveryAlignment(Way way) {
        byte[] array = new byte[LONGEST + 16];
        for (int bytes = 0; bytes <= LONGEST; bytes++) {
            for (int shift = 0; shift < 9; shift++) {
                scramble();
                Arrays.fill(array, (byte) 7);
                way.toArray(block.address() + shift, array, shift / 2, bytes);
                byte[] wanted = new byte[array.length];
                Arrays.fill(wanted, (byte) 7);
                System.arraycopy(expected, shift, wanted, shift / 2, bytes);
                assertThat(array).isEqualTo(wanted);

                random.nextBytes(array);
                way.fromArray(array, shift, block.address() + shift / 2, bytes);
                System.arraycopy(array, shift, expected, shift / 2, bytes);
                assertThat(found()).isEqualTo(expected);
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldRefuseAnArrayThatIsTooShort(Way way) {
        byte[] array = new byte[16];
        assertThatThrownBy(() -> way.toArray(block.address(), array, 8, 9)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> way.fromArray(array, -1, block.address(), 1)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThat(array).containsOnly(0);
    }
}
