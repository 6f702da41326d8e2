/**
 * Load on a file or block device without a guest: the bare sinks, {@link dev.sluice.device.BlockDevice}, and what they are compared with, in turns.
 *
 * <p>Reading order: {@link dev.sluice.examples.device.DevicePlan}, {@code Contender}, {@code DeviceLoad} and {@code LoadSlot} (what all contenders of this
 * process share), the contenders, {@link dev.sluice.examples.device.DeviceBench}, {@link dev.sluice.examples.device.DeviceReport}.
 */
@NullMarked
package dev.sluice.examples.device;

import org.jspecify.annotations.NullMarked;
