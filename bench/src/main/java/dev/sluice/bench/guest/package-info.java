/**
 * A real Linux guest under QEMU on a vhost-user-blk disk: for the demo and for the tests that need an independent driver.
 *
 * <p>Reading order: {@link dev.sluice.bench.guest.GuestTools} (what a machine needs),
 * {@link dev.sluice.bench.guest.GuestKernel} (which kernel boots), {@link dev.sluice.bench.guest.GuestScript}
 * (what the guest runs), {@code Initramfs} (what it boots from; the resource {@code init.sh} is its first
 * process), {@link dev.sluice.bench.guest.Guest} (the running machine), {@code QemuCommand}, {@code Console}.
 */
@NullMarked
package dev.sluice.bench.guest;

import org.jspecify.annotations.NullMarked;
