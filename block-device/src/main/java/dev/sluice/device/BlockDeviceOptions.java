package dev.sluice.device;

import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.Providers;
import dev.sluice.pipeline.Ranges;
import java.util.Objects;
import java.util.function.UnaryOperator;

/**
 * Options of a {@link BlockDevice}. Immutable; the first six matter only when a path is opened.
 *
 * @param backend name of a {@link dev.sluice.pipeline.BlockBackendProvider}, or {@value #AUTO}: the first of io_uring, linux-aio and nio that works
 * @param loop name of an {@link dev.sluice.pipeline.IoLoopProvider}, or {@value #AUTO}: the first that works and that the backend can use
 * @param loops number of loops and of queues, 1 to 64; one loop saturates a typical disk
 * @param readOnly open for reading only
 * @param direct bypass the page cache (O_DIRECT)
 * @param pipeline adds operators, stages or an observer to the pipeline
 * @param writeThrough whether a WRITE, DISCARD or WRITE_ZEROES is on stable storage when it completes
 * @param queueDepth requests in the pipeline at once, per queue, 1 to 32768; with linux-aio also the events of each loop's AIO context, of which the
 *     machine has fs.aio-max-nr
 * @param maxWaiting requests that may be pending behind those, per queue, 1 to 1048576; more fail with an overflow error
 * @param maxSegments buffers of one vectored request, 1 to 1024; each takes 16 bytes per unit of depth
 * @param bufferBytes size of a pooled buffer, and of the pieces of a range read; a multiple of 512 from 512 to 64 MiB
 * @param bufferCount number of pooled buffers, 1 to 65536; at most 16 GiB in all
 * @param readAhead buffers that a range reads ahead, or writes concurrently, 1 to 1024; at most maxWaiting take effect
 * @param leakDetection whether the pool detects buffers that were never closed
 */
public record BlockDeviceOptions(
        String backend,
        String loop,
        int loops,
        boolean readOnly,
        boolean direct,
        UnaryOperator<BlockPipeline.Builder> pipeline,
        boolean writeThrough,
        int queueDepth,
        int maxWaiting,
        int maxSegments,
        int bufferBytes,
        int bufferCount,
        int readAhead,
        LeakDetection leakDetection) {

    /** The first provider that works. */
    public static final String AUTO = Providers.AUTO;

    private static final int MAX_LOOPS = 64;
    private static final int MAX_WAITING = 1 << 20;
    private static final int MAX_SEGMENTS = 1024;
    private static final int MAX_BUFFER_BYTES = 64 << 20;
    private static final int MAX_BUFFERS = 65536;
    private static final long MAX_POOL_BYTES = 16L << 30;
    private static final int MAX_READ_AHEAD = 1024;

    public BlockDeviceOptions {
        Objects.requireNonNull(backend, "backend");
        Objects.requireNonNull(loop, "loop");
        Objects.requireNonNull(pipeline, "pipeline");
        Objects.requireNonNull(leakDetection, "leakDetection");
        Ranges.require("loops", loops, 1, MAX_LOOPS);
        Ranges.require("queueDepth", queueDepth, 1, BackendOptions.MAX_SINK_CAPACITY);
        Ranges.require("maxWaiting", maxWaiting, 1, MAX_WAITING);
        Ranges.require("maxSegments", maxSegments, 1, MAX_SEGMENTS);
        Ranges.require("bufferCount", bufferCount, 1, MAX_BUFFERS);
        Ranges.require("readAhead", readAhead, 1, MAX_READ_AHEAD);
        if (bufferBytes < BlockRequest.SECTOR_BYTES || bufferBytes > MAX_BUFFER_BYTES || bufferBytes % BlockRequest.SECTOR_BYTES != 0) {
            throw new IllegalArgumentException("bufferBytes " + bufferBytes + " is not a multiple of 512 from 512 to " + MAX_BUFFER_BYTES);
        }
        if ((long) bufferBytes * bufferCount > MAX_POOL_BYTES) {
            throw new IllegalArgumentException(bufferCount + " buffers of " + bufferBytes + " bytes are more than " + MAX_POOL_BYTES + " bytes");
        }
    }

    /** One loop, O_DIRECT, read-write, depth 128, 16384 waiting, 64 buffers of 64 KiB, read-ahead 8. */
    public static BlockDeviceOptions defaults() {
        return builder().build();
    }

    public static Builder builder() {
        return new Builder();
    }

    /** Collects options. Not thread safe. */
    public static final class Builder {
        private String backend = AUTO;
        private String loop = AUTO;
        private int loops = 1;
        private boolean readOnly;
        private boolean direct = true;
        private UnaryOperator<BlockPipeline.Builder> pipeline = UnaryOperator.identity();
        private boolean writeThrough;
        private int queueDepth = 128;
        private int maxWaiting = 16384;
        private int maxSegments = 64;
        private int bufferBytes = 64 * 1024;
        private int bufferCount = 64;
        private int readAhead = 8;
        private LeakDetection leakDetection = LeakDetection.ON;

        private Builder() {}

        public Builder backend(String name) {
            backend = name;
            return this;
        }

        public Builder loop(String name) {
            loop = name;
            return this;
        }

        public Builder loops(int count) {
            loops = count;
            return this;
        }

        public Builder readOnly(boolean only) {
            readOnly = only;
            return this;
        }

        public Builder direct(boolean bypassesPageCache) {
            direct = bypassesPageCache;
            return this;
        }

        /** Customizes the pipeline that the device builds: {@code builder -> builder.stage(...).observer(...)}. */
        public Builder pipeline(UnaryOperator<BlockPipeline.Builder> additions) {
            pipeline = additions;
            return this;
        }

        public Builder writeThrough(boolean durable) {
            writeThrough = durable;
            return this;
        }

        public Builder queueDepth(int requests) {
            queueDepth = requests;
            return this;
        }

        public Builder maxWaiting(int requests) {
            maxWaiting = requests;
            return this;
        }

        public Builder maxSegments(int buffers) {
            maxSegments = buffers;
            return this;
        }

        public Builder buffers(int count, int bytes) {
            bufferCount = count;
            bufferBytes = bytes;
            return this;
        }

        public Builder readAhead(int buffers) {
            readAhead = buffers;
            return this;
        }

        public Builder leakDetection(LeakDetection chosen) {
            leakDetection = chosen;
            return this;
        }

        /**
         * Builds the options.
         *
         * @throws IllegalArgumentException if a value is out of range; the message names the value and the bound
         */
        public BlockDeviceOptions build() {
            return new BlockDeviceOptions(backend, loop, loops, readOnly, direct, pipeline, writeThrough, queueDepth, maxWaiting, maxSegments,
                    bufferBytes, bufferCount, readAhead, leakDetection);
        }
    }
}
