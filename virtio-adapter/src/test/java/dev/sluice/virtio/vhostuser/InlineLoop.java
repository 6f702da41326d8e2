package dev.sluice.virtio.vhostuser;

import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.LoopCounters;
import dev.sluice.pipeline.testing.ManualLoop;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
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
    private final Set<Integer> watched = new HashSet<>();
    private int schedules;
    private @Nullable RuntimeException watchFailure;
    private @Nullable RuntimeException unwatchFailure;

    List<Throwable> failures() {
        return loop.takeFailures();
    }

    /** As if the eventfd had been written to. */
    void fire(int fd) {
        loop.fire(fd);
        execute(() -> {});
    }

    /** As if every eventfd that is watched had been written to. */
    void fireAll() {
        watched.stream().filter(loop::watches).forEach(loop::fire);
        execute(() -> {});
    }

    boolean watches(int fd) {
        return loop.watches(fd);
    }

    /** Moves the clock and does what is due. */
    void advanceNanos(long nanos) {
        loop.advanceNanos(nanos);
        execute(() -> {});
    }

    /** Tasks that were ever scheduled for later. */
    int schedules() {
        return schedules;
    }

    /** The next watch that is made is not: this is thrown instead. */
    void failNextWatch(RuntimeException failure) {
        watchFailure = failure;
    }

    /** The next watch that is closed throws this, closed. */
    void failNextUnwatch(RuntimeException failure) {
        unwatchFailure = failure;
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
        schedules++;
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
        RuntimeException failure = watchFailure;
        if (failure != null) {
            watchFailure = null;
            throw failure;
        }
        Watch watch = loop.onReadable(fd, onReadable);
        watched.add(fd);
        return () -> {
            watch.close();
            RuntimeException closeFailure = unwatchFailure;
            if (closeFailure != null) {
                unwatchFailure = null;
                throw closeFailure;
            }
        };
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
