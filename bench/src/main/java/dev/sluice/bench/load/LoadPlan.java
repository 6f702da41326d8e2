package dev.sluice.bench.load;

import dev.sluice.pipeline.Ranges;

/**
 * The parameters of a load. Immutable.
 *
 * @param queues queues of the disk to use
 * @param depth requests in flight per queue
 * @param jobs driver threads; the queues are split among them
 * @param blockBytes size of a request, a multiple of 512
 * @param readPercent share of reads among the requests, 0 to 100
 * @param sequential whether each queue walks through its part of the disk instead of using random offsets
 * @param warmUpSeconds load before the measurement
 * @param seconds length of the measurement
 * @param verify whether writes carry a pattern that reads check
 * @param poll whether the driver spins for completions instead of sleeping until it gets an interrupt
 * @param seed of offsets and patterns
 */
public record LoadPlan(
        int queues,
        int depth,
        int jobs,
        int blockBytes,
        int readPercent,
        boolean sequential,
        double warmUpSeconds,
        double seconds,
        boolean verify,
        boolean poll,
        long seed) {

    public LoadPlan {
        Ranges.require("queues", queues, 1, 256);
        Ranges.require("depth", depth, 1, 32768);
        Ranges.require("jobs", jobs, 1, 256);
        if (jobs > queues) {
            throw new IllegalArgumentException("jobs " + jobs + " exceed queues " + queues + ": each job needs a queue of its own");
        }
        Ranges.require("block size", blockBytes, 512, 1 << 22);
        if (blockBytes % 512 != 0) {
            throw new IllegalArgumentException("block size " + blockBytes + " is not a multiple of 512");
        }
        Ranges.require("read percent", readPercent, 0, 100);
        if (verify && readPercent == 100) {
            throw new IllegalArgumentException("a read-only load writes nothing to verify: use rw, randrw, write or randwrite");
        }
        if (!(seconds > 0) || seconds > 86400 || !(warmUpSeconds >= 0) || warmUpSeconds > 3600) {
            throw new IllegalArgumentException("seconds " + seconds + " (warm-up " + warmUpSeconds + ") are not above 0 and at most a day");
        }
    }
}
