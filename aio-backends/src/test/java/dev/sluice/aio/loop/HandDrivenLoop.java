package dev.sluice.aio.loop;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The product's loop, one tick at a time: the thread that makes it is its own, its clock stands still until the test moves it, and its kernel has nothing
 * to do.
 */
public final class HandDrivenLoop extends TickLoop {
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(30);

    /** Also what is read while the test does not look: each reading moves it by {@link #nanosPerReading}. */
    private static final class Clock implements LongSupplier {
        private long nanos = 1_000_000_000L;
        private long nanosPerReading;

        @Override
        public long getAsLong() {
            nanos += nanosPerReading;
            return nanos;
        }
    }

    private final Clock clock;
    private final List<Boolean> leaves = new ArrayList<>();
    private final List<Runnable> inKernel = new ArrayList<>();
    private final List<HandDrivenWatch> watches = new ArrayList<>();
    private boolean submissionsWait = true;
    private long deadlineNanos;
    private long nextWaitNanos;
    private @Nullable RuntimeException entryFailure;
    private @Nullable RuntimeException closeFailure;
    private boolean kernelClosed;
    private volatile int wakeUps;
    /** How many wake-ups from now on throw. */
    private volatile int failingWakeUps;

    public HandDrivenLoop() {
        this("by-hand", 0, new Clock());
    }

    private HandDrivenLoop(String name, long pollMaxNanos, Clock clock) {
        super(name, pollMaxNanos, clock);
        this.clock = clock;
    }

    /** One that spins for so long at most. */
    public static HandDrivenLoop spinning(long pollMaxNanos) {
        return new HandDrivenLoop("by-hand", pollMaxNanos, new Clock());
    }

    /** Runs a tick; false once the loop has ended. */
    public boolean tick() {
        return runOneTick();
    }

    public void ticks(int many) {
        for (int i = 0; i < many; i++) {
            assertThat(tick()).as("the loop lives").isTrue();
        }
    }

    /** Runs ticks until something holds that other threads bring about. */
    public void tickUntil(BooleanSupplier condition) {
        long last = System.nanoTime() + PATIENCE_NANOS;
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime() - last).as("the condition never held").isNegative();
            boolean _ = tick();
            Thread.onSpinWait();
        }
    }

    /** Ends the loop as its own thread would, which may wait for other threads; fails if it does not end by itself. */
    public void end() {
        close();
        long last = System.nanoTime() + PATIENCE_NANOS;
        while (tick()) {
            assertThat(System.nanoTime() - last).as("the loop does not end").isNegative();
            Thread.onSpinWait();
        }
    }

    public long nowNanos() {
        return clock.nanos;
    }

    public void advance(long nanos) {
        clock.nanos += nanos;
    }

    public void nanosPerReading(long nanos) {
        clock.nanosPerReading = nanos;
    }

    /** Whether each entry had leave to wait. */
    public List<Boolean> leaves() {
        return leaves;
    }

    /** Until when the last entry was to wait at most, or 0. */
    public long deadlineNanos() {
        return deadlineNanos;
    }

    /** How long the next entry waits, by the clock. */
    public void nextWaits(long nanos) {
        nextWaitNanos = nanos;
    }

    /** What the next entry throws. */
    public void entryFails(RuntimeException failure) {
        entryFailure = failure;
    }

    public void closeFails(RuntimeException failure) {
        closeFailure = failure;
    }

    /** Done at the next entry. */
    public void inKernel(Runnable work) {
        inKernel.add(work);
    }

    public void submissionsWait(boolean wait) {
        submissionsWait = wait;
    }

    public boolean kernelClosed() {
        return kernelClosed;
    }

    /** Also of other threads, which have to be over. */
    public int wakeUps() {
        return wakeUps;
    }

    @Override
    public String kind() {
        return "";
    }

    @Override
    public Watch onReadable(int fd, Runnable onReadable) {
        HandDrivenWatch watch = new HandDrivenWatch(fd, onReadable);
        add(watch);
        watches.add(watch);
        return watch;
    }

    /** Descriptors that are watched. */
    public List<Integer> watched() {
        return watches.stream().map(watch -> watch.fd).toList();
    }

    /** The next tick finds all watched descriptors readable. */
    public void readable() {
        inKernel(() -> watches.forEach(this::completionSeen));
    }

    private final class HandDrivenWatch extends LoopHandle implements Watch {
        private final int fd;
        private final Runnable onReadable;

        HandDrivenWatch(int fd, Runnable onReadable) {
            this.fd = fd;
            this.onReadable = onReadable;
        }

        @Override
        protected void drain() {
            onReadable.run();
        }

        @Override
        protected void loopEnding() {}

        @Override
        protected boolean busy() {
            return false;
        }

        @Override
        public void close() {
            watches.remove(this);
            remove(this);
        }
    }

    @Override
    protected void openKernel() {}

    @Override
    protected boolean submissionsWait() {
        return submissionsWait;
    }

    @Override
    protected void enterKernel(LoopWait wait) {
        RuntimeException failure = entryFailure;
        if (failure != null) {
            entryFailure = null;
            throw failure;
        }
        leaves.add(wait.mayWait());
        deadlineNanos = wait.hasDeadline() ? wait.deadlineNanos() : 0;
        clock.nanos += nextWaitNanos;
        nextWaitNanos = 0;
        List<Runnable> now = List.copyOf(inKernel);
        inKernel.clear();
        now.forEach(Runnable::run);
        wait.over();
    }

    /** So many wake-ups find no memory. Until {@link #tick} is back the loop counts as waiting. */
    public void failWakeUps(int many) {
        failingWakeUps = many;
    }

    @Override
    @SuppressWarnings("NonAtomicVolatileUpdate") // by one thread at a time
    protected void wakeUp() {
        wakeUps++;
        if (failingWakeUps > 0) {
            failingWakeUps--;
            throw new OutOfMemoryError("made up");
        }
    }

    @Override
    protected void closeKernel() {
        kernelClosed = true;
        RuntimeException failure = closeFailure;
        if (failure != null) {
            throw failure;
        }
    }
}
