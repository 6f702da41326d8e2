/**
 * A disk for a guest, from its description to shutdown, for all launchers. Reading order: {@link dev.sluice.server.disk.DiskSpec}
 * (the description of a disk), {@link dev.sluice.server.disk.LoopSpec} (its threads), {@link dev.sluice.server.disk.Disk} (one disk, opened),
 * {@link dev.sluice.server.disk.DiskHost} (disks that share loops), and the options from which the command line builds these descriptions.
 */
@NullMarked
package dev.sluice.server.disk;

import org.jspecify.annotations.NullMarked;
