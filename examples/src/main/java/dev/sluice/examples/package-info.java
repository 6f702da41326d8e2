/**
 * The {@code sluice} command. Reading order: {@link dev.sluice.examples.SluiceCommand}, {@link dev.sluice.examples.ServeCommand}
 * (a disk for a guest; its parts are in {@code dev.sluice.examples.disk}), {@link dev.sluice.examples.DemoCommand}, {@link dev.sluice.examples.BenchCommand},
 * {@link dev.sluice.examples.ExampleCommand} (programs to copy from, in {@code dev.sluice.examples.launcher}). {@code dev.sluice.examples.cli} is common to all
 * commands. The load of demo and bench is in {@code dev.sluice.examples.load}, the real guest in
 * {@code dev.sluice.examples.guest}, what {@code bench --matrix} measures in {@code dev.sluice.examples.matrix}.
 */
@NullMarked
package dev.sluice.examples;

import org.jspecify.annotations.NullMarked;
