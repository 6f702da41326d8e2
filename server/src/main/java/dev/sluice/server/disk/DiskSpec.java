package dev.sluice.server.disk;

import dev.sluice.aio.nullbackend.NullBackend;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.Providers;
import dev.sluice.pipeline.Ranges;
import dev.sluice.virtio.blk.CacheMode;
import dev.sluice.virtio.blk.VirtioBlkDevice;
import dev.sluice.virtio.vhostuser.VhostUserServer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The description of one disk, shared by all launchers. Immutable; two equal ones describe the same disk.
 *
 * @param name for logs and metrics; unique in its process, not blank and without control characters
 * @param image a raw file or block device
 * @param endpoint where front ends connect
 * @param backend name of a backend, or {@value Providers#AUTO} for the best that works
 * @param readOnly whether everything that changes the image is refused
 * @param direct whether the page cache is bypassed
 * @param aioMaxEvents requests of a loop that the backend has in flight at once, 1 to 32768: the events of its AIO context with linux-aio; 0 for the
 *     backend's default
 * @param serial the disk's serial that the guest reads, at most 20 bytes
 * @param queues how many are offered, 1 to 256
 * @param queueSize the largest queue that is accepted, a power of two from 2 to 32768
 * @param segMax data segments of a request, 1 to 1022
 * @param stages {@code NAME[:ARGS]} of the stages before the image, in order
 * @param cache who decides about the write cache
 * @param stateFile where the guest's cache mode is stored; null for next to the socket
 * @param allowFileMemory whether guest memory may be in ordinary files
 * @param loopOfQueue which loop serves which queue, both from 0; the others are assigned round-robin
 * @param drainTimeoutSeconds how long to wait for requests that stages hold when the disk or its guest stops, 0 to 86400; null for the process's default
 * @param measurement how it differs from a disk for normal use
 */
public record DiskSpec(
        String name,
        Path image,
        Endpoint endpoint,
        String backend,
        boolean readOnly,
        boolean direct,
        int aioMaxEvents,
        String serial,
        int queues,
        int queueSize,
        int segMax,
        List<String> stages,
        CacheMode cache,
        @Nullable Path stateFile,
        boolean allowFileMemory,
        Map<Integer, Integer> loopOfQueue,
        @Nullable Double drainTimeoutSeconds,
        Measurement measurement) {

    private static final int MAX_QUEUE_SIZE = 32768;
    private static final int MAX_SEG_MAX = 1022;
    private static final int MAX_DRAIN_TIMEOUT_SECONDS = 86400;
    /** Includes U+2028 and U+2029, which end a line but are not control characters. */
    private static final Pattern CONTROL = Pattern.compile("[\\p{Cc}\\p{Zl}\\p{Zp}]");

    public DiskSpec {
        stages = List.copyOf(stages);
        loopOfQueue = Map.copyOf(loopOfQueue);
        if (!isName(name)) {
            // An empty label of metrics counts as absent, and a line break would split lines of logs and statistics.
            throw new IllegalArgumentException("name " + (name.isBlank() ? "is blank" : "has a control character") + ": use printable characters");
        }
        if ((measurement.nullBytes() > 0) != backend.equals(NullBackend.NAME)) {
            throw new IllegalArgumentException("--backend null requires --size, and --size requires --backend null");
        }
        if (aioMaxEvents != BackendOptions.DEFAULT_SINK_CAPACITY) {
            Ranges.require("aio-max-events", aioMaxEvents, 1, BackendOptions.MAX_SINK_CAPACITY);
        }
        if (stateFile != null && cache != CacheMode.GUEST) {
            throw new IllegalArgumentException("state file " + stateFile + " has no effect with cache " + cache + ": omit it, or use cache guest");
        }
        if (stateFile != null && stateFile.equals(image)) {
            throw new IllegalArgumentException("state file " + stateFile + " is the image: use another file");
        }
        Ranges.require("number of queues", queues, 1, VhostUserServer.MAX_QUEUES);
        Ranges.require("queue size", queueSize, 2, MAX_QUEUE_SIZE);
        Ranges.require("seg_max", segMax, 1, MAX_SEG_MAX);
        if (drainTimeoutSeconds != null) {
            drainTimeout(drainTimeoutSeconds);
        }
        if (Integer.bitCount(queueSize) != 1) {
            throw new IllegalArgumentException("queue size " + queueSize + " is not a power of two");
        }
        byte[] _ = VirtioBlkDevice.id(serial);
    }

    /** Whether the text is a valid name of a disk. */
    static boolean isName(String text) {
        return !text.isBlank() && !CONTROL.matcher(text).find();
    }

    /**
     * Validates a drain timeout from a command line or a file.
     *
     * @throws IllegalArgumentException if it is out of range; the message names the value and its bounds
     */
    public static Duration drainTimeout(double seconds) {
        if (!(seconds >= 0 && seconds <= MAX_DRAIN_TIMEOUT_SECONDS)) {
            throw new IllegalArgumentException("drain-timeout " + seconds + " is not from 0 to " + MAX_DRAIN_TIMEOUT_SECONDS + " seconds");
        }
        return Duration.ofNanos((long) (seconds * 1e9));
    }

    /** Starts the description of a disk with an image at an endpoint; everything else has a default. */
    public static Builder of(Path image, Endpoint endpoint) {
        return new Builder(image, endpoint);
    }

    BackendOptions backendOptions() {
        return BackendOptions.of(image).withReadOnly(readOnly).withDirect(direct).withSinkCapacity(aioMaxEvents);
    }

    /** Not thread safe. */
    public static final class Builder {
        private final Path image;
        private final Endpoint endpoint;
        private @Nullable String name;
        private String backend = Providers.AUTO;
        private boolean readOnly;
        private boolean direct = true;
        private int aioMaxEvents = BackendOptions.DEFAULT_SINK_CAPACITY;
        private String serial = "";
        private int queues = 1;
        private int queueSize = VhostUserServer.DEFAULT_QUEUE_SIZE;
        private int segMax = 126;
        private List<String> stages = List.of();
        private CacheMode cache = CacheMode.GUEST;
        private @Nullable Path stateFile;
        private boolean allowFileMemory;
        private Map<Integer, Integer> loopOfQueue = Map.of();
        private @Nullable Double drainTimeout;
        private Measurement measurement = Measurement.NONE;

        private Builder(Path image, Endpoint endpoint) {
            this.image = image;
            this.endpoint = endpoint;
        }

        /** Default: the image's file name, with '?' for invalid characters. */
        public Builder name(String name) {
            this.name = name;
            return this;
        }

        public Builder backend(String backend) {
            this.backend = backend;
            return this;
        }

        public Builder readOnly(boolean readOnly) {
            this.readOnly = readOnly;
            return this;
        }

        public Builder direct(boolean direct) {
            this.direct = direct;
            return this;
        }

        public Builder aioMaxEvents(int aioMaxEvents) {
            this.aioMaxEvents = aioMaxEvents;
            return this;
        }

        public Builder serial(String serial) {
            this.serial = serial;
            return this;
        }

        public Builder queues(int queues) {
            this.queues = queues;
            return this;
        }

        public Builder queueSize(int queueSize) {
            this.queueSize = queueSize;
            return this;
        }

        public Builder segMax(int segMax) {
            this.segMax = segMax;
            return this;
        }

        public Builder stages(List<String> stages) {
            this.stages = stages;
            return this;
        }

        public Builder cache(CacheMode cache) {
            this.cache = cache;
            return this;
        }

        /** With {@link CacheMode#GUEST} only; null for the default, next to the socket. */
        public Builder stateFile(@Nullable Path stateFile) {
            this.stateFile = stateFile;
            return this;
        }

        public Builder allowFileMemory(boolean allowFileMemory) {
            this.allowFileMemory = allowFileMemory;
            return this;
        }

        public Builder loopOfQueue(Map<Integer, Integer> loopOfQueue) {
            this.loopOfQueue = loopOfQueue;
            return this;
        }

        /** In seconds; default: that of the process. */
        public Builder drainTimeout(double seconds) {
            this.drainTimeout = seconds;
            return this;
        }

        public Builder measurement(Measurement measurement) {
            this.measurement = measurement;
            return this;
        }

        /**
         * Builds the description.
         *
         * @throws IllegalArgumentException if a value is out of range; the message names the value and its bounds
         */
        public DiskSpec build() {
            String chosen = Objects.requireNonNullElseGet(name, this::nameOfImage);
            return new DiskSpec(chosen, image, endpoint, backend, readOnly, direct, aioMaxEvents, serial, queues, queueSize, segMax, stages, cache, stateFile,
                    allowFileMemory, loopOfQueue, drainTimeout, measurement);
        }

        private String nameOfImage() {
            String file = image.getFileName() == null ? "" : CONTROL.matcher(image.getFileName().toString()).replaceAll("?");
            return isName(file) ? file : "disk";
        }
    }
}
