package dev.sluice.bench.matrix;

import dev.sluice.bench.ring.RingLoadPlan;

/**
 * The load in C, or fio's of the same shape; pinned, and calibrated before and after.
 *
 * @param backendSpins whether the backend never sleeps under it, so that it uses all of its CPU unless something else does
 */
record RingWorkload(RingLoadPlan plan, boolean backendSpins) implements Workload {
    @Override
    public String display() {
        return "PROGRAMS/ring-load SOCKET" + (plan.disks() == 1 ? "" : "...") + " " + String.join(" ", plan.options());
    }
}
