/** The block device's queue under a loop that is driven by hand: legal chains of every shape, and what no guest may do. */
@NullMarked
package dev.sluice.virtio.blk;

import org.jspecify.annotations.NullMarked;
