package dev.sluice.virtio.vhostuser;

import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.LoopCounters;
import dev.sluice.pipeline.testing.ManualLoop;
import java.util.List;
import reactor.core.scheduler.Scheduler;

/**
 * A loop without a thread: what is given to it is done, with all that follows at the same time of the clock, before {@link #execute} returns. So the control
 * thread, which waits for its loops, can be the loop as well, and a session is the same each time.
 *
 * <p><b>Threading:</b> the thread that made it.
 */
final class InlineLoop implements IoLoop {
    private final ManualLoop loop = new ManualLoop("inline-loop");
    private boolean ticking;

    List<Throwable> failures() {
        return loop.takeFailures();
    }

    @Override
    public void execute(Runnable task) {
        loop.execute(task);
        if (!ticking) {
            ticking = true;
            try {
                int _ = loop.tickUntilIdle();
            } finally {
                ticking = false;
            }
        }
    }

    @Override
    public String name() {
        return loop.name();
    }

    @Override
    public boolean inLoop() {
        return loop.inLoop();
    }

    @Override
    public void schedule(Runnable task, long delayNanos) {
        loop.schedule(task, delayNanos);
    }

    @Override
    public void requestTurn(Turn turn) {
        loop.requestTurn(turn);
    }

    @Override
    public void atTickEnd(TickEndHook hook) {
        loop.atTickEnd(hook);
    }

    @Override
    public Watch onReadable(int fd, Runnable onReadable) {
        return loop.onReadable(fd, onReadable);
    }

    @Override
    public long tickNanos() {
        return loop.tickNanos();
    }

    @Override
    public Scheduler scheduler() {
        return loop.scheduler();
    }

    @Override
    public LoopCounters counters() {
        return loop.counters();
    }

    @Override
    public void close() {
        loop.close();
    }
}
