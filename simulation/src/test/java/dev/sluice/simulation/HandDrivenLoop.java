package dev.sluice.simulation;

import dev.sluice.aio.loop.LoopHandle;
import dev.sluice.aio.loop.LoopWait;
import dev.sluice.aio.loop.TickLoop;
import dev.sluice.linux.EventFd;
import dev.sluice.pipeline.IoLoop;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongSupplier;

/** The real loop, one tick at a time. Its kernel says at once which eventfds have been written to. */
final class HandDrivenLoop extends TickLoop {
    private final List<EventWatch> watches = new ArrayList<>();
    private final Runnable beforeArming;
    private boolean mayHaveWaited;
    private boolean failsNextWatch;
    private boolean failsNextClose;
    private int failures;

    /**
     * A loop in the thread that makes it.
     *
     * @param beforeArming run each time that a queue has found its ring empty and is about to ask for kicks
     */
    HandDrivenLoop(LongSupplier clock, Runnable beforeArming) {
        super("simulated-loop", 0, clock);
        this.beforeArming = beforeArming;
    }

    /** A queue asks whether the loop will look at its ring, which it does between its last look and asking for kicks. */
    @Override
    public boolean addPoller(Poller poller) {
        beforeArming.run();
        return super.addPoller(poller);
    }

    /** The next watch cannot be had. */
    void failNextWatch() {
        failsNextWatch = true;
    }

    /** The next watch that is closed says that it failed. */
    void failNextClose() {
        failsNextClose = true;
    }

    /** What was meant to fail and has not fails no more. */
    void failNothing() {
        failsNextWatch = false;
        failsNextClose = false;
    }

    int failures() {
        return failures;
    }

    /** Runs a tick; false once the loop has ended. */
    boolean tick() {
        return runOneTick();
    }

    /** Whether the tick before found nothing else to do. */
    boolean idle() {
        return mayHaveWaited;
    }

    @Override
    protected void openKernel() {}

    @Override
    protected void enterKernel(LoopWait wait) {
        mayHaveWaited = wait.mayWait();
        wait.over();
        for (EventWatch watch : List.copyOf(watches)) {
            if (EventFd.drain(watch.fd) > 0) {
                mayHaveWaited = false;
                watch.readable = true;
                completionSeen(watch);
            }
        }
    }

    @Override
    protected void wakeUp() {}

    @Override
    protected void closeKernel() {}

    @Override
    public Watch onReadable(int fd, Runnable onReadable) {
        if (failsNextWatch) {
            failsNextWatch = false;
            failures++;
            throw new IllegalStateException("simulated: no more watches");
        }
        EventWatch watch = new EventWatch(fd, onReadable);
        add(watch);
        watches.add(watch);
        return watch;
    }

    int watches() {
        return watches.size();
    }

    private final class EventWatch extends LoopHandle implements IoLoop.Watch {
        private final int fd;
        private final Runnable onReadable;
        private boolean readable;
        private boolean closed;

        EventWatch(int fd, Runnable onReadable) {
            this.fd = fd;
            this.onReadable = onReadable;
        }

        @Override
        protected void drain() {
            if (readable && !closed) {
                readable = false;
                onReadable.run();
            }
        }

        @Override
        public void close() {
            if (!closed) {
                closed = true;
                watches.remove(this);
                remove(this);
                if (failsNextClose) {
                    failsNextClose = false;
                    failures++;
                    throw new IllegalStateException("simulated: a watch that does not close in order");
                }
            }
        }

        @Override
        protected void loopEnding() {
            close();
        }

        @Override
        protected boolean busy() {
            return false;
        }
    }
}
