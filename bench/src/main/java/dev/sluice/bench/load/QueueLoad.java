package dev.sluice.bench.load;

import dev.sluice.virtio.driver.BlkRequest;
import dev.sluice.virtio.driver.CompletionHandler;
import dev.sluice.virtio.driver.DriverQueue;
import java.util.BitSet;
import org.HdrHistogram.Histogram;

/**
 * The load on one queue: keeps its depth full and measures each request from its submission to the pass of the driver that reaped it.
 *
 * <p>Each queue has its own part of the disk, so that queues do not overwrite each other's data; within it no two requests touch the same block
 * at once while the load verifies. <b>Threading:</b> its job's thread; the counters may be read by others while it runs, for progress.
 * <b>Allocation:</b> none per request.
 */
final class QueueLoad implements CompletionHandler {
    /** Blocks of a queue's part that a verifying load uses; bounds its memory. */
    private static final int MOST_VERIFIED_BLOCKS = 1 << 16;

    private static final long HIGHEST_LATENCY_NANOS = 60_000_000_000L;

    private final LoadPlan plan;
    private final DriverQueue queue;
    private final int sectorsPerBlock;
    private final long firstBlock;
    private final long blocks;
    private final BlockPattern pattern;
    private final Histogram latencies = new Histogram(HIGHEST_LATENCY_NANOS, 3);

    private final long[] submittedNanos;
    private final long[] blockOfSlot;
    private final boolean[] writing;

    // Only while verifying: how often each block was written, and which blocks have a request in flight.
    private final int[] generations;
    private final BitSet busy;

    private long random;
    private long nextBlock;
    private long nowNanos;
    private boolean refilling = true;
    private boolean readingBack;

    private volatile long requests;
    private volatile long bytes;
    private volatile long errors;
    private volatile long verifiedBlocks;
    private volatile long wrongBlocks;

    /**
     * Creates the load on one queue.
     *
     * @param diskSectors capacity of the disk, of which this queue uses the part given by its index
     */
    QueueLoad(LoadPlan plan, DriverQueue queue, long diskSectors) {
        this.plan = plan;
        this.queue = queue;
        this.sectorsPerBlock = plan.blockBytes() / BlkRequest.SECTOR_BYTES;
        long ofEach = diskSectors / sectorsPerBlock / plan.queues();
        if (ofEach < 1) {
            throw new IllegalArgumentException("a disk of " + diskSectors + " sectors is too small for " + plan.queues()
                    + " queues of " + plan.blockBytes() + " byte blocks");
        }
        this.blocks = plan.verify() ? Math.min(ofEach, MOST_VERIFIED_BLOCKS) : ofEach;
        this.firstBlock = ofEach * queue.index();
        this.pattern = new BlockPattern(plan.seed());
        int slots = queue.shape().slots();
        this.submittedNanos = new long[slots];
        this.blockOfSlot = new long[slots];
        this.writing = new boolean[slots];
        this.generations = new int[plan.verify() ? (int) blocks : 0];
        this.busy = new BitSet(generations.length);
        this.random = plan.seed() * 0x9E3779B97F4A7C15L + queue.index() + 1;
    }

    DriverQueue queue() {
        return queue;
    }

    /** Reaps completions and submits as many new requests. Returns how many were reaped. */
    int pass(long nowNanos) {
        this.nowNanos = nowNanos;
        int reaped = queue.poll(this);
        while (refilling && queue.inFlight() < plan.depth()) {
            if (!(readingBack ? submitReadBack() : submitNext())) {
                break;
            }
        }
        queue.publish();
        return reaped;
    }

    /** Submits nothing from now on; what is in flight is still reaped. */
    void stopRefilling() {
        refilling = false;
    }

    /** Starts reading back every block that this load has written; done once nothing is in flight. */
    void readBack() {
        readingBack = true;
        refilling = true;
        nextBlock = 0;
    }

    boolean idle() {
        return queue.inFlight() == 0;
    }

    /** Discards the figures of the warm-up. */
    void restartMeasurement() {
        latencies.reset();
        requests = 0;
        bytes = 0;
    }

    private boolean submitNext() {
        boolean write = plan.readPercent() < 100 && nextRandom(100) >= plan.readPercent();
        long block = plan.sequential() ? nextBlock++ % blocks : nextRandom(blocks);
        if (plan.verify()) {
            int tries = 0;
            while (busy.get((int) block)) {
                if (++tries > plan.depth()) {
                    return false;
                }
                block = (block + 1) % blocks;
            }
        }
        return submit(write, block);
    }

    private boolean submitReadBack() {
        while (nextBlock < blocks && generations[(int) nextBlock] == 0) {
            nextBlock++;
        }
        if (nextBlock == blocks) {
            refilling = false;
            return false;
        }
        if (!submit(false, nextBlock)) {
            return false;
        }
        nextBlock++;
        return true;
    }

    private boolean submit(boolean write, long block) {
        long sector = (firstBlock + block) * sectorsPerBlock;
        int slot = queue.submit(write ? BlkRequest.T_OUT : BlkRequest.T_IN, sector, plan.blockBytes());
        if (slot == DriverQueue.FULL) {
            return false;
        }
        if (plan.verify()) {
            busy.set((int) block);
            if (write) {
                pattern.write(queue.memory(), queue.dataOffset(slot), plan.blockBytes(), sector, ++generations[(int) block]);
            }
        }
        submittedNanos[slot] = nowNanos;
        blockOfSlot[slot] = block;
        writing[slot] = write;
        return true;
    }

    @Override
    @SuppressWarnings("NonAtomicVolatileUpdate") // written by the job's thread alone
    public void completed(int slot, int status, int writtenBytes) {
        int block = (int) blockOfSlot[slot];
        if (status != BlkRequest.S_OK) {
            errors++;
        }
        if (plan.verify()) {
            busy.clear(block);
            if (!writing[slot] && generations[block] > 0 && status == BlkRequest.S_OK) {
                long sector = (firstBlock + block) * sectorsPerBlock;
                if (pattern.matches(queue.memory(), queue.dataOffset(slot), plan.blockBytes(), sector, generations[block])) {
                    verifiedBlocks++;
                } else {
                    wrongBlocks++;
                }
            }
        }
        if (!readingBack) {
            latencies.recordValue(Math.min(HIGHEST_LATENCY_NANOS, Math.max(0, nowNanos - submittedNanos[slot])));
            requests++;
            bytes += plan.blockBytes();
        }
    }

    /** A xorshift: random enough for offsets, without an object. */
    private long nextRandom(long bound) {
        long x = random;
        x ^= x << 13;
        x ^= x >>> 7;
        x ^= x << 17;
        random = x;
        return Math.unsignedMultiplyHigh(x * 0x2545F4914F6CDD1DL, bound);
    }

    // ---- for reports

    Histogram latencies() {
        return latencies;
    }

    long requests() {
        return requests;
    }

    long bytes() {
        return bytes;
    }

    long errors() {
        return errors;
    }

    long verifiedBlocks() {
        return verifiedBlocks;
    }

    long wrongBlocks() {
        return wrongBlocks;
    }
}
