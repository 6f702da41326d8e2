package dev.sluice.bench.matrix;

import dev.sluice.bench.ring.RingLoadPlan;

/** The load in C, or fio's of the same shape; pinned, and calibrated before and after. */
record RingWorkload(RingLoadPlan plan) implements Workload {
    @Override
    public String display() {
        return "PROGRAMS/ring-load SOCKET" + (plan.disks() == 1 ? "" : "...") + " " + String.join(" ", plan.options());
    }
}
