package dev.sluice.aio.sink;

/** Slots whose requests have ended, with their results, in the order in which they did. <b>Threading:</b> the loop's. <b>Allocation:</b> at creation only. */
final class EndedSlots {
    private final SlotFifo slots;
    private final int[] results;

    EndedSlots(int capacity) {
        slots = new SlotFifo(capacity);
        results = new int[capacity];
    }

    void add(int slot, int result) {
        results[slot] = result;
        slots.add(slot);
    }

    int size() {
        return slots.size();
    }

    int poll() {
        return slots.poll();
    }

    int result(int slot) {
        return results[slot];
    }
}
