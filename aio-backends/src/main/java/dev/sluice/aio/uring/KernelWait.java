package dev.sluice.aio.uring;

import io.netty.channel.IoHandlerContext;

/**
 * What Netty asks of a loop before it enters the kernel: whether it may wait there, and until when. Asked once a tick, and only where no
 * completion is there already.
 *
 * <p><b>Threading:</b> the loop's thread. <b>Allocation:</b> none.
 */
final class KernelWait implements IoHandlerContext {
    /** Netty's word for no deadline. */
    private static final long NEVER = -1;

    private final TurnList turns;
    private final Timers timers;
    private final Mailbox mailbox;
    private boolean waited;
    private long leftNanos;

    KernelWait(TurnList turns, Timers timers, Mailbox mailbox) {
        this.turns = turns;
        this.timers = timers;
        this.mailbox = mailbox;
    }

    @Override
    public boolean canBlock() {
        if (!turns.isEmpty() || (!timers.isEmpty() && timers.firstDueNanos() - System.nanoTime() <= 0)) {
            return false;
        }
        waited = mailbox.mayWait();
        if (waited) {
            leftNanos = System.nanoTime();
        }
        return waited;
    }

    @Override
    public long delayNanos(long currentTimeNanos) {
        return timers.isEmpty() ? 0 : Math.max(0, timers.firstDueNanos() - currentTimeNanos);
    }

    @Override
    public long deadlineNanos() {
        if (timers.isEmpty()) {
            return NEVER;
        }
        long due = timers.firstDueNanos();
        return due == NEVER ? due + 1 : due;
    }

    /** When the loop was last given leave to wait. */
    long leftNanos() {
        return leftNanos;
    }

    /** The loop is back; whether it had leave to wait. */
    boolean over() {
        mailbox.awake();
        boolean hadLeave = waited;
        waited = false;
        return hadLeave;
    }
}
