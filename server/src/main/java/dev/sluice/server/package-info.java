/**
 * The product: the {@code sluice} command and the disks that it serves. Reading order: {@link dev.sluice.server.SluiceCommand},
 * {@link dev.sluice.server.ServeCommand} (a disk for a guest; its parts are in {@code dev.sluice.server.disk}), {@link dev.sluice.server.InspectCommand}.
 * {@code dev.sluice.server.cli} is common to all commands, those of other modules included, which {@link dev.sluice.server.cli.Subcommand} finds.
 */
@NullMarked
package dev.sluice.server;

import org.jspecify.annotations.NullMarked;
