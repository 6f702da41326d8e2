package dev.sluice.aio.sink;

import dev.sluice.linux.Iovec;
import dev.sluice.linux.LinuxFile;

/**
 * Reads and writes of an image in memory (tmpfs), made at once by plain system calls. RWF_DSYNC means nothing there.
 *
 * <p><b>Threading:</b> any. <b>Failure:</b> a negative errno. <b>Allocation:</b> none.
 */
final class MemoryTransfers {
    /** What a tick copies at most, give or take a call, before those requests complete: some 30 us. */
    static final long BYTES_PER_TICK = 128 << 10;

    /**
     * What one call copies at most: some 200 us, then others have their turn. Less than was asked for is a short transfer, which is continued in the next tick,
     * so that no request holds the loop for longer than any other.
     */
    private static final long BYTES_PER_CALL = 1 << 20;

    private MemoryTransfers() {}

    static long moveVector(boolean reads, int fd, long iovecs, int iovecCount, long offset) {
        int whole = 0;
        long bytes = 0;
        while (whole < iovecCount && bytes + Iovec.length(iovecs, whole) <= BYTES_PER_CALL) {
            bytes += Iovec.length(iovecs, whole++);
        }
        if (whole == 0) {
            return moveBuffer(reads, fd, Iovec.base(iovecs, 0), BYTES_PER_CALL, offset);
        }
        return reads ? LinuxFile.preadv2(fd, iovecs, whole, offset, 0) : LinuxFile.pwritev2(fd, iovecs, whole, offset, 0);
    }

    static long moveBuffer(boolean reads, int fd, long address, long bytes, long offset) {
        long moved = Math.min(bytes, BYTES_PER_CALL);
        return reads ? LinuxFile.pread(fd, address, moved, offset) : LinuxFile.pwrite(fd, address, moved, offset);
    }
}
