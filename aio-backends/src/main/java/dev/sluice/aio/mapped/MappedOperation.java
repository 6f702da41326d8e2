package dev.sluice.aio.mapped;

import dev.sluice.aio.retry.RetryBackoff;
import dev.sluice.aio.sink.CompletionSeam;
import dev.sluice.aio.sink.CopyBudget;
import dev.sluice.aio.sink.ZeroBuffer;
import dev.sluice.linux.Errno;
import dev.sluice.linux.LinuxFile;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import org.jspecify.annotations.Nullable;

/**
 * One request's way: a piece is copied, punched or zeroed at each step, until all is done. A slot of a sink, used again and again. What is done is counted in
 * bytes, from which the next piece follows.
 *
 * <p>FLUSH has nothing to do, and a durable request nothing to wait for: what a mapping shows are the pages of the file itself, which has no other storage, so
 * that msync(2) and fdatasync(2) on these file systems do nothing. Once a sync has failed all the same, which only a test can bring about, nothing is promised
 * any more, as with every image.
 *
 * <p><b>Threading:</b> the loop's. <b>Ownership:</b> the request's, from {@link #begin} to {@link #end}. <b>Failure:</b> a negative errno of the request.
 * <b>Allocation:</b> none.
 */
final class MappedOperation {
    /** Not done yet; every other outcome but the next is the result of the request. */
    static final int CONTINUES = Integer.MIN_VALUE;

    /** The kernel refuses for now; not done yet either. */
    static final int REFUSED = Integer.MIN_VALUE + 1;

    /** What is punched at once, some 100 us if all of it is allocated. */
    private static final long PUNCHED_BYTES = 2 << 20;

    private static final int PUNCH = LinuxFile.FALLOC_FL_PUNCH_HOLE | LinuxFile.FALLOC_FL_KEEP_SIZE;

    final int slot;
    final RetryBackoff retries = new RetryBackoff();

    private final MappedSink sink;
    private final MappedImage image;
    private final MappedCopy copy;
    private final CompletionSeam seam;
    private final DataCursor cursor = new DataCursor();

    private @Nullable BlockRequest request;
    private int decided;
    private long doneBytes;

    MappedOperation(MappedSink sink, MappedImage image, MappedCopy copy, CompletionSeam seam, int slot) {
        this.sink = sink;
        this.image = image;
        this.copy = copy;
        this.seam = seam;
        this.slot = slot;
    }

    /** Takes a request. */
    void begin(BlockRequest taken) {
        request = taken;
        doneBytes = 0;
        retries.clear();
        decided = decide(taken);
    }

    /** {@link #CONTINUES}, or the result of the request if nothing is to be done. */
    private int decide(BlockRequest taken) {
        int refusal = image.refusal(taken);
        if (refusal != 0) {
            return refusal;
        }
        BlockOp op = taken.op();
        if (op == BlockOp.FLUSH) {
            return CONTINUES;
        }
        if (op == BlockOp.DISCARD && sink.punchUnsupported) {
            return -Errno.EOPNOTSUPP;
        }
        if (op == BlockOp.READ || op == BlockOp.WRITE) {
            cursor.begin(taken.iovecsAddress(), taken.iovecCount());
        }
        return taken.lengthBytes() == 0 ? 0 : CONTINUES;
    }

    /** Does the next piece; returns {@link #CONTINUES}, {@link #REFUSED} or the result of the request. */
    int step(ImageMapping mapping, CopyBudget budget) {
        BlockRequest current = request;
        if (current == null) {
            throw new IllegalStateException("slot " + slot + " has no request");
        }
        if (decided != CONTINUES) {
            return decided;
        }
        // An address outside the mapping would end the process.
        if (!mapping.contains(current.offsetBytes(), current.lengthBytes())) {
            return -Errno.EIO;
        }
        return switch (current.op()) {
            case READ, WRITE -> transfer(current, mapping, budget);
            case FLUSH -> flush();
            case DISCARD -> discard(current, mapping, budget);
            case WRITE_ZEROES -> writeZeroes(current, mapping, budget);
        };
    }

    // ---- READ, WRITE

    private int transfer(BlockRequest current, ImageMapping mapping, CopyBudget budget) {
        boolean reads = current.op() == BlockOp.READ;
        int moved = (int) move(current, mapping, reads, budget);
        int result = seam.result(reads ? CompletionSeam.Call.READ : CompletionSeam.Call.WRITE, moved);
        if (result != moved) {
            cursor.moveTo(doneBytes + Math.max(0, result));
        }
        if (result <= 0) {
            return failed(result, reads);
        }
        retries.clear();
        doneBytes += result;
        if (!reads && !stillReached(current)) {
            return -Errno.EIO;
        }
        if (doneBytes >= current.lengthBytes()) {
            return (int) Math.min(doneBytes, Integer.MAX_VALUE);
        }
        sink.counts.continued();
        return CONTINUES;
    }

    /** Bytes moved, or where it moved none a negative errno. A copy that fails costs what was tried, as it may fail at its last byte. */
    private long move(BlockRequest current, ImageMapping mapping, boolean reads, CopyBudget budget) {
        long offset = current.offsetBytes() + doneBytes;
        long most = Math.min(CopyBudget.BYTES_PER_CALL, current.lengthBytes() - doneBytes);
        long moved = 0;
        while (moved < most) {
            long part = cursor.contiguous(most - moved);
            if (part == 0) {
                throw new IllegalStateException("less data than the request is long: " + current);
            }
            long address = cursor.address();
            long result = reads ? copy.read(mapping, offset + moved, address, part) : copy.write(mapping, offset + moved, address, part);
            budget.copied(result > 0 ? result : part);
            if (result <= 0) {
                return moved > 0 ? moved : result;
            }
            moved += result;
            cursor.advance(result);
        }
        return moved;
    }

    private int failed(int result, boolean reads) {
        if (RetryBackoff.isRefusal(result)) {
            return REFUSED;
        }
        if (result < 0) {
            return result;
        }
        if (reads) {
            image.size().look();
            return -Errno.EIO;
        }
        return -Errno.ENOSPC;
    }

    /** False where the disk has shrunk under a write. */
    private boolean stillReached(BlockRequest current) {
        boolean reached = image.geometry().reachesTo(current.offsetBytes() + doneBytes);
        if (!reached) {
            image.clearBehindEnd();
        }
        return reached;
    }

    private int flush() {
        int result = seam.result(CompletionSeam.Call.SYNC, 0);
        return RetryBackoff.isRefusal(result) ? REFUSED : image.writeback().synced(Math.min(result, 0));
    }

    // ---- DISCARD, WRITE_ZEROES

    /** Whole pages are punched; parts of pages stay, as DISCARD promises nothing. */
    private int discard(BlockRequest current, ImageMapping mapping, CopyBudget budget) {
        long at = pageFrom(current.offsetBytes() + doneBytes);
        long end = pageBefore(current.offsetBytes() + current.lengthBytes());
        return at < end ? punch(current, mapping, budget, at, end, end) : 0;
    }

    /**
     * Where the space may be released whole pages are punched, and the parts before and behind them written; else all is written, which keeps or takes the
     * space.
     */
    private int writeZeroes(BlockRequest current, ImageMapping mapping, CopyBudget budget) {
        long at = current.offsetBytes() + doneBytes;
        long end = current.offsetBytes() + current.lengthBytes();
        long pages = pageFrom(at);
        long pagesEnd = pageBefore(end);
        if (!current.mayUnmap() || sink.punchUnsupported || pages >= pagesEnd) {
            return writeZeroes(current, mapping, budget, at, end);
        }
        return at < pages ? writeZeroes(current, mapping, budget, at, pages) : punch(current, mapping, budget, at, pagesEnd, end);
    }

    private int writeZeroes(BlockRequest current, ImageMapping mapping, CopyBudget budget, long at, long end) {
        long bytes = Math.min(end - at, ZeroBuffer.BYTES);
        int written = (int) copy.write(mapping, at, ZeroBuffer.ADDRESS, bytes);
        budget.copied(bytes);
        int result = seam.result(CompletionSeam.Call.WRITE, written);
        if (result <= 0) {
            return failed(result, false);
        }
        doneBytes = at + result - current.offsetBytes();
        return stillReached(current) ? continued(current) : -Errno.EIO;
    }

    /** Punches some of the pages from one place to another, and passes over holes, which cost nothing; {@code end} is where all is done. */
    private int punch(BlockRequest current, ImageMapping mapping, CopyBudget budget, long at, long pagesEnd, long end) {
        long from = Math.min(pagesEnd, dataFrom(at));
        long bytes = Math.min(pagesEnd - from, Math.max(PUNCHED_BYTES, image.pageBytes()));
        if (bytes > 0) {
            mapping.forget(from, bytes);
            budget.copied(bytes);
            int result = seam.result(CompletionSeam.Call.ALLOCATE, LinuxFile.fallocate(image.fd(), PUNCH, from, bytes));
            if (RetryBackoff.isRefusal(result)) {
                return REFUSED;
            }
            if (result == -Errno.EOPNOTSUPP) {
                sink.punchUnsupported = true;
                return current.op() == BlockOp.DISCARD ? result : CONTINUES;
            }
            if (result < 0) {
                return result;
            }
        }
        doneBytes = from + bytes - current.offsetBytes();
        return from + bytes >= end ? 0 : continued(current);
    }

    /** The page of the next data. */
    private long dataFrom(long at) {
        if (!image.findsHoles()) {
            return at;
        }
        long data = LinuxFile.lseek(image.fd(), at, LinuxFile.SEEK_DATA);
        if (data < 0) {
            return data == -Errno.ENXIO ? Long.MAX_VALUE : at;
        }
        return Math.max(at, pageBefore(data));
    }

    private int continued(BlockRequest current) {
        retries.clear();
        return doneBytes < current.lengthBytes() ? CONTINUES : 0;
    }

    private long pageFrom(long offset) {
        return (offset + image.pageBytes() - 1) & -image.pageBytes();
    }

    private long pageBefore(long offset) {
        return offset & -image.pageBytes();
    }

    /** Releases the request. */
    BlockRequest end() {
        BlockRequest ended = request;
        if (ended == null) {
            throw new IllegalStateException("slot " + slot + " has no request");
        }
        request = null;
        return ended;
    }
}
