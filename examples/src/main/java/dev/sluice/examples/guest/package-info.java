/**
 * A real Linux guest under QEMU on a vhost-user-blk disk: for the demo and for the tests that must be believed.
 *
 * <p>Reading order: {@link dev.sluice.examples.guest.GuestTools} (what a machine needs),
 * {@link dev.sluice.examples.guest.GuestKernel} (which kernel boots), {@link dev.sluice.examples.guest.GuestScript}
 * (what the guest runs), {@code Initramfs} (what it boots from; {@code init.sh} among the resources is its first
 * process), {@link dev.sluice.examples.guest.Guest} (the running machine), {@code QemuCommand}, {@code Console}.
 */
@NullMarked
package dev.sluice.examples.guest;

import org.jspecify.annotations.NullMarked;
