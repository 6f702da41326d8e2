package dev.sluice.aio.loop;

import java.util.concurrent.CountDownLatch;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The end of a loop: what it waits for, how long, and who waits for it.
 *
 * <pre>
 * OPEN      -> CLOSING    close
 * CLOSING   -> ENDED      nothing is busy and no task is expected; or the limit has passed, with requests in the kernel alone
 * CLOSING   -> LINGERING  the limit has passed and tasks of other threads are expected: close returns, the loop stays until they have come
 * LINGERING -> ENDED      they have come
 * </pre>
 *
 * <p><b>Threading:</b> the loop's thread, but for {@link #await}.
 */
final class LoopClosing {
    /** How long a closing loop waits for its requests. A disk that hangs for longer doesn't keep the process. */
    static final long LIMIT_NANOS = 10_000_000_000L;

    private static final Logger LOG = LoggerFactory.getLogger(TickLoop.class);

    private final String loopName;
    private final Thread thread;
    private final LongSupplier clock;
    /** Closers need not wait any longer. */
    private final CountDownLatch closersReleased = new CountDownLatch(1);

    private boolean begun;
    private long limitNanos;
    private int expectedTasks;
    private volatile boolean lingering;

    LoopClosing(String loopName, Thread thread, LongSupplier clock) {
        this.loopName = loopName;
        this.thread = thread;
        this.clock = clock;
    }

    void expectTasks(int more) {
        expectedTasks += more;
    }

    /** True the first time. */
    boolean begin() {
        if (begun) {
            return false;
        }
        begun = true;
        limitNanos = clock.getAsLong() + LIMIT_NANOS;
        return true;
    }

    boolean begun() {
        return begun;
    }

    /** Whether a loop that is closing may end now. */
    boolean mayEnd(LoopHandles handles) {
        if (expectedTasks == 0 && !handles.anyBusy()) {
            return true;
        }
        if (clock.getAsLong() - limitNanos < 0) {
            return false;
        }
        if (expectedTasks > 0) {
            linger();
            return false;
        }
        LOG.error("{}: requests did not come back from the kernel in {} s; ending without them", loopName, LIMIT_NANOS / 1_000_000_000L);
        return true;
    }

    /** Another thread works on the memory of a request: only the loop can complete it, once that thread has finished. */
    private void linger() {
        if (!lingering) {
            lingering = true;
            LOG.error("{}: {} requests did not come back from their threads in {} s; the loop ends when they do", loopName, expectedTasks,
                    LIMIT_NANOS / 1_000_000_000L);
            closersReleased.countDown();
        }
    }

    /** The loop has ended, or has never begun. */
    void ended() {
        closersReleased.countDown();
    }

    /** Waits for the end of the loop's thread, unless it lingers. Interrupts are kept for later. Any thread but the loop's. */
    void await() {
        boolean interrupted = false;
        while (thread.isAlive() && !lingering) {
            try {
                closersReleased.await();
                if (!lingering) {
                    thread.join();
                }
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
