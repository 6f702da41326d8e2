/**
 * Contracts of {@link dev.sluice.device.BlockDevice}, on a loop that is driven by hand and on one with a thread.
 *
 * <p>Reading order: {@code DeviceRig}, {@code BlockDeviceTest}, {@code CancellationTest}, {@code ClosingTest}, the others.
 */
@NullMarked
package dev.sluice.device;

import org.jspecify.annotations.NullMarked;
