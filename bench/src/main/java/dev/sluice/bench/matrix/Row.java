package dev.sluice.bench.matrix;

/** One line of a table: a backend and its workload. Immutable. */
record Row(String name, BackendSpec backend, Workload workload) {}
