package dev.sluice.aio.sink;

import dev.sluice.linux.Iovec;
import dev.sluice.linux.LinuxFile;

/**
 * Reads and writes of an image in memory (tmpfs), made at once by plain system calls, as many bytes a flush as the {@link CopyBudget} allows: tmpfs has no non-blocking reads, so
 * io_uring would hand each request to a worker thread, and the two wake-ups cost more than the copy (measured by SinkBenchmark: 2.9 us CPU a 4 KiB read then,
 * 1.6 us so), and io_submit would copy without a bound. RWF_DSYNC means nothing there.
 *
 * <p><b>Threading:</b> the loop's. <b>Failure:</b> a negative errno. <b>Allocation:</b> none.
 */
final class MemoryTransfers {
    private final CopyBudget budget;

    MemoryTransfers(CopyBudget budget) {
        this.budget = budget;
    }

    long moveVector(boolean reads, int fd, long iovecs, int iovecCount, long offset) {
        int whole = 0;
        long bytes = 0;
        while (whole < iovecCount && bytes + Iovec.length(iovecs, whole) <= CopyBudget.BYTES_PER_CALL) {
            bytes += Iovec.length(iovecs, whole++);
        }
        if (whole == 0) {
            return moveBuffer(reads, fd, Iovec.base(iovecs, 0), CopyBudget.BYTES_PER_CALL, offset);
        }
        return counted(reads ? LinuxFile.preadv2(fd, iovecs, whole, offset, 0) : LinuxFile.pwritev2(fd, iovecs, whole, offset, 0));
    }

    long moveBuffer(boolean reads, int fd, long address, long bytes, long offset) {
        long moved = Math.min(bytes, CopyBudget.BYTES_PER_CALL);
        return counted(reads ? LinuxFile.pread(fd, address, moved, offset) : LinuxFile.pwrite(fd, address, moved, offset));
    }

    private long counted(long result) {
        budget.copied(Math.max(0, result));
        return result;
    }
}
