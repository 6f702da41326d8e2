package dev.sluice.aio.sink;

import dev.sluice.linux.Iovec;
import dev.sluice.linux.LinuxFile;

/**
 * Reads and writes of an image in memory (tmpfs), made at once by plain system calls, a limited number of bytes a flush: tmpfs has no non-blocking reads, so
 * io_uring would hand each request to a worker thread, and the two wake-ups cost more than the copy (measured by SinkBenchmark: 2.9 us CPU a 4 KiB read then,
 * 1.6 us so), and io_submit would copy without a bound. RWF_DSYNC means nothing there.
 *
 * <p><b>Threading:</b> the loop's. <b>Failure:</b> a negative errno. <b>Allocation:</b> none.
 */
final class MemoryTransfers {
    /** What a flush copies at most, give or take a call, before those requests complete: some 30 us. */
    static final long BYTES_PER_FLUSH = 128 << 10;

    /**
     * What one call copies at most: some 200 us, then others have their turn. Less than was asked for is a short transfer, which is continued in the next tick,
     * so that no request holds the loop for longer than any other.
     */
    static final long BYTES_PER_CALL = 1 << 20;

    private long bytesLeft;

    /** A flush begins. */
    void begin() {
        bytesLeft = BYTES_PER_FLUSH;
    }

    /** Whether the rest of the batch has to wait for the next tick. */
    boolean limitReached() {
        return bytesLeft <= 0;
    }

    long moveVector(boolean reads, int fd, long iovecs, int iovecCount, long offset) {
        int whole = 0;
        long bytes = 0;
        while (whole < iovecCount && bytes + Iovec.length(iovecs, whole) <= BYTES_PER_CALL) {
            bytes += Iovec.length(iovecs, whole++);
        }
        if (whole == 0) {
            return moveBuffer(reads, fd, Iovec.base(iovecs, 0), BYTES_PER_CALL, offset);
        }
        return counted(reads ? LinuxFile.preadv2(fd, iovecs, whole, offset, 0) : LinuxFile.pwritev2(fd, iovecs, whole, offset, 0));
    }

    long moveBuffer(boolean reads, int fd, long address, long bytes, long offset) {
        long moved = Math.min(bytes, BYTES_PER_CALL);
        return counted(reads ? LinuxFile.pread(fd, address, moved, offset) : LinuxFile.pwrite(fd, address, moved, offset));
    }

    private long counted(long result) {
        bytesLeft -= Math.max(0, result);
        return result;
    }
}
