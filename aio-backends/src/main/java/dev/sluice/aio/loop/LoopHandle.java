package dev.sluice.aio.loop;

/**
 * Something that lives on a loop and hears from the kernel: a sink or a watch.
 *
 * <p>Completions are handled in two steps. While the loop is in the kernel's queues they are only noted, which ends in
 * {@link TickLoop#completionSeen}; afterwards the loop calls {@link #drain}, which acts on them.
 *
 * <p><b>Threading:</b> the loop's thread. <b>Failure:</b> what {@link #drain} throws the loop logs.
 */
public abstract class LoopHandle {
    /** True from the first completion noted in a tick to the loop's call of drain. */
    boolean awaitsDrain;

    /** Acts on what was noted. */
    protected abstract void drain();

    /** The loop is ending: stop what never ends by itself and take nothing new. */
    protected abstract void loopEnding();

    /** True while the loop must not end yet. */
    protected abstract boolean busy();
}
