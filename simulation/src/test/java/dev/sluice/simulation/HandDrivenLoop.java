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
    private boolean mayHaveWaited;

    HandDrivenLoop(LongSupplier clock) {
        super("simulated-loop", 0, clock);
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
