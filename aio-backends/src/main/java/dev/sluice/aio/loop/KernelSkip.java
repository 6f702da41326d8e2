package dev.sluice.aio.loop;

import java.util.function.LongSupplier;

/**
 * Whether a tick may skip the kernel, in which there is nothing to submit and nothing to wait for but kicks: while the loop has turns to run or, if it
 * busy-polls, spins over its queues and its mailbox, and never for long.
 *
 * <p><b>Threading:</b> the loop's thread. <b>Allocation:</b> none.
 */
final class KernelSkip {
    /** How long a kick may go unheard while the loop is busy with what needs no system call. */
    private static final long MAX_NANOS = 100_000;

    private final TickLoop loop;
    private final LongSupplier clock;
    private final TurnList turns;
    private final Mailbox mailbox;
    private final PollWindow window;
    private final PollList polls;
    private final LoopWait wait;
    private long enteredNanos;

    KernelSkip(TickLoop loop, LongSupplier clock, TurnList turns, Mailbox mailbox, PollWindow window, PollList polls, LoopWait wait) {
        this.loop = loop;
        this.clock = clock;
        this.turns = turns;
        this.mailbox = mailbox;
        this.window = window;
        this.polls = polls;
        this.wait = wait;
        this.enteredNanos = clock.getAsLong();
    }

    /** The loop is back from the kernel. */
    void entered() {
        enteredNanos = clock.getAsLong();
    }

    /** Spins, if the loop does, until it knows. */
    boolean maySkip() {
        return turns.isEmpty() ? loop.busyPolls() && spin() : !isTooLong(clock.getAsLong());
    }

    private boolean isTooLong(long nowNanos) {
        return nowNanos - enteredNanos >= MAX_NANOS;
    }

    /** Looks again and again at queues and mailbox alone. True if there is something to do for which the kernel need not be entered. */
    private boolean spin() {
        while (turns.isEmpty()) {
            long now = clock.getAsLong();
            if (!window.spins(now, false) || wait.timerIsDue(now) || isTooLong(now)) {
                return false;
            }
            if (!mailbox.isEmpty()) {
                return true;
            }
            polls.disarmNotifications(loop);
            Thread.onSpinWait();
            polls.poll(loop);
        }
        return true;
    }
}
