package dev.sluice.virtio.driver;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.testing.Patience;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;

/**
 * Reads and writes on a queue at full depth, each block stamped with its number and how often it was written, each read
 * checked. The queue has blocks of its own, and never two requests in flight for one of them.
 */
public final class VerifyingLoad implements CompletionHandler {
    public static final int BLOCK_BYTES = 4096;

    private static final int PATIENCE_MILLIS = Patience.millis(15_000);

    private final DriverQueue queue;
    private final SplittableRandom random;
    private final int firstBlock;
    private final int[] generation;
    private final boolean[] busy;
    private final int[] blockOfSlot;
    private final boolean[] readOfSlot;
    private long reads;
    private long writes;

    public VerifyingLoad(DriverQueue queue, int firstBlock, int blocks, long seed) {
        this.queue = queue;
        this.random = new SplittableRandom(seed);
        this.firstBlock = firstBlock;
        this.generation = new int[blocks];
        this.busy = new boolean[blocks];
        this.blockOfSlot = new int[queue.shape().slots()];
        this.readOfSlot = new boolean[queue.shape().slots()];
    }

    public long reads() {
        return reads;
    }

    public long writes() {
        return writes;
    }

    /** Submits until the queue is full. */
    public void fill() {
        while (queue.inFlight() < queue.shape().slots()) {
            int block = random.nextInt(busy.length);
            if (busy[block]) {
                continue;
            }
            boolean read = random.nextBoolean();
            int type = read ? BlkRequest.T_IN : BlkRequest.T_OUT;
            int slot = queue.submit(type, (firstBlock + block) * (BLOCK_BYTES / 512L), BLOCK_BYTES);
            if (slot == DriverQueue.FULL) {
                return;
            }
            busy[block] = true;
            blockOfSlot[slot] = block;
            readOfSlot[slot] = read;
            if (!read) {
                generation[block]++;
                queue.data(slot).fill((byte) stamp(block));
                queue.data(slot).set(ValueLayout.JAVA_INT, 0, stamp(block));
                queue.data(slot).set(ValueLayout.JAVA_INT, BLOCK_BYTES - 4, stamp(block));
            } else {
                queue.data(slot).fill((byte) 0xEE);
            }
        }
    }

    private int stamp(int block) {
        return generation[block] == 0 ? 0 : (firstBlock + block) * 31 + generation[block] * 65_537;
    }

    /** Submits and reaps for a while; the queue stays full. */
    public void run(int requests) {
        long until = reads + writes + requests;
        while (reads + writes < until) {
            fill();
            boolean _ = queue.publish();
            awaitCall();
            int _ = queue.poll(this);
        }
    }

    /** Reaps all that is in flight. */
    public void drain() {
        boolean _ = queue.publish();
        while (queue.inFlight() > 0) {
            awaitCall();
            int _ = queue.poll(this);
        }
    }

    /** A call that was lost shows as a wait that took its whole time, although there was something to reap. */
    private void awaitCall() {
        long start = System.nanoTime();
        boolean used = queue.await(PATIENCE_MILLIS);
        assertThat(used && System.nanoTime() - start < PATIENCE_MILLIS * 900_000L)
                .as("queue %d calls", queue.index())
                .isTrue();
    }

    @Override
    public void completed(int slot, int status, int writtenBytes) {
        assertThat(status).isEqualTo(BlkRequest.S_OK);
        int block = blockOfSlot[slot];
        busy[block] = false;
        if (!readOfSlot[slot]) {
            assertThat(writtenBytes).isEqualTo(1);
            writes++;
            return;
        }
        assertThat(writtenBytes).isEqualTo(BLOCK_BYTES + 1);
        reads++;
        MemorySegment data = queue.data(slot);
        assertThat(data.get(ValueLayout.JAVA_INT, 0)).as("block %d", firstBlock + block).isEqualTo(stamp(block));
        assertThat(data.get(ValueLayout.JAVA_BYTE, 2048)).isEqualTo((byte) stamp(block));
        assertThat(data.get(ValueLayout.JAVA_INT, BLOCK_BYTES - 4)).isEqualTo(stamp(block));
    }
}
