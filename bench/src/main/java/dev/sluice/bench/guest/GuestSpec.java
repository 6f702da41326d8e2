package dev.sluice.bench.guest;

import java.nio.file.Path;
import java.time.Duration;

/**
 * One guest: its disk and its work.
 *
 * @param socketPath the vhost-user-blk socket; a backend listens on it before the guest boots
 * @param numQueues queues of the disk, 1 to 16; the guest has as many CPUs, because Linux uses at most one queue per CPU
 * @param script the script of the guest
 * @param timeLimit from the boot to the end of QEMU, at least 1 s; after it the guest is killed
 */
public record GuestSpec(Path socketPath, int numQueues, GuestScript script, Duration timeLimit) {
    private static final int NUM_QUEUES_MAX = 16;

    public GuestSpec {
        if (numQueues < 1 || numQueues > NUM_QUEUES_MAX) {
            throw new IllegalArgumentException("numQueues is " + numQueues + ", not 1 to " + NUM_QUEUES_MAX);
        }
        if (timeLimit.compareTo(Duration.ofSeconds(1)) < 0) {
            throw new IllegalArgumentException("timeLimit is " + timeLimit + ", less than 1 s");
        }
    }
}
