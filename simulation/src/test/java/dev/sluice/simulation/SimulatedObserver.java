package dev.sluice.simulation;

import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.PipelineObserver;
import java.util.SplittableRandom;

/** Statistics of the program around the device, which at times throw. */
final class SimulatedObserver implements PipelineObserver {
    private final SplittableRandom random;
    private Faults faults;

    SimulatedObserver(SplittableRandom random, Faults faults) {
        this.random = random;
        this.faults = faults;
    }

    void faults(Faults chosen) {
        faults = chosen;
    }

    @Override
    public void requestsCompleted(int queue, BlockOp op, int requests, long bytes, int errno, long waitNanos, long deviceNanos, int flags) {
        maybeThrow();
    }

    @Override
    public void taken(int queue, int requests, int inFlight) {
        maybeThrow();
    }

    private void maybeThrow() {
        if (Faults.happens(random, faults.observer())) {
            throw new AssertionError("simulated: statistics that fail");
        }
    }
}
