package dev.sluice.aio.sink;

/**
 * The slots of a sink that no request has; the one that was released last is taken first.
 *
 * <p><b>Threading:</b> the loop's. <b>Allocation:</b> at creation only.
 */
public final class FreeSlots {
    private final int[] slots;
    private int count;

    /** All of them. */
    public FreeSlots(int capacity) {
        slots = new int[capacity];
        while (count < capacity) {
            slots[count] = capacity - 1 - count;
            count++;
        }
    }

    public boolean isEmpty() {
        return count == 0;
    }

    public int taken() {
        return slots.length - count;
    }

    public int take() {
        return slots[--count];
    }

    public void release(int slot) {
        slots[count++] = slot;
    }
}
