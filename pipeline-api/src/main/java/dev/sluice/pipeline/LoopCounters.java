package dev.sluice.pipeline;

/**
 * What a loop has done since it started. Cumulative.
 *
 * <p><b>Threading:</b> made for whoever asks, from counters that the loop alone writes; the numbers of one snapshot may be
 * a tick apart from one another.
 *
 * @param ticks passes of the loop
 * @param enters system calls that submitted, waited or fetched completions
 * @param submissions operations handed to the kernel
 * @param completions completions reaped
 * @param tasks tasks run for other threads
 * @param busyNanos time not spent waiting in the kernel, as far as the loop has got
 * @param threadId {@link Thread#threadId} of the loop's thread, to ask the platform for its CPU time and its allocation
 */
public record LoopCounters(long ticks, long enters, long submissions, long completions, long tasks, long busyNanos, long threadId) {}
