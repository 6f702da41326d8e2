package dev.sluice.bench.matrix;

/** The load on a backend while it is measured. */
sealed interface Workload permits DriverLoad, GuestFio, RingWorkload {
    /** The command that a person would type for it, or a description. */
    String display();
}
