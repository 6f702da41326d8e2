package dev.sluice.aio.sink;

import dev.sluice.aio.loop.TickLoop;
import dev.sluice.pipeline.Backoff;
import dev.sluice.pipeline.IoLoop;

/**
 * When a sink flushes by itself: at once for a batch that should not wait for the end of the tick ({@link GrowingBatches}), at the end of a tick for calls that
 * a completion has brought, in the next tick for what went beyond the limit of this one, and after a pause for what the kernel refused.
 *
 * <p><b>Threading:</b> the loop's. <b>Allocation:</b> none but for a pause.
 */
final class FlushSchedule {
    private final TickLoop loop;
    private final Runnable flush;
    private final Runnable submitNow;
    private final Runnable flushNow = this::flushNow;
    private final GrowingBatches batches;
    private final IoLoop.TickEndHook atTickEnd = this::tickEnds;
    private final IoLoop.Turn inTurn = this::hasTurn;
    private final Runnable afterPause = this::pauseIsOver;
    private final Backoff backoff = new Backoff();
    private boolean endOfTickAsked;
    private boolean pausing;

    /** @param submitNow has the kernel take what a flush has started, before the tick ends */
    FlushSchedule(TickLoop loop, GrowingBatches batches, Runnable flush, Runnable submitNow) {
        this.loop = loop;
        this.batches = batches;
        this.flush = flush;
        this.submitNow = submitNow;
    }

    /** A request has joined the batch, in which so many now wait. What is thrown here is not the request's: its sink has accepted it. */
    void added(boolean sync, int waiting, int inKernel) {
        if (batches.isDue(sync, waiting, inKernel) && !pausing) {
            loop.runGuarded("submitting a batch", flushNow);
        }
    }

    private void flushNow() {
        flush.run();
        submitNow.run();
    }

    /** The sink flushes, for whatever reason. */
    void flushing() {
        batches.gone();
    }

    void atEndOfTick() {
        if (!endOfTickAsked) {
            endOfTickAsked = true;
            loop.atTickEnd(atTickEnd);
        }
    }

    private void tickEnds() {
        endOfTickAsked = false;
        flush.run();
    }

    void inNextTick() {
        loop.requestTurn(inTurn);
    }

    private boolean hasTurn() {
        flush.run();
        return false;
    }

    void afterPause() {
        if (!pausing) {
            pausing = true;
            loop.schedule(afterPause, backoff.nextPauseNanos());
        }
    }

    private void pauseIsOver() {
        pausing = false;
        flush.run();
    }

    /** The kernel has accepted a call: the next pause is a short one again. */
    void accepted() {
        backoff.reset();
    }
}
