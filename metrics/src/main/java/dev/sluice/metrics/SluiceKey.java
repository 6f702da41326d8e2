package dev.sluice.metrics;

import io.micrometer.common.docs.KeyName;

/** The tags of Sluice's meters. */
public enum SluiceKey implements KeyName {
    DEVICE("device", "name of the disk"),
    QUEUE("queue", "index of the queue; `other` for all queues beyond the 64th together"),
    OP("op", "`read`, `write`, `flush`, `discard`, `write_zeroes`"),
    PATH(
            "path",
            "`bypassed`: no stage was interested in the request, or it completed before the stages (nothing to do, beyond the end of the disk,"
                    + " read-only); `staged`: a stage saw it"),
    STATUS("status", "completion status: `ioerr` or `unsupp`"),
    ERRNO("errno", "name of the errno; `other` for errnos without a counter of their own"),
    EVENT("event", "`connected`, or how the connection ended: `disconnected`, `violation`, `failed`"),
    LOOP("loop", "name of the loop and its thread"),
    BACKEND("backend", "name of the backend"),
    PIPELINE("pipeline", "description of the pipeline"),
    STAGE("stage", "name of the stage; with a number behind it from the second stage of a name on"),
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
