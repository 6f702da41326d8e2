package dev.sluice.bench.device;

import org.HdrHistogram.Histogram;

/** One of the requests in flight: the target of the next one, and the latencies of completed ones. Confined to one thread at a time; allocates nothing. */
final class LoadSlot {
    private static final long LONGEST_NANOS = 60_000_000_000L;
    private static final int DIGITS = 3;

    private final DeviceLoad load;
    private final DevicePlan plan;
    private final int index;
    private final long blocks;
    private final Histogram latencies = newHistogram();
    private long random;
    private long next;
    private long offsetBytes;
    private boolean reads;
    private long startNanos;
    private long errors;

    LoadSlot(DeviceLoad load, DevicePlan plan, int index, long blocks) {
        this.load = load;
        this.plan = plan;
        this.index = index;
        this.blocks = blocks;
        this.random = (plan.seed() + index + 1) * 0x9e3779b97f4a7c15L;
        this.next = index * (blocks / plan.depth());
    }

    static Histogram newHistogram() {
        return new Histogram(LONGEST_NANOS, DIGITS);
    }

    int index() {
        return index;
    }

    DeviceLoad load() {
        return load;
    }

    /** Prepares the next request and starts its clock; false if the load is ending. */
    boolean begin() {
        if (load.stopping()) {
            load.slotEnded();
            return false;
        }
        random ^= random << 13;
        random ^= random >>> 7;
        random ^= random << 17;
        long block = plan.sequential() ? next++ % blocks : Long.remainderUnsigned(random >>> 8, blocks);
        offsetBytes = block * plan.blockBytes();
        reads = (random & 0xff) * 100 < plan.readPercent() * 256L;
        startNanos = System.nanoTime();
        return true;
    }

    boolean reads() {
        return reads;
    }

    long offsetBytes() {
        return offsetBytes;
    }

    /** The request moved this many bytes, or failed with a negative number. */
    void ended(int bytes) {
        if (bytes != plan.blockBytes()) {
            errors++;
        } else if (load.measuring()) {
            latencies.recordValue(Math.min(LONGEST_NANOS, System.nanoTime() - startNanos));
        }
    }

    Histogram latencies() {
        return latencies;
    }

    long errors() {
        return errors;
    }
}
