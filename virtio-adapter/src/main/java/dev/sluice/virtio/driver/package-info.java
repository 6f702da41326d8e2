/**
 * The driver side of virtio-blk over vhost-user: a front end in Java with its own rings, for tests, for load and for
 * programs that want to reach a vhost-user-blk backend (Sluice's own, qemu-storage-daemon, SPDK). It shares
 * {@link dev.sluice.virtio.layout} with the device side and nothing else, so that the two test one another.
 *
 * <p>Reading order: {@link dev.sluice.virtio.driver.BlockDriver} (a disk opened in one call),
 * {@link dev.sluice.virtio.driver.BlkRequest}, {@link dev.sluice.virtio.driver.DriverQueue} and what it stands on,
 * {@link dev.sluice.virtio.driver.DriverRing} with its format {@link dev.sluice.virtio.driver.SplitDriverRing}, {@code RequestSlots} and {@code ChainBuilder};
 * {@link dev.sluice.virtio.driver.DriverMemory}; then the control side: {@link dev.sluice.virtio.driver.VhostUserConnection}, {@link
 * dev.sluice.virtio.driver.VhostUserFrontend}, {@link dev.sluice.virtio.driver.DeviceSession}.
 */
@NullMarked
package dev.sluice.virtio.driver;

import org.jspecify.annotations.NullMarked;
