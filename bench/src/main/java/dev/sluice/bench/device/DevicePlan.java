package dev.sluice.bench.device;

import dev.sluice.pipeline.Ranges;
import java.nio.file.Path;

/**
 * The parameters of a load on a device. Immutable.
 *
 * @param path a regular file or a block device; overwritten unless there are only reads
 * @param direct whether the page cache is bypassed
 * @param depth requests in flight, 1 to 4096
 * @param blockBytes size of a request, a multiple of 512 up to 4 MiB
 * @param readPercent share of reads, 0 to 100
 * @param sequential whether the requests in flight walk through the device, each through a part of its own, instead of using random offsets
 * @param warmUpSeconds load before each measurement
 * @param seconds length of each measurement
 * @param seed of the offsets
 */
public record DevicePlan(
        Path path, boolean direct, int depth, int blockBytes, int readPercent, boolean sequential, double warmUpSeconds, double seconds, long seed) {

    public DevicePlan {
        Ranges.require("depth", depth, 1, 4096);
        Ranges.require("block size", blockBytes, 512, 4 << 20);
        if (blockBytes % 512 != 0) {
            throw new IllegalArgumentException("block size " + blockBytes + " is not a multiple of 512");
        }
        Ranges.require("read percent", readPercent, 0, 100);
        if (!(seconds > 0) || seconds > 86400 || !(warmUpSeconds >= 0) || warmUpSeconds > 3600) {
            throw new IllegalArgumentException("seconds " + seconds + " (warm-up " + warmUpSeconds + ") are not above 0 and at most a day");
        }
    }

    boolean readsOnly() {
        return readPercent == 100;
    }
}
