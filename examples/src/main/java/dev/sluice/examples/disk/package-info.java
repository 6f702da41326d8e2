/**
 * A disk for a guest, from its description to shutdown, for all launchers. Reading order: {@link dev.sluice.examples.disk.DiskSpec}
 * (the description of a disk), {@link dev.sluice.examples.disk.LoopSpec} (its threads), {@link dev.sluice.examples.disk.ServedDisk} (one disk, opened),
 * {@link dev.sluice.examples.disk.DiskHost} (disks that share loops), and the options from which the command line builds these descriptions.
 */
@NullMarked
package dev.sluice.examples.disk;

import org.jspecify.annotations.NullMarked;
