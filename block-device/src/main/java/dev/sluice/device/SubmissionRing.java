package dev.sluice.device;

import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * Calls on their way into a loop: a bounded ring with many producers and one consumer.
 *
 * <p><b>Threading:</b> {@link #offer} from any thread, {@link #poll} and {@link #isEmpty} from the loop's. Lock free; a producer that is
 * descheduled between claiming a place and filling it holds back those behind it, and has not returned yet either.
 * <b>Failure:</b> a full ring refuses. <b>Allocation:</b> none.
 */
final class SubmissionRing {
    private final int capacity;
    private final int mask;
    private final AtomicReferenceArray<@Nullable DeviceIo> places;
    private final AtomicLong tail = new AtomicLong();
    private final AtomicLong head = new AtomicLong();

    SubmissionRing(int capacity) {
        this.capacity = capacity;
        int length = Integer.highestOneBit(Math.max(1, capacity - 1)) << 1;
        this.mask = length - 1;
        this.places = new AtomicReferenceArray<>(length);
    }

    boolean offer(DeviceIo io) {
        long at;
        do {
            at = tail.get();
            // Acquire; pairs with poll's release: a place that counts as free has been emptied.
            if (at - head.getAcquire() >= capacity) {
                return false;
            }
        } while (!tail.compareAndSet(at, at + 1));
        // Volatile, not release: DeviceQueue.kick reads a flag after this store and needs the order (see there).
        places.set((int) at & mask, io);
        return true;
    }

    /** The next call, or null if there is none or its producer has not filled it in yet; the producer kicks afterwards. */
    @Nullable
    DeviceIo poll() {
        long at = head.getPlain();
        int place = (int) at & mask;
        DeviceIo io = places.get(place);
        if (io == null) {
            return null;
        }
        places.setPlain(place, null);
        // Release; pairs with offer's acquire.
        head.setRelease(at + 1);
        return io;
    }

    /** Any thread. True if {@link #offer} would fail. */
    boolean isFull() {
        return tail.get() - head.get() >= capacity;
    }

    boolean isEmpty() {
        return places.get((int) head.getPlain() & mask) == null;
    }
}
