/**
 * A disk for a guest, from a description to shutdown, as every launcher needs it. Reading order: {@link dev.sluice.examples.disk.DiskSpec}
 * (what is to be served), {@link dev.sluice.examples.disk.LoopSpec} (by which threads), {@link dev.sluice.examples.disk.ServedDisk} (one disk, opened),
 * {@link dev.sluice.examples.disk.DiskHost} (disks that share loops), and the options that the command line makes these descriptions of.
 */
@NullMarked
package dev.sluice.examples.disk;

import org.jspecify.annotations.NullMarked;
