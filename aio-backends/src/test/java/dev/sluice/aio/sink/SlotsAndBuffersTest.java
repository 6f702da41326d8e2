package dev.sluice.aio.sink;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.Objects;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The queues of slots and the pool of buffers of a sink. */
class SlotsAndBuffersTest {
    private static final int PAGE = 4096;

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 8, 31, 32, 33})
    void shouldKeepSlotsInOrderHoweverFullItIs(int capacity) {
        SlotFifo fifo = new SlotFifo(capacity);
        ArrayDeque<Integer> expected = new ArrayDeque<>();
        SplittableRandom random = new SplittableRandom(capacity);
        for (int i = 0; i < 1000; i++) {
            if (expected.size() < capacity && random.nextInt(3) > 0) {
                fifo.add(i);
                expected.add(i);
            } else if (!expected.isEmpty()) {
                assertThat(fifo.peek()).isEqualTo(Objects.requireNonNull(expected.peek()));
                assertThat(fifo.poll()).isEqualTo(Objects.requireNonNull(expected.poll()));
            }
            assertThat(fifo.size()).isEqualTo(expected.size());
            assertThat(fifo.isEmpty()).isEqualTo(expected.isEmpty());
        }
    }

    @Test
    void shouldGiveAlignedBuffersUpToItsLimitAndTheSameOnesAgain() {
        try (BouncePool pool = new BouncePool(PAGE)) {
            Set<Long> taken = new HashSet<>();
            for (int i = 0; i < BouncePool.BUFFERS; i++) {
                assertThat(pool.available()).isTrue();
                long address = pool.borrow();
                assertThat(address % PAGE).isZero();
                assertThat(taken.add(address)).isTrue();
                assertThat(pool.borrowed()).isEqualTo(i + 1);
                NativeMemory.putLong(address + BouncePool.BUFFER_BYTES - 8, i);
            }
            assertThat(pool.available()).isFalse();
            assertThat(pool.borrow()).isZero();
            for (long address : taken) {
                pool.release(address);
                assertThat(pool.available()).isTrue();
                assertThat(pool.borrow()).isEqualTo(address);
            }
            taken.forEach(pool::release);
            assertThat(pool.borrowed()).isZero();
        }
    }

    @Test
    void shouldNotFreeBuffersThatAreInUse() {
        BouncePool pool = new BouncePool(PAGE);
        long address = pool.borrow();
        assertThatThrownBy(pool::close).hasMessage("1 bounce buffers have not come back");
        pool.release(address);
        pool.close();
        assertThat(pool.borrowed()).isZero();
        assertThat(pool.available()).isTrue();
    }

    @Test
    void shouldFreeItsMemoryWhenItIsClosed() {
        long before = NativeBlock.openBytes();
        for (int round = 0; round < 2; round++) {
            try (BouncePool pool = new BouncePool(PAGE)) {
                long[] taken = new long[BouncePool.BUFFERS];
                for (int i = 0; i < taken.length; i++) {
                    taken[i] = pool.borrow();
                }
                assertThat(NativeBlock.openBytes()).isGreaterThan(before);
                for (long address : taken) {
                    pool.release(address);
                }
            }
        }
        assertThat(NativeBlock.openBytes()).isLessThanOrEqualTo(before);
    }
}
