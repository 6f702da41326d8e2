package dev.sluice.pipeline;

import java.nio.file.Path;

/**
 * How an image is to be opened.
 *
 * @param image a regular file or a block device; never probed for a format, always raw
 * @param readOnly open it for reading only
 * @param direct bypass the page cache (O_DIRECT)
 * @param sinkCapacity requests in flight per loop, 1 to 32768, or {@link #DEFAULT_SINK_CAPACITY}
 */
public record BackendOptions(Path image, boolean readOnly, boolean direct, int sinkCapacity) {
    /** What suits the kind of backend. */
    public static final int DEFAULT_SINK_CAPACITY = 0;

    public static final int MAX_SINK_CAPACITY = 32768;

    public BackendOptions {
        if (sinkCapacity != DEFAULT_SINK_CAPACITY) {
            Ranges.require("sink capacity", sinkCapacity, 1, MAX_SINK_CAPACITY);
        }
    }

    /** Read-write, O_DIRECT, the default capacity. */
    public static BackendOptions of(Path image) {
        return new BackendOptions(image, false, true, DEFAULT_SINK_CAPACITY);
    }

    public BackendOptions withReadOnly(boolean readOnly) {
        return new BackendOptions(image, readOnly, direct, sinkCapacity);
    }

    public BackendOptions withDirect(boolean direct) {
        return new BackendOptions(image, readOnly, direct, sinkCapacity);
    }

    public BackendOptions withSinkCapacity(int sinkCapacity) {
        return new BackendOptions(image, readOnly, direct, sinkCapacity);
    }

    /** For backends: the capacity that was asked for, else theirs. */
    public int sinkCapacityOr(int own) {
        return sinkCapacity == DEFAULT_SINK_CAPACITY ? own : sinkCapacity;
    }
}
