/**
 * What all commands of Sluice share: {@link dev.sluice.server.cli.Commands} (exit codes, one line for each failure, logs),
 * {@link dev.sluice.server.cli.Termination} (SIGTERM), {@link dev.sluice.server.cli.SighupHandler} (SIGHUP).
 */
@NullMarked
package dev.sluice.server.cli;

import org.jspecify.annotations.NullMarked;
