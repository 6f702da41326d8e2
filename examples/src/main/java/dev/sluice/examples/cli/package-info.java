/**
 * What all commands of Sluice share: {@link dev.sluice.examples.cli.Commands} (exit codes, one line for each failure, logs),
 * {@link dev.sluice.examples.cli.Termination} (SIGTERM), {@link dev.sluice.examples.cli.SighupHandler} (SIGHUP).
 */
@NullMarked
package dev.sluice.examples.cli;

import org.jspecify.annotations.NullMarked;
