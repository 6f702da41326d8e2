package dev.sluice.aio.uring;

/**
 * How often a ring's loop enters the kernel.
 *
 * <p>Enters are derived, as Netty doesn't count them: one for each of its runs, which fetches completions even where it neither waits nor submits, one for each
 * time that the submission queue was full, one for what was queued inside the run: the wake-up read after a task came, operations of channels. What it misses
 * are the enters by which Netty fetches completions that the kernel holds ready: it hands out some 20 at a time, so that strace shows four enters where 64
 * requests of a disk end in one tick.
 *
 * <p><b>Threading:</b> the loop's. <b>Allocation:</b> none.
 */
final class RingEnters {
    private final int submissionEntries;
    private int enters;
    private int completions;
    private int unsubmitted;
    private boolean running;
    private boolean queuedInRun;

    RingEnters(int submissionEntries) {
        this.submissionEntries = submissionEntries;
    }

    void queued() {
        if (unsubmitted == submissionEntries) {
            enters++;
            unsubmitted = 0;
        }
        unsubmitted++;
        queuedInRun |= running;
    }

    /** Whether something waits for the next enter. */
    boolean unsubmitted() {
        return unsubmitted > 0;
    }

    void reaped() {
        completions++;
    }

    void entering() {
        completions = 0;
        running = true;
        queuedInRun = false;
        enters++;
    }

    /** After Netty's run, which handled so many completions, its own included. Returns the enters since the last call. */
    int entered(int handled) {
        unsubmitted = 0;
        running = false;
        if (handled > completions || queuedInRun) {
            // Its wake-up read ended and was queued again inside the run, or a channel has queued something there; that is submitted before the run returns.
            enters++;
        }
        int counted = enters;
        enters = 0;
        return counted;
    }
}
