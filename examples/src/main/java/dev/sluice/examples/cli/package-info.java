/**
 * How every command of Sluice behaves: {@link dev.sluice.examples.cli.Commands} (exit codes, one line for each failure, logs),
 * {@link dev.sluice.examples.cli.Termination} (SIGTERM), {@link dev.sluice.examples.cli.HangUp} (SIGHUP).
 */
@NullMarked
package dev.sluice.examples.cli;

import org.jspecify.annotations.NullMarked;
