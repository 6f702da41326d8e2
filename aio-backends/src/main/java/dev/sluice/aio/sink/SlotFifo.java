package dev.sluice.aio.sink;

/**
 * Slot numbers in the order of arrival; each slot is in it at most once, so that it never overflows.
 *
 * <p><b>Threading:</b> one thread. <b>Allocation:</b> at creation only.
 */
public final class SlotFifo {
    private final int[] slots;
    private final int mask;
    private int head;
    private int tail;

    public SlotFifo(int capacity) {
        int size = Integer.highestOneBit(Math.max(1, capacity - 1)) * 2;
        this.slots = new int[size];
        this.mask = size - 1;
    }

    public boolean isEmpty() {
        return head == tail;
    }

    public int size() {
        return tail - head;
    }

    public void add(int slot) {
        slots[tail++ & mask] = slot;
    }

    public int peek() {
        return slots[head & mask];
    }

    public int poll() {
        return slots[head++ & mask];
    }
}
