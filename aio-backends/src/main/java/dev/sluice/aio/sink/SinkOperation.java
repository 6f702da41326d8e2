package dev.sluice.aio.sink;

import dev.sluice.aio.raw.DirectAlignment;
import dev.sluice.aio.raw.RawImage;
import dev.sluice.aio.retry.RetryBackoff;
import dev.sluice.linux.Errno;
import dev.sluice.linux.LinuxFile;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import org.jspecify.annotations.Nullable;

/**
 * One request's way through the kernel: which call is next, and what its result means. A slot of a sink, used again and again; it has at
 * most one operation in the kernel.
 *
 * <pre>
 * VECTOR      READV, WRITEV on the request's own memory, until all is moved
 * BOUNCE      READ, WRITE through an aligned buffer, piece by piece
 * PUNCH       FALLOCATE(PUNCH_HOLE): DISCARD, WRITE_ZEROES that may unmap      no such thing: ZERO_RANGE (a WRITE_ZEROES)
 * ZERO_RANGE  FALLOCATE(ZERO_RANGE): WRITE_ZEROES                              no such thing: ZERO_WRITE
 * ZERO_WRITE  WRITE of a buffer of zeroes, piece by piece
 *             (also for the edges of a WRITE_ZEROES that are not whole blocks of a device, before and after the two above)
 * SYNC        FSYNC: FLUSH, and after the others where the request is durable and the kernel has not synced it yet; shared with others (SyncGroup)
 * </pre>
 *
 * <p><b>Threading:</b> the loop's. <b>Ownership:</b> the request's, from {@link #begin} to {@link #end}. <b>Failure:</b> as a negative errno of
 * the request. <b>Allocation:</b> none, but for the pauses of a request that the kernel keeps refusing.
 */
final class SinkOperation {
    /** Not done yet; every other outcome is the result of the request. */
    static final int CONTINUES = Integer.MIN_VALUE;

    /** No buffer is free; not done yet either. */
    static final int NEEDS_BUFFER = Integer.MIN_VALUE + 1;

    /** The kernel takes no more for now. */
    static final int KERNEL_REFUSES = Integer.MIN_VALUE + 2;

    /** Another request's sync serves this one too, or it waits for the next; not done yet either. */
    static final int SHARES_SYNC = Integer.MIN_VALUE + 3;

    private enum Step {
        VECTOR,
        BOUNCE,
        PUNCH,
        ZERO_RANGE,
        ZERO_WRITE,
        SYNC
    }

    final int slot;
    final RetryBackoff retries = new RetryBackoff();

    private final RawSink sink;
    private final RawImage image;
    private final IovecCursor cursor = new IovecCursor();

    private @Nullable BlockRequest request;
    private Step step = Step.SYNC;
    private boolean reads;
    private long doneBytes;
    private long bounceAddress;
    private boolean directRefused;
    private boolean wentDirect;
    /** The last call syncs what it writes (RWF_DSYNC). */
    private boolean syncsItself;
    /** Something durable has gone through the page cache. */
    private boolean syncLeft;
    /** Where PUNCH or ZERO_RANGE ends, counted as {@link #doneBytes} is. */
    private long rangeEndBytes;
    /** Where ZERO_WRITE ends. */
    private long zeroesEndBytes;

    SinkOperation(RawSink sink, RawImage image, int slot) {
        this.sink = sink;
        this.image = image;
        this.slot = slot;
    }

    boolean hasRequest() {
        return request != null;
    }

    BlockRequest request() {
        BlockRequest current = request;
        if (current == null) {
            throw new IllegalStateException("slot " + slot + " has no request");
        }
        return current;
    }

    /** Takes a request; returns {@link #CONTINUES}, or its result where the kernel need not be asked. */
    int begin(BlockRequest taken) {
        request = taken;
        doneBytes = 0;
        directRefused = false;
        syncsItself = false;
        syncLeft = false;
        retries.clear();
        int refusal = image.refusal(taken);
        if (refusal != 0) {
            return refusal;
        }
        return switch (taken.op()) {
            case READ, WRITE -> beginTransfer(taken);
            case FLUSH -> go(Step.SYNC);
            case DISCARD -> sink.punchUnsupported ? -Errno.EOPNOTSUPP : beginDiscard(taken);
            case WRITE_ZEROES -> beginZeroes(taken);
        };
    }

    private int beginTransfer(BlockRequest taken) {
        reads = taken.op() == BlockOp.READ;
        cursor.begin(taken.iovecsAddress(), taken.iovecCount());
        if (taken.lengthBytes() == 0) {
            return 0;
        }
        DirectAlignment alignment = image.alignment();
        boolean direct = alignment.allowsOffset(taken.offsetBytes() | taken.lengthBytes());
        return go(direct && !cursor.aligned(alignment) ? Step.BOUNCE : Step.VECTOR);
    }

    /** A device punches whole blocks alone; parts of blocks stay, as DISCARD promises nothing. */
    private int beginDiscard(BlockRequest taken) {
        boundRange(taken);
        if (doneBytes >= rangeEndBytes) {
            return 0;
        }
        return go(Step.PUNCH);
    }

    /** Parts of blocks, which a device does not zero, are written, the one before the range and the one behind it. */
    private int beginZeroes(BlockRequest taken) {
        if (taken.lengthBytes() == 0) {
            return 0;
        }
        boundRange(taken);
        long head = doneBytes;
        doneBytes = 0;
        if (head >= rangeEndBytes) {
            return writeZeroes(taken.lengthBytes());
        }
        return head > 0 ? writeZeroes(head) : zeroRange();
    }

    /** Sets the range of whole blocks within the request: {@link #doneBytes} to {@link #rangeEndBytes}. */
    private void boundRange(BlockRequest taken) {
        reads = false;
        long block = image.geometry().logicalBlockBytes();
        long end = taken.offsetBytes() + taken.lengthBytes();
        doneBytes = -taken.offsetBytes() & (block - 1);
        rangeEndBytes = (end & -block) - taken.offsetBytes();
    }

    private int zeroRange() {
        Step step = request().mayUnmap() && !sink.punchUnsupported ? Step.PUNCH : zeroStep();
        return step == Step.ZERO_WRITE ? writeZeroes(request().lengthBytes()) : go(step);
    }

    private int writeZeroes(long endBytes) {
        zeroesEndBytes = endBytes;
        return go(Step.ZERO_WRITE);
    }

    private int go(Step next) {
        step = next;
        return CONTINUES;
    }

    /** The cheapest way to zeroes that is known to work here. */
    private Step zeroStep() {
        return sink.zeroRangeUnsupported ? Step.ZERO_WRITE : Step.ZERO_RANGE;
    }

    /** Starts the next call; returns {@link #CONTINUES} or why not, which may be the result of the request. */
    int issue() {
        BlockRequest current = request();
        long offset = current.offsetBytes() + doneBytes;
        long rest = current.lengthBytes() - doneBytes;
        if (step == Step.BOUNCE) {
            int obstacle = fillBounceBuffer(rest);
            if (obstacle != CONTINUES) {
                return obstacle;
            }
        }
        if (step == Step.SYNC) {
            return sink.issueSync(slot);
        }
        boolean started =
                switch (step) {
                    case VECTOR -> startVector(offset, rest, current.durable());
                    case BOUNCE -> startBuffer(reads, bounceAddress, Math.min(rest, BouncePool.BUFFER_BYTES), offset, current.durable());
                    case PUNCH -> sink.startFallocate(slot, image.fd(), LinuxFile.FALLOC_FL_PUNCH_HOLE | LinuxFile.FALLOC_FL_KEEP_SIZE, offset,
                            rangeEndBytes - doneBytes);
                    case ZERO_RANGE -> sink.startFallocate(slot, image.fd(), LinuxFile.FALLOC_FL_ZERO_RANGE | LinuxFile.FALLOC_FL_KEEP_SIZE, offset,
                            rangeEndBytes - doneBytes);
                    case ZERO_WRITE -> startBuffer(false, ZeroBuffer.ADDRESS, Math.min(zeroesEndBytes - doneBytes, ZeroBuffer.BYTES), offset, false);
                    case SYNC -> throw new IllegalStateException("issued above");
                };
        return started ? CONTINUES : KERNEL_REFUSES;
    }

    private boolean startVector(long offset, long rest, boolean durable) {
        boolean direct = doneBytes == 0 || cursor.aligned(image.alignment());
        int fd = fdFor(offset | rest, direct);
        cursor.cutElement();
        return sink.startVector(this, reads, fd, cursor.elementAddress(), cursor.elementCount(), offset, flags(durable));
    }

    private boolean startBuffer(boolean read, long address, long bytes, long offset, boolean durable) {
        return sink.startBuffer(this, read, fdFor(offset | bytes, true), address, (int) bytes, offset, flags(durable));
    }

    private int fillBounceBuffer(long rest) {
        if (bounceAddress == 0) {
            bounceAddress = sink.bounceBuffers.borrow();
            if (bounceAddress == 0) {
                return NEEDS_BUFFER;
            }
            sink.counts.bounced();
        }
        if (reads) {
            return CONTINUES;
        }
        try {
            cursor.copyTo(bounceAddress, Math.min(rest, BouncePool.BUFFER_BYTES));
            return CONTINUES;
        } catch (InternalError truncated) {
            return -Errno.EFAULT;
        }
    }

    /** After {@link #fdFor}. A write through the page cache is synced by a step of its own; RWF_DSYNC means nothing in memory. */
    private int flags(boolean durable) {
        boolean write = durable && !reads;
        boolean bypasses = wentDirect && image.direct();
        syncsItself = write && bypasses;
        syncLeft |= write && !bypasses && !image.inMemory();
        return syncsItself ? LinuxFile.RWF_DSYNC : 0;
    }

    private int fdFor(long offsetAndLength, boolean direct) {
        wentDirect = direct && !directRefused && image.alignment().allowsOffset(offsetAndLength);
        return wentDirect ? image.fd() : image.bufferedFd();
    }

    /** What the kernel was last asked for. */
    CompletionSeam.Call call() {
        return switch (step) {
            case VECTOR, BOUNCE -> reads ? CompletionSeam.Call.READ : CompletionSeam.Call.WRITE;
            case ZERO_WRITE -> CompletionSeam.Call.WRITE;
            case PUNCH, ZERO_RANGE -> CompletionSeam.Call.ALLOCATE;
            case SYNC -> CompletionSeam.Call.SYNC;
        };
    }

    /** What a completion means: {@link #CONTINUES} where {@link #issue} is due again, else the result of the request. */
    int completed(int result) {
        return switch (step) {
            case VECTOR, BOUNCE -> moved(result);
            case PUNCH -> {
                sink.punchUnsupported |= result == -Errno.EOPNOTSUPP;
                yield result == -Errno.EOPNOTSUPP && request().op() == BlockOp.WRITE_ZEROES ? zeroRange() : ranged(result);
            }
            case ZERO_RANGE -> {
                sink.zeroRangeUnsupported |= result == -Errno.EOPNOTSUPP;
                yield result == -Errno.EOPNOTSUPP ? zeroRange() : ranged(result);
            }
            case ZERO_WRITE -> zeroesWritten(result);
            case SYNC -> afterSync(image.writeback().synced(Math.min(result, 0)));
        };
    }

    /** The result of the request, where its sync or the one that it shares has given this. */
    int afterSync(int result) {
        return result < 0 || request().op() != BlockOp.WRITE ? Math.min(result, 0) : transferred();
    }

    private int transferred() {
        return (int) Math.min(request().lengthBytes(), Integer.MAX_VALUE);
    }

    private int moved(int result) {
        if (result < 0) {
            return refusedDirect(result) ? CONTINUES : syncsItself ? image.writeback().written(result) : result;
        }
        if (result == 0) {
            return reads ? endOfFile() : -Errno.ENOSPC;
        }
        retries.clear();
        if (step == Step.BOUNCE && reads) {
            try {
                cursor.copyFrom(bounceAddress, result);
            } catch (InternalError truncated) {
                return -Errno.EFAULT;
            }
        }
        doneBytes += result;
        if (!reads && !stillReached()) {
            return -Errno.EIO;
        }
        if (doneBytes >= request().lengthBytes()) {
            return syncLeft ? go(Step.SYNC) : syncsItself ? image.writeback().written(transferred()) : transferred();
        }
        cursor.advance(result);
        // A piece that fills the buffer is not short.
        if (step == Step.VECTOR || result < BouncePool.BUFFER_BYTES) {
            sink.counts.continued();
        }
        return CONTINUES;
    }

    /** A file system that is stricter about O_DIRECT than it says gets the rest of the request through the page cache. */
    private boolean refusedDirect(int result) {
        if (result != -Errno.EINVAL || !wentDirect || !image.direct()) {
            return false;
        }
        directRefused = true;
        sink.directRefusals.warn(request());
        return true;
    }

    /** The file is shorter than the disk: somebody has truncated it. */
    private int endOfFile() {
        image.size().look();
        return -Errno.EIO;
    }

    private int ranged(int result) {
        if (result < 0) {
            return result;
        }
        doneBytes = rangeEndBytes;
        boolean tailLeft = request().op() == BlockOp.WRITE_ZEROES && doneBytes < request().lengthBytes();
        return tailLeft ? writeZeroes(request().lengthBytes()) : allRanged();
    }

    private int allRanged() {
        return request().durable() ? go(Step.SYNC) : 0;
    }

    private int zeroesWritten(int result) {
        if (result < 0) {
            return refusedDirect(result) ? CONTINUES : result;
        }
        if (result == 0) {
            return -Errno.ENOSPC;
        }
        retries.clear();
        doneBytes += result;
        if (!stillReached()) {
            return -Errno.EIO;
        }
        if (doneBytes < zeroesEndBytes) {
            return CONTINUES;
        }
        return doneBytes < request().lengthBytes() ? zeroRange() : allRanged();
    }

    /** False where the disk has shrunk under a write, whose part behind the new end is then taken off the file again. */
    private boolean stillReached() {
        BlockRequest current = request();
        boolean reached = image.geometry().reachesTo(current.offsetBytes() + doneBytes);
        if (!reached) {
            image.cutBack();
        }
        return reached;
    }

    /** Releases the request, with its iovecs as they came, and the buffer. */
    BlockRequest end() {
        BlockRequest ended = request();
        cursor.restore();
        request = null;
        if (bounceAddress != 0) {
            sink.bounceBuffers.release(bounceAddress);
            bounceAddress = 0;
        }
        return ended;
    }
}
