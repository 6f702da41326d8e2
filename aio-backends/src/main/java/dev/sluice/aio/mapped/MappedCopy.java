package dev.sluice.aio.mapped;

import dev.sluice.linux.Errno;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.NativeMemory;

/**
 * Copies between memory of one request and the image, with the results of pread(2) and pwrite(2): bytes moved, or a negative errno.
 *
 * <p>Pages that are known to exist are copied. Of others the kernel is asked ({@link ResidentPages}); those that are still not known are read by pread(2),
 * which fills no hole, and allocated by fallocate(2) before they are written, which says ENOSPC. So neither does a read take space, nor does a full file system
 * become a fault, and what a request costs does not depend on the size of the image. What is left is rare, and found out after the fault: the image has been
 * truncated (EIO), the guest's memory has (EFAULT), somebody punched the page meanwhile (the copy is made again, ENOSPC if there is no room), or the page is
 * broken (EIO).
 *
 * <p>The file is never extended: fallocate keeps its size, and the mapping cannot.
 *
 * <p><b>Threading:</b> the loop's. <b>Ownership:</b> none; ranges lie in the mapping, which its caller has checked. <b>Failure:</b> a negative errno; no fault
 * leaves this class. <b>Allocation:</b> none in steady state; a system call that reads or fills a hole may allocate its errno.
 */
final class MappedCopy {
    private static final int ALLOCATE = LinuxFile.FALLOC_FL_KEEP_SIZE;

    private final MappedImage image;
    private final ResidentPages resident;

    MappedCopy(MappedImage image, ResidentPages resident) {
        this.image = image;
        this.resident = resident;
    }

    // ---- to the guest

    /** Reads a contiguous range. */
    long read(ImageMapping mapping, long offset, long target, long bytes) {
        if (!mapping.known.contain(offset, bytes) && !resident.find(mapping, offset, bytes)) {
            return atEnd(LinuxFile.pread(image.fd(), target, bytes, offset));
        }
        return copied(mapping.address + offset, target, bytes) ? bytes : readAfterFault(mapping, offset, target, bytes);
    }

    /** The system call that would have been made instead says what is wrong, if it still is. */
    private long readAfterFault(ImageMapping mapping, long offset, long target, long bytes) {
        if (!reaches(offset, bytes)) {
            mapping.forget(offset, bytes);
            return -Errno.EIO;
        }
        long result = LinuxFile.pread(image.fd(), target, bytes, offset);
        // One that stops short in the image has met the end of the guest's memory.
        if (result != -Errno.EFAULT && (result <= 0 || result == bytes)) {
            mapping.forget(offset, bytes);
        }
        return atEnd(result);
    }

    /** Where nothing is found before the end of the file, somebody has truncated it. */
    private long atEnd(long result) {
        if (result != 0) {
            return result;
        }
        image.size().look();
        return -Errno.EIO;
    }

    // ---- from the guest

    /** Writes a contiguous range. */
    long write(ImageMapping mapping, long offset, long source, long bytes) {
        if (!mapping.known.contain(offset, bytes) && !resident.find(mapping, offset, bytes)) {
            int result = provide(mapping, offset, bytes);
            if (result < 0) {
                return result;
            }
        }
        return copied(source, mapping.address + offset, bytes) ? bytes : writeAfterFault(mapping, offset, source, bytes);
    }

    private long writeAfterFault(ImageMapping mapping, long offset, long source, long bytes) {
        boolean reached = reaches(offset, bytes);
        if (reached && GuestProbe.isGone(source, bytes)) {
            return -Errno.EFAULT;
        }
        mapping.forget(offset, bytes);
        if (!reached) {
            return -Errno.EIO;
        }
        int result = allocate(mapping, offset, bytes);
        if (result < 0) {
            return result;
        }
        if (copied(source, mapping.address + offset, bytes)) {
            return bytes;
        }
        image.size().look();
        return -Errno.EIO;
    }

    /** Has the pages of a range exist. What is allocated behind the end of a file stays there, and on hugetlbfs could be accessed. */
    private int provide(ImageMapping mapping, long offset, long bytes) {
        return reaches(offset, bytes) ? allocate(mapping, offset, bytes) : -Errno.EIO;
    }

    private int allocate(ImageMapping mapping, long offset, long bytes) {
        long from = offset & -image.pageBytes();
        long to = (offset + bytes + image.pageBytes() - 1) & -image.pageBytes();
        int result = LinuxFile.fallocate(image.fd(), ALLOCATE, from, to - from);
        if (result == 0) {
            mapping.known.add(offset, bytes);
        }
        return result;
    }

    // ---- both

    private static boolean copied(long source, long target, long bytes) {
        try {
            NativeMemory.copy(source, target, bytes);
            // Here, so that the fault is this copy's and no other's.
            NativeMemory.surfaceFault();
            return true;
        } catch (InternalError truncated) {
            return false;
        }
    }

    private boolean reaches(long offset, long bytes) {
        image.size().look();
        return image.size().reachesTo(offset + bytes);
    }
}
