package dev.sluice.examples.matrix;

/** What is done with a backend while it is measured. */
sealed interface Workload permits DriverLoad, GuestFio {
    /** What to type for the same, or what runs. */
    String display();
}
