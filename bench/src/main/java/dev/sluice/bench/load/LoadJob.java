package dev.sluice.bench.load;

import dev.sluice.virtio.driver.CallSet;
import dev.sluice.virtio.driver.DriverQueue;
import java.util.List;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CyclicBarrier;
import org.jspecify.annotations.Nullable;

/**
 * One driver thread with its queues: warm-up, measurement, and if the load verifies, reading back what it wrote. The phases of all jobs
 * start together at a barrier. A disk that does not respond for {@value #SILENCE_SECONDS} s fails the job.
 */
final class LoadJob implements Runnable {
    private static final int SILENCE_SECONDS = 30;
    private static final int AWAIT_MILLIS = 50;

    /** After this long without completions it is worth a system call to check the connection, and again after as long. */
    private static final long SUSPICIOUS_NANOS = 200_000_000L;

    private final LoadPlan plan;
    private final List<QueueLoad> queues;
    private final CyclicBarrier phase;
    private final Load load;
    private long nextLookNanos;
    private volatile @Nullable Throwable failure;

    LoadJob(LoadPlan plan, List<QueueLoad> queues, CyclicBarrier phase, Load load) {
        this.plan = plan;
        this.queues = queues;
        this.phase = phase;
        this.load = load;
    }

    @Nullable
    Throwable failure() {
        return failure;
    }

    @Override
    public void run() {
        try (CallSet calls = new CallSet(queues.stream().map(QueueLoad::queue).toArray(DriverQueue[]::new))) {
            int _ = phase.await();
            runFor(plan.warmUpSeconds(), calls);
            int _ = phase.await();
            queues.forEach(QueueLoad::restartMeasurement);
            int _ = phase.await();
            runFor(plan.seconds(), calls);
            int _ = phase.await();
            finish(calls);
            if (plan.verify()) {
                queues.forEach(QueueLoad::readBack);
                untilIdle(calls);
            }
        } catch (Exception | Error failed) {
            failure = failed;
            load.failed();
            breakPhase();
        }
    }

    /** Breaks the barrier permanently: a reset would repair it for a job that arrives later, which would then wait alone. */
    private void breakPhase() {
        Thread.currentThread().interrupt();
        try {
            int _ = phase.await();
        } catch (InterruptedException | BrokenBarrierException broken) {
            // Intended: this thread stops here.
        }
    }

    private void runFor(double seconds, CallSet calls) {
        long start = System.nanoTime();
        nextLookNanos = start;
        long length = (long) (seconds * 1e9);
        long lastAnswer = start;
        long now = start;
        while (now - start < length && !load.stopped()) {
            if (pass(now) > 0) {
                lastAnswer = now;
            } else {
                idle(calls);
                checkSilence(now, lastAnswer);
            }
            now = System.nanoTime();
        }
    }

    private void finish(CallSet calls) {
        queues.forEach(QueueLoad::stopRefilling);
        untilIdle(calls);
    }

    private void untilIdle(CallSet calls) {
        long lastAnswer = System.nanoTime();
        nextLookNanos = lastAnswer;
        boolean idle;
        do {
            long now = System.nanoTime();
            int reaped = pass(now);
            idle = true;
            for (int i = 0; i < queues.size(); i++) {
                idle &= queues.get(i).idle();
            }
            if (reaped > 0) {
                lastAnswer = now;
            } else if (!idle) {
                idle(calls);
                checkSilence(now, lastAnswer);
            }
        } while (!idle);
    }

    private int pass(long now) {
        int reaped = 0;
        for (int i = 0; i < queues.size(); i++) {
            reaped += queues.get(i).pass(now);
        }
        return reaped;
    }

    private void idle(CallSet calls) {
        if (plan.poll()) {
            Thread.onSpinWait();
        } else {
            calls.await(AWAIT_MILLIS);
        }
    }

    private void checkSilence(long now, long lastAnswer) {
        long silence = now - lastAnswer;
        if (silence < SUSPICIOUS_NANOS || now - nextLookNanos < 0) {
            return;
        }
        nextLookNanos = now + SUSPICIOUS_NANOS;
        if (load.backendHungUp()) {
            throw new IllegalStateException("the backend has closed the connection");
        }
        if (silence > SILENCE_SECONDS * 1_000_000_000L) {
            throw new IllegalStateException("the disk has not completed a request for " + SILENCE_SECONDS + " s");
        }
    }
}
