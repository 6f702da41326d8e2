package dev.sluice.pipeline.testing;

import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockStatus;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One request as its guest sees it: what it asks for, and what it got.
 *
 * <p><b>Threading:</b> made on any thread; the outcome may be asked for on any thread. <b>Failure:</b> asking for an outcome that is
 * not there throws {@link AssertionError}, as does {@link #await} after half a minute (times {@code -Dsluice.patience}).
 */
public final class TestIo {
    private static final int LIMIT_SECONDS = Patience.seconds(30);

    private final BlockOp op;
    private final long sector;
    private final long lengthBytes;
    private final byte @Nullable [] written;
    private final CountDownLatch done = new CountDownLatch(1);

    private volatile boolean durable;
    private volatile boolean mayUnmap;
    private volatile int completions;
    private volatile int result;
    private volatile boolean abandoned;
    private volatile byte[] data = {};

    private TestIo(BlockOp op, long sector, long lengthBytes, byte @Nullable [] written) {
        this.op = op;
        this.sector = sector;
        this.lengthBytes = lengthBytes;
        this.written = written;
    }

    public static TestIo read(long sector, int lengthBytes) {
        return new TestIo(BlockOp.READ, sector, lengthBytes, null);
    }

    /** A WRITE of the array's bytes; the array is not copied. */
    public static TestIo write(long sector, byte[] bytes) {
        return new TestIo(BlockOp.WRITE, sector, bytes.length, bytes);
    }

    public static TestIo flush() {
        return new TestIo(BlockOp.FLUSH, 0, 0, null);
    }

    public static TestIo discard(long sector, long lengthBytes) {
        return new TestIo(BlockOp.DISCARD, sector, lengthBytes, null);
    }

    public static TestIo writeZeroes(long sector, long lengthBytes) {
        return new TestIo(BlockOp.WRITE_ZEROES, sector, lengthBytes, null);
    }

    /** The same request, durable: on stable storage when it completes. */
    public TestIo asDurable() {
        durable = true;
        return this;
    }

    /** The same WRITE_ZEROES, which may deallocate the space. */
    public TestIo asUnmapping() {
        mayUnmap = true;
        return this;
    }

    // ---- what it asks for

    public BlockOp op() {
        return op;
    }

    public long sector() {
        return sector;
    }

    public long lengthBytes() {
        return lengthBytes;
    }

    public boolean durable() {
        return durable;
    }

    public boolean mayUnmap() {
        return mayUnmap;
    }

    /** What a WRITE carries; null for all others. */
    byte @Nullable [] written() {
        return written;
    }

    // ---- what it got

    public boolean completed() {
        return completions > 0;
    }

    /** How often it completed: once, or there is a bug. */
    public int completions() {
        return completions;
    }

    /** Bytes moved, or a negative errno. */
    public int result() {
        if (!completed()) {
            throw new AssertionError(this + " has not completed");
        }
        return result;
    }

    public BlockStatus status() {
        return BlockStatus.ofResult(result());
    }

    /** True if the queue had abandoned it, so that no status was written for the guest. */
    public boolean abandoned() {
        return abandoned;
    }

    /** The data segments as they were when the READ completed. */
    public byte[] data() {
        if (!completed()) {
            throw new AssertionError(this + " has not completed");
        }
        return data;
    }

    /** Waits for the completion and returns the {@link #result}. Not from the loop's thread. */
    public int await() {
        try {
            if (!done.await(LIMIT_SECONDS, TimeUnit.SECONDS)) {
                throw new AssertionError(this + " did not complete in " + LIMIT_SECONDS + " s");
            }
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted while waiting for " + this, interrupted);
        }
        return result;
    }

    @SuppressWarnings("NonAtomicVolatileUpdate") // one writer, the loop
    void complete(int value, boolean wasAbandoned, byte[] read) {
        result = value;
        abandoned = wasAbandoned;
        data = read;
        completions++;
        done.countDown();
    }

    @Override
    public String toString() {
        return op + " sector " + sector + " length " + lengthBytes;
    }
}
