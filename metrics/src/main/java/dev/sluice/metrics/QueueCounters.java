package dev.sluice.metrics;

import dev.sluice.pipeline.BlockOp;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * The counters of one queue, in one array of longs: for every op the {@code OP_} fields, the latency buckets and the errnos, then the
 * {@code QUEUE_} fields.
 *
 * <p><b>Threading:</b> one writer, the loop that serves the queue; a handover between loops orders their writes.
 * Any thread may read. Values are stored and loaded in opaque mode: a reader sees each counter whole and never decreasing, but two
 * counters may be one request apart. <b>Allocation:</b> at creation only.
 */
final class QueueCounters {
    /** Requests completed, whatever their status, by the path they took. */
    static final int OP_BYPASSED = 0;

    static final int OP_STAGED = 1;

    /** Bytes of the requests that completed with OK. */
    static final int OP_BYTES = 2;

    static final int OP_WAIT_NANOS = 3;
    static final int OP_DEVICE_NANOS = 4;
    private static final int OP_BUCKETS = 5;
    private static final int OP_ERRNOS = OP_BUCKETS + LatencyBuckets.COUNT;
    private static final int OP_FIELDS = OP_ERRNOS + CountedErrnos.COUNT;

    static final int QUEUE_KICKS = 0;
    static final int QUEUE_CALLS = 1;
    static final int QUEUE_CALLS_SUPPRESSED = 2;
    static final int QUEUE_ELEMENTS = 3;
    static final int QUEUE_MALFORMED = 4;
    static final int QUEUE_BROKEN = 5;
    static final int QUEUE_RUNNING = 6;
    /** Turns that took at least one request. */
    static final int QUEUE_TURNS = 7;
    /** Requests that turns took. */
    static final int QUEUE_TAKEN = 8;
    /** Requests in flight after each turn that took any, summed up over turns. */
    static final int QUEUE_DEPTH = 9;
    private static final int QUEUE_FIELDS = 10;

    /** Two cache lines before and after, for processors that prefetch them in pairs: no two loops write to the same ones. */
    private static final int PADDING = 16;

    private static final BlockOp[] OPS = BlockOp.values();
    private static final int FIRST_QUEUE_FIELD = PADDING + OPS.length * OP_FIELDS;
    private static final VarHandle LONGS = MethodHandles.arrayElementVarHandle(long[].class);

    private final long[] values = new long[FIRST_QUEUE_FIELD + QUEUE_FIELDS + PADDING];

    // ---- written by the loop

    /** Counts {@code requests} requests that are alike in everything else. */
    void requestsCompleted(BlockOp op, int requests, long bytes, int errno, long waitNanos, long deviceNanos, boolean bypassed) {
        int base = base(op);
        add(base + (bypassed ? OP_BYPASSED : OP_STAGED), requests);
        if (errno == 0) {
            add(base + OP_BYTES, requests * bytes);
        } else {
            add(base + OP_ERRNOS + CountedErrnos.indexOf(errno), requests);
        }
        add(base + OP_WAIT_NANOS, requests * waitNanos);
        add(base + OP_DEVICE_NANOS, requests * deviceNanos);
        add(base + OP_BUCKETS + LatencyBuckets.indexOf(waitNanos + deviceNanos), requests);
    }

    private void add(int index, long amount) {
        long next = values[index] + amount;
        // Pairs with the opaque loads of readers: atomic and eventually visible.
        LONGS.setOpaque(values, index, next);
    }

    void addToQueue(int field, long amount) {
        add(FIRST_QUEUE_FIELD + field, amount);
    }

    void running(boolean running) {
        LONGS.setOpaque(values, FIRST_QUEUE_FIELD + QUEUE_RUNNING, running ? 1L : 0L);
    }

    // ---- read by any thread

    long ofOp(BlockOp op, int field) {
        return read(base(op) + field);
    }

    long requests(BlockOp op) {
        return ofOp(op, OP_BYPASSED) + ofOp(op, OP_STAGED);
    }

    /** Requests whose latency is in a bucket; not cumulative. */
    long inBucket(BlockOp op, int bucket) {
        return ofOp(op, OP_BUCKETS + bucket);
    }

    /** Requests that failed with one of the {@link CountedErrnos}. */
    long failed(BlockOp op, int errnoIndex) {
        return ofOp(op, OP_ERRNOS + errnoIndex);
    }

    long ofQueue(int field) {
        return read(FIRST_QUEUE_FIELD + field);
    }

    /** Requests taken and not yet completed. The two counters may be a request or so apart, and a source that reports no turns has taken none. */
    long inFlight() {
        long completed = 0;
        for (BlockOp op : OPS) {
            completed += requests(op);
        }
        return Math.max(0, ofQueue(QUEUE_TAKEN) - completed);
    }

    private long read(int index) {
        return (long) LONGS.getOpaque(values, index);
    }

    @SuppressWarnings("EnumOrdinal") // the array lives no longer than this process
    private static int base(BlockOp op) {
        return PADDING + op.ordinal() * OP_FIELDS;
    }
}
