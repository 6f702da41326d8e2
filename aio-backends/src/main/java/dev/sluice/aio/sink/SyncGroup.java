package dev.sluice.aio.sink;

/**
 * The syncs of one sink, of which one is with the kernel at a time ({@link dev.sluice.aio.image.WritebackState} says why). The slot that asks for it leads;
 * slots of the same batch join it and share its result; slots that come later wait for the next.
 *
 * <p><b>Threading:</b> the loop's. <b>Allocation:</b> at creation only.
 */
final class SyncGroup {
    private static final int NONE = -1;

    private final SlotFifo members;
    private final SlotFifo waiting;
    private int leader = NONE;
    private boolean joinable;

    SyncGroup(int capacity) {
        members = new SlotFifo(capacity);
        waiting = new SlotFifo(capacity);
    }

    /** Whether the slot is to start the sync: there is none, or it is its own that was refused. */
    boolean mayStart(int slot) {
        return leader == NONE || leader == slot;
    }

    /** The slot has started the sync. */
    void started(int slot) {
        joinable |= leader == NONE;
        leader = slot;
    }

    /** The slot takes the result of the sync in progress, or waits for the next one. */
    void join(int slot) {
        (joinable ? members : waiting).add(slot);
    }

    /** The batch has ended: the kernel may begin, nobody joins any more. */
    void seal() {
        joinable = false;
    }

    /** Whether the slot leads the sync in progress. */
    boolean isLeader(int slot) {
        return leader == slot;
    }

    /** The sync in progress has ended; returns how many members are to be polled, before those who wait. */
    int ended() {
        leader = NONE;
        joinable = false;
        return members.size();
    }

    int pollMember() {
        return members.poll();
    }

    boolean anyWaiting() {
        return !waiting.isEmpty();
    }

    int pollWaiting() {
        return waiting.poll();
    }
}
