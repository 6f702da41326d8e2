package dev.sluice.metrics;

import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockStatus;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * The counters of one queue, in one array of longs: for every op the {@code OP_} fields and the latency buckets, then the {@code QUEUE_} fields.
 *
 * <p><b>Threading:</b> one writer, the loop that serves the queue; when another one takes over, whoever hands the queue over orders the two.
 * Read by any thread. Values are stored and loaded opaque: a reader sees each counter whole and never going back, but two
 * counters may be a request apart. <b>Allocation:</b> at creation only.
 */
final class QueueCounters {
    /** Requests answered; whatever the status, by the path they took. */
    static final int OP_BYPASSED = 0;

    static final int OP_STAGED = 1;

    /** Bytes of the requests that were answered with OK. */
    static final int OP_BYTES = 2;

    static final int OP_IOERR = 3;
    static final int OP_UNSUPP = 4;
    static final int OP_WAIT_NANOS = 5;
    static final int OP_DEVICE_NANOS = 6;
    private static final int OP_BUCKETS = 7;
    private static final int OP_FIELDS = OP_BUCKETS + LatencyBuckets.COUNT;

    static final int QUEUE_KICKS = 0;
    static final int QUEUE_CALLS = 1;
    static final int QUEUE_CALLS_SUPPRESSED = 2;
    static final int QUEUE_ELEMENTS = 3;
    static final int QUEUE_MALFORMED = 4;
    static final int QUEUE_BROKEN = 5;
    static final int QUEUE_RUNNING = 6;
    private static final int QUEUE_FIELDS = 7;

    /** Two cache lines in front and behind, for processors that fetch them in pairs: no two loops write to the same ones. */
    private static final int PADDING = 16;

    private static final int OPS = BlockOp.values().length;
    private static final int FIRST_QUEUE_FIELD = PADDING + OPS * OP_FIELDS;
    private static final VarHandle LONGS = MethodHandles.arrayElementVarHandle(long[].class);

    private final int queue;
    private final long[] values = new long[FIRST_QUEUE_FIELD + QUEUE_FIELDS + PADDING];

    QueueCounters(int queue) {
        this.queue = queue;
    }

    int queue() {
        return queue;
    }

    // ---- the loop writes

    void requestCompleted(BlockOp op, long bytes, BlockStatus status, long waitNanos, long deviceNanos, boolean bypassed) {
        int base = base(op);
        add(base + (bypassed ? OP_BYPASSED : OP_STAGED), 1);
        switch (status) {
            case OK -> add(base + OP_BYTES, bytes);
            case IOERR -> add(base + OP_IOERR, 1);
            case UNSUPP -> add(base + OP_UNSUPP, 1);
        }
        add(base + OP_WAIT_NANOS, waitNanos);
        add(base + OP_DEVICE_NANOS, deviceNanos);
        add(base + OP_BUCKETS + LatencyBuckets.indexOf(waitNanos + deviceNanos), 1);
    }

    void add(int index, long amount) {
        long next = values[index] + amount;
        // Pairs with the opaque loads of readers: whole, and in the end seen.
        LONGS.setOpaque(values, index, next);
    }

    void addToQueue(int field, long amount) {
        add(FIRST_QUEUE_FIELD + field, amount);
    }

    void running(boolean running) {
        LONGS.setOpaque(values, FIRST_QUEUE_FIELD + QUEUE_RUNNING, running ? 1L : 0L);
    }

    // ---- anybody reads

    long ofOp(BlockOp op, int field) {
        return read(base(op) + field);
    }

    long requests(BlockOp op) {
        return ofOp(op, OP_BYPASSED) + ofOp(op, OP_STAGED);
    }

    /** Requests that took no longer than the bucket's upper bound. */
    long upTo(BlockOp op, int bucket) {
        long sum = 0;
        for (int i = 0; i <= bucket; i++) {
            sum += ofOp(op, OP_BUCKETS + i);
        }
        return sum;
    }

    long ofQueue(int field) {
        return read(FIRST_QUEUE_FIELD + field);
    }

    private long read(int index) {
        return (long) LONGS.getOpaque(values, index);
    }

    @SuppressWarnings("EnumOrdinal") // the array lives and dies with this process
    private static int base(BlockOp op) {
        return PADDING + op.ordinal() * OP_FIELDS;
    }
}
