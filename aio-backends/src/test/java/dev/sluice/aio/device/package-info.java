/** {@link dev.sluice.device.BlockDevice} on a real ring: {@code BlockDeviceIT}, and {@code DeviceBenchmark}, a program. */
@NullMarked
package dev.sluice.aio.device;

import org.jspecify.annotations.NullMarked;
