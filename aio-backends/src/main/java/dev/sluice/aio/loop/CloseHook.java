package dev.sluice.aio.loop;

import dev.sluice.pipeline.IoLoop;

/** A task for the moment when a loop begins to close. <b>Threading:</b> the loop's thread. */
final class CloseHook extends LoopHandle implements IoLoop.Watch {
    private final TickLoop loop;
    private final Runnable task;

    CloseHook(TickLoop loop, Runnable task) {
        this.loop = loop;
        this.task = task;
    }

    @Override
    protected void drain() {}

    @Override
    protected void loopEnding() {
        task.run();
    }

    @Override
    protected boolean busy() {
        return false;
    }

    @Override
    public void close() {
        loop.remove(this);
    }
}
