package dev.sluice.aio.loop;

/**
 * What whoever enters the kernel asks of a loop: whether it may wait there, and until when.
 *
 * <p><b>Threading:</b> the loop's thread. <b>Allocation:</b> none.
 */
public final class LoopWait {
    private final TurnList turns;
    private final Timers timers;
    private final Mailbox mailbox;
    private boolean waited;
    private boolean hadLeave;
    private long leftNanos;

    LoopWait(TurnList turns, Timers timers, Mailbox mailbox) {
        this.turns = turns;
        this.timers = timers;
        this.mailbox = mailbox;
    }

    /** Whether there is nothing else to do. From a yes on, whoever posts a task wakes the loop up. */
    public boolean mayWait() {
        if (!turns.isEmpty() || (!timers.isEmpty() && timers.firstDueNanos() - System.nanoTime() <= 0)) {
            return false;
        }
        waited = mailbox.mayWait();
        if (waited) {
            leftNanos = System.nanoTime();
        }
        return waited;
    }

    /** Whether the wait has an end, which is {@link #deadlineNanos}. */
    public boolean hasDeadline() {
        return !timers.isEmpty();
    }

    /** In the terms of {@link System#nanoTime}; only where there is one. */
    public long deadlineNanos() {
        return timers.firstDueNanos();
    }

    /** The loop is back; whether it had leave to wait. */
    public boolean over() {
        mailbox.awake();
        hadLeave = waited;
        waited = false;
        return hadLeave;
    }

    /** When the wait that is over was given leave; without a wait, now. */
    long leftNanos(long nowNanos) {
        return hadLeave ? leftNanos : nowNanos;
    }
}
