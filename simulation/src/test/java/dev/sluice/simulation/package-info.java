/**
 * The whole of a served disk in one thread, under one seed and in virtual time.
 *
 * <p>Real: session, memory table, ring, queue, pipeline, loop, sink. Simulated: driver, front end, clock, system calls and what a power failure would
 * leave of the file. Sockets, eventfds and memory files are the kernel's, as nothing about them depends on time when one thread uses both ends.
 *
 * <p>Reading order: {@link dev.sluice.simulation.Simulation} (the steps), {@link dev.sluice.simulation.SimulatedGuest} and {@link
 * dev.sluice.simulation.GuestQueue} (the driver), {@link dev.sluice.simulation.DiskModel} (what must be true), {@link
 * dev.sluice.simulation.SimulatedKernel} (the disk and its faults).
 */
@NullMarked
package dev.sluice.simulation;

import org.jspecify.annotations.NullMarked;
