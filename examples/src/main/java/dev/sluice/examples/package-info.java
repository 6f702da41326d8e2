/**
 * The {@code sluice} command. Reading order: {@link dev.sluice.examples.SluiceCommand}, {@link dev.sluice.examples.ServeCommand}
 * (a disk for a guest; what it is made of is in {@code dev.sluice.examples.disk}), {@link dev.sluice.examples.DemoCommand}, {@link dev.sluice.examples.BenchCommand},
 * {@link dev.sluice.examples.ExampleCommand} (programs to copy from, in {@code dev.sluice.examples.launcher}). What all commands have in common is in {@code dev.sluice.examples.cli}.
 * The load that demo and bench produce is in {@code dev.sluice.examples.load}, the real guest in
 * {@code dev.sluice.examples.guest}, what {@code bench --matrix} measures in {@code dev.sluice.examples.matrix}.
 */
@NullMarked
package dev.sluice.examples;

import org.jspecify.annotations.NullMarked;
