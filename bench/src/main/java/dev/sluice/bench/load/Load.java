package dev.sluice.bench.load;

import dev.sluice.server.cli.BackendProcess;
import dev.sluice.virtio.driver.BlockDriver;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CyclicBarrier;

/**
 * A load on a disk, from start to report.
 *
 * <p><b>Threading:</b> {@link #run} on one thread, once; {@link #stop} and the progress from any. <b>Ownership:</b> the driver stays its
 * opener's. <b>Failure:</b> errors of requests are counted; a disk that stops responding or violates the protocol terminates the load with an exception.
 */
public final class Load {
    /** The phases of a load, in order. */
    public enum Phase {
        WARMING_UP,
        MEASURING,
        /** Reading back what was written. */
        VERIFYING,
        ENDING
    }

    private final LoadPlan plan;
    private final BlockDriver driver;
    private final BackendProcess backend;
    private final BackendStats stats;
    private final List<QueueLoad> queues = new ArrayList<>();
    private final List<LoadJob> jobs = new ArrayList<>();
    private final CyclicBarrier phase;
    private volatile boolean stopped;
    private volatile Phase current = Phase.WARMING_UP;
    private volatile boolean failed;

    public Load(LoadPlan plan, BlockDriver driver, BackendProcess backend, BackendStats stats) {
        this.plan = plan;
        this.driver = driver;
        this.backend = backend;
        this.stats = stats;
        this.phase = new CyclicBarrier(plan.jobs() + 1);
        for (int i = 0; i < plan.queues(); i++) {
            queues.add(new QueueLoad(plan, driver.queue(i), driver.config().capacitySectors()));
        }
        for (int job = 0; job < plan.jobs(); job++) {
            List<QueueLoad> ofJob = new ArrayList<>();
            for (int i = job; i < plan.queues(); i += plan.jobs()) {
                ofJob.add(queues.get(i));
            }
            jobs.add(new LoadJob(plan, ofJob, phase, this));
        }
    }

    /**
     * Runs warm-up, measurement and, if planned, the verification. Blocks until all is done.
     *
     * @throws IOException if the disk stopped responding or violated the protocol
     */
    public LoadReport run() throws IOException, InterruptedException {
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < jobs.size(); i++) {
            threads.add(Thread.ofPlatform().name("load-" + i).daemon().start(jobs.get(i)));
        }
        double seconds = 0;
        OptionalDouble cpuSeconds = OptionalDouble.empty();
        BackendStats.Window window = BackendStats.Window.UNKNOWN;
        try {
            int _ = phase.await();
            int _ = phase.await();
            OptionalDouble cpuBefore = backend.cpuSeconds();
            BackendStats.Sample statsBefore = stats.sample();
            long start = System.nanoTime();
            int _ = phase.await();
            current = Phase.MEASURING;
            int _ = phase.await();
            seconds = (System.nanoTime() - start) / 1e9;
            OptionalDouble cpuAfter = backend.cpuSeconds();
            window = stats.since(statsBefore);
            current = plan.verify() ? Phase.VERIFYING : Phase.ENDING;
            if (cpuBefore.isPresent() && cpuAfter.isPresent()) {
                cpuSeconds = OptionalDouble.of(cpuAfter.getAsDouble() - cpuBefore.getAsDouble());
            }
        } catch (BrokenBarrierException broken) {
            // A job has failed; its own exception is reported below.
            failed = true;
        }
        for (Thread thread : threads) {
            thread.join();
        }
        for (LoadJob job : jobs) {
            Throwable failure = job.failure();
            if (failure != null && !(failure instanceof BrokenBarrierException)) {
                throw new IOException("the load failed: " + failure.getMessage() + "; see the backend's log", failure);
            }
        }
        return LoadReport.of(plan, queues, seconds, backend, cpuSeconds, window);
    }

    /** Ends the current phase early; the report covers what ran. */
    public void stop() {
        stopped = true;
    }

    boolean stopped() {
        return stopped || failed;
    }

    /** Whether all jobs have terminated. Any thread. */
    boolean backendHungUp() {
        return driver.backendHungUp();
    }

    void failed() {
        failed = true;
    }

    /** The current phase. */
    public Phase phase() {
        return current;
    }

    /** Requests completed in the current phase. */
    public long requests() {
        long sum = 0;
        for (QueueLoad queue : queues) {
            sum += queue.requests();
        }
        return sum;
    }

    /** Blocks read back whose content was correct. */
    public long verifiedBlocks() {
        long sum = 0;
        for (QueueLoad queue : queues) {
            sum += queue.verifiedBlocks();
        }
        return sum;
    }
}
