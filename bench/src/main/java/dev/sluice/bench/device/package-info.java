/**
 * Load on a file or block device without a guest: the bare sinks, {@link dev.sluice.device.BlockDevice}, and their peers, round-robin.
 *
 * <p>Reading order: {@link dev.sluice.bench.device.DevicePlan}, {@code Candidate}, {@code DeviceLoad} and {@code LoadSlot} (shared by all candidates in
 * this process), the candidates, {@link dev.sluice.bench.device.DeviceBench}, {@link dev.sluice.bench.device.DeviceReport}.
 */
@NullMarked
package dev.sluice.bench.device;

import org.jspecify.annotations.NullMarked;
