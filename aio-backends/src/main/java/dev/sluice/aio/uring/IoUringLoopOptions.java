package dev.sluice.aio.uring;

import dev.sluice.pipeline.Ranges;

/**
 * How a loop's ring and thread are made.
 *
 * @param submissionEntries entries of the submission queue, a power of two from 16 to 32768; a tick that submits more costs a system
 *     call more for each full queue
 * @param completionEntries entries of the completion queue, a power of two of at least {@code submissionEntries} and at most 65536.
 *     Best no smaller than what the loop's sinks and watches can have in flight: beyond that the kernel keeps completions in a list
 *     and nothing is lost, but it is slow
 * @param daemon whether the thread lets the JVM exit
 * @param pollMaxNanos how long the loop spins at most before it sleeps, from 0 (not at all) to a second
 */
public record IoUringLoopOptions(int submissionEntries, int completionEntries, boolean daemon, long pollMaxNanos) {
    private static final int MIN_ENTRIES = 16;
    private static final int MAX_SUBMISSION_ENTRIES = 32768;
    private static final int MAX_COMPLETION_ENTRIES = 65536;
    private static final long MAX_POLL_NANOS = 1_000_000_000L;

    /** 1024 submission entries (64 KiB), 16384 completion entries (256 KiB), a thread that keeps the JVM alive. */
    public static final IoUringLoopOptions DEFAULT = new IoUringLoopOptions(1024, 16384, false);

    public IoUringLoopOptions {
        check("submission", submissionEntries, MIN_ENTRIES, MAX_SUBMISSION_ENTRIES);
        check("completion", completionEntries, submissionEntries, MAX_COMPLETION_ENTRIES);
        Ranges.require("nanoseconds of polling", pollMaxNanos, 0, MAX_POLL_NANOS);
    }

    /** A loop that never spins. */
    public IoUringLoopOptions(int submissionEntries, int completionEntries, boolean daemon) {
        this(submissionEntries, completionEntries, daemon, 0);
    }

    private static void check(String queue, int entries, int least, int most) {
        if (Integer.bitCount(entries) != 1 || entries < least || entries > most) {
            throw new IllegalArgumentException(
                    entries + " " + queue + " entries: not a power of two from " + least + " to " + most);
        }
    }

    public IoUringLoopOptions withDaemon(boolean daemon) {
        return new IoUringLoopOptions(submissionEntries, completionEntries, daemon, pollMaxNanos);
    }

    public IoUringLoopOptions withPollMaxNanos(long pollMaxNanos) {
        return new IoUringLoopOptions(submissionEntries, completionEntries, daemon, pollMaxNanos);
    }
}
