package dev.sluice.aio.sink;

/**
 * The slots of a sink that no request has; the one that was released last is taken first.
 *
 * <p><b>Threading:</b> the loop's. <b>Allocation:</b> at creation only.
 */
final class FreeSlots {
    private final int[] slots;
    private int count;

    /** All of them. */
    FreeSlots(int capacity) {
        slots = new int[capacity];
        while (count < capacity) {
            slots[count] = capacity - 1 - count;
            count++;
        }
    }

    boolean isEmpty() {
        return count == 0;
    }

    int taken() {
        return slots.length - count;
    }

    int take() {
        return slots[--count];
    }

    void release(int slot) {
        slots[count++] = slot;
    }
}
