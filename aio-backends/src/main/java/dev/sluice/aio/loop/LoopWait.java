package dev.sluice.aio.loop;

import java.util.function.LongSupplier;

/**
 * What whoever enters the kernel asks of a loop: whether it may wait there, and until when.
 *
 * <p><b>Threading:</b> the loop's thread. <b>Allocation:</b> none.
 */
public final class LoopWait {
    private final TurnList turns;
    private final Timers timers;
    private final Mailbox mailbox;
    private final PollWindow window;
    private final PollList polls;
    private final LoopHandles handles;
    private final TickLoop loop;
    private final LongSupplier clock;
    private final boolean busyPolls;
    private boolean waited;
    private boolean hadLeave;
    private long leftNanos;

    LoopWait(TickLoop loop, LongSupplier clock, TurnList turns, Timers timers, Mailbox mailbox, PollWindow window, PollList polls, LoopHandles handles) {
        this.loop = loop;
        this.clock = clock;
        this.window = window;
        this.busyPolls = window.enabled();
        this.polls = polls;
        this.handles = handles;
        this.turns = turns;
        this.timers = timers;
        this.mailbox = mailbox;
    }

    /** Whether there is nothing else to do and the loop has spun long enough. From a yes on, whoever posts a task wakes the loop up. */
    public boolean mayWait() {
        if (!turns.isEmpty() || handles.anyAwaitsDrain() || timerIsDue(clock.getAsLong())) {
            return false;
        }
        if (busyPolls) {
            if (window.spins(clock.getAsLong(), handles.anyAwaitsKernel())) {
                polls.disarmNotifications(loop);
                Thread.onSpinWait();
                return false;
            }
            if (polls.armNotifications(loop) || !turns.isEmpty()) {
                return false;
            }
        }
        waited = mailbox.mayWait();
        if (waited) {
            leftNanos = clock.getAsLong();
        }
        return waited;
    }

    boolean timerIsDue(long nowNanos) {
        return !timers.isEmpty() && timers.firstDueNanos() - nowNanos <= 0;
    }

    /** Whether the wait has an end, which is {@link #deadlineNanos}. */
    public boolean hasDeadline() {
        return !timers.isEmpty();
    }

    /** In the terms of {@link System#nanoTime}; only where there is one. */
    public long deadlineNanos() {
        return timers.firstDueNanos();
    }

    /** The loop is back. */
    public void over() {
        mailbox.awake();
        hadLeave = waited;
        waited = false;
        if (hadLeave && busyPolls) {
            window.slept(clock.getAsLong());
        }
    }

    /** When the wait that is over was given leave; without a wait, now. */
    long leftNanos(long nowNanos) {
        return hadLeave ? leftNanos : nowNanos;
    }
}
