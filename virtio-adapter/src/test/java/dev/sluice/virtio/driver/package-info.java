/** The driver side against an oracle of a device, and against qemu-storage-daemon. */
@NullMarked
package dev.sluice.virtio.driver;

import org.jspecify.annotations.NullMarked;
