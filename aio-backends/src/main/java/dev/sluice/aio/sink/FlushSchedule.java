package dev.sluice.aio.sink;

import dev.sluice.aio.loop.TickLoop;
import dev.sluice.pipeline.Backoff;
import dev.sluice.pipeline.IoLoop;

/**
 * When a sink flushes by itself: at the end of a tick for calls that a completion has brought, in the next tick for what went beyond the limit of this one, and
 * after a pause for what the kernel refused.
 *
 * <p><b>Threading:</b> the loop's. <b>Allocation:</b> none but for a pause.
 */
final class FlushSchedule {
    private final TickLoop loop;
    private final Runnable flush;
    private final IoLoop.TickEndHook atTickEnd = this::tickEnds;
    private final IoLoop.Turn inTurn = this::hasTurn;
    private final Runnable afterPause = this::pauseIsOver;
    private final Backoff backoff = new Backoff();
    private boolean endOfTickAsked;
    private boolean pausing;

    FlushSchedule(TickLoop loop, Runnable flush) {
        this.loop = loop;
        this.flush = flush;
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
