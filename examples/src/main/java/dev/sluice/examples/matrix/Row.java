package dev.sluice.examples.matrix;

/** One line of a table: a backend, and what is done with it. Immutable. */
record Row(String name, BackendSpec backend, Workload workload) {}
