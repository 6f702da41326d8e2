package dev.sluice.aio.sink;

import dev.sluice.aio.loop.TickLoop;
import dev.sluice.pipeline.IoLoop;

/**
 * A turn in the next tick for what a sink has not completed in this one: in a turn of the same tick it would come before the tick's end, which shows what is
 * complete to the driver. <b>Threading:</b> the loop's. <b>Allocation:</b> none per tick.
 */
final class DrainInNextTick {
    private final TickLoop loop;
    private final IoLoop.Turn drain;
    private final IoLoop.TickEndHook atTickEnd = this::tickEnds;
    private boolean asked;

    DrainInNextTick(TickLoop loop, IoLoop.Turn drain) {
        this.loop = loop;
        this.drain = drain;
    }

    void askIf(boolean anythingLeft) {
        if (anythingLeft && !asked) {
            asked = true;
            loop.atTickEnd(atTickEnd);
        }
    }

    private void tickEnds() {
        asked = false;
        loop.requestTurn(drain);
    }
}
