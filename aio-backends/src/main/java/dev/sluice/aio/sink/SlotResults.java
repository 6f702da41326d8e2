package dev.sluice.aio.sink;

/**
 * Slots with a result each, in the order of arrival; each slot is in it at most once.
 *
 * <p><b>Threading:</b> the loop's. <b>Allocation:</b> at creation only.
 */
final class SlotResults {
    private final SlotFifo slots;
    private final int[] results;

    SlotResults(int capacity) {
        slots = new SlotFifo(capacity);
        results = new int[capacity];
    }

    void add(int slot, int result) {
        results[slot] = result;
        slots.add(slot);
    }

    boolean isEmpty() {
        return slots.isEmpty();
    }

    int size() {
        return slots.size();
    }

    int poll() {
        return slots.poll();
    }

    /** Of a slot that was polled and not added since. */
    int result(int slot) {
        return results[slot];
    }
}
