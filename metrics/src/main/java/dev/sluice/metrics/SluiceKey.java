package dev.sluice.metrics;

import io.micrometer.common.docs.KeyName;

/** The tags of Sluice's meters. */
public enum SluiceKey implements KeyName {
    DEVICE("device", "name of the disk"),
    QUEUE("queue", "index of the queue; `other` for those above the 64th together"),
    OP("op", "`read`, `write`, `flush`, `discard`, `write_zeroes`, `get_id`"),
    PATH("path", "`bypassed`: no stage wanted to see the request, or it was answered before any could (`get_id`, nothing to do, beyond the end of the disk, read-only); `staged`: one did"),
    STATUS("status", "what the guest was told: `ioerr` or `unsupp`"),
    ERRNO("errno", "why, by name; `other` for those without a counter of their own"),
    EVENT("event", "`connected`, and how connections ended: `disconnected`, `violation`, `failed`"),
    LOOP("loop", "name of the loop and its thread"),
    BACKEND("backend", "name of the backend"),
    PIPELINE("pipeline", "the pipeline in words"),
    LE("le", "upper bound of a bucket in seconds");

    private final String key;
    private final String description;

    SluiceKey(String key, String description) {
        this.key = key;
        this.description = description;
    }

    @Override
    public String asString() {
        return key;
    }

    public String description() {
        return description;
    }
}
