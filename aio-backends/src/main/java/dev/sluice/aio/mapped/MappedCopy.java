package dev.sluice.aio.mapped;

import dev.sluice.aio.sink.ZeroBuffer;
import dev.sluice.linux.Errno;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.NativeMemory;

/**
 * Copies between memory of one request and the image, with the results of pread(2) and pwrite(2): bytes moved, or a negative errno.
 *
 * <p>Pages that are known to exist are copied. Of others the kernel is asked first: a hole is read as zeroes without being touched, and filled by fallocate(2),
 * which says ENOSPC. So neither does a read take space, nor does a full file system become a fault. What is left is rare, and found out after the fault: the
 * image has been truncated (EIO), the guest's memory has (EFAULT), somebody punched the page meanwhile (the copy is made again, ENOSPC if there is no room), or
 * the page is broken (EIO).
 *
 * <p>The file is never extended: fallocate keeps its size, and the mapping cannot.
 *
 * <p><b>Threading:</b> the loop's. <b>Ownership:</b> none; ranges lie in the mapping, which its caller has checked. <b>Failure:</b> a negative errno; no fault
 * leaves this class. <b>Allocation:</b> none in steady state; a system call that finds or fills a hole may allocate its errno.
 */
final class MappedCopy {
    private static final int ALLOCATE = LinuxFile.FALLOC_FL_KEEP_SIZE;

    /** How far a run of data is noted at once, some 10 us of bits. */
    private static final long NOTED_BYTES = 1L << 30;

    private final MappedImage image;

    MappedCopy(MappedImage image) {
        this.image = image;
    }

    // ---- to the guest

    /** Reads a contiguous range. */
    long read(ImageMapping mapping, long offset, long target, long bytes) {
        if (mapping.known.contain(offset, bytes)) {
            return copied(mapping.address + offset, target, bytes) ? bytes : readAfterFault(mapping, offset, target, bytes);
        }
        if (!image.findsHoles()) {
            return atEnd(LinuxFile.pread(image.fd(), target, bytes, offset));
        }
        long hole = LinuxFile.lseek(image.fd(), offset, LinuxFile.SEEK_HOLE);
        if (hole < 0) {
            return hole == -Errno.ENXIO ? atEnd(0) : hole;
        }
        if (hole > offset) {
            note(mapping, offset, hole);
            long data = Math.min(bytes, hole - offset);
            return copied(mapping.address + offset, target, data) ? data : readAfterFault(mapping, offset, target, data);
        }
        long data = LinuxFile.lseek(image.fd(), offset, LinuxFile.SEEK_DATA);
        if (data == offset) {
            // Somebody has written it since.
            return atEnd(LinuxFile.pread(image.fd(), target, bytes, offset));
        }
        if (data < 0 && data != -Errno.ENXIO) {
            return data;
        }
        long zeroes = Math.min(data < 0 ? bytes : Math.min(bytes, data - offset), ZeroBuffer.BYTES);
        return copied(ZeroBuffer.ADDRESS, target, zeroes) ? zeroes : -Errno.EFAULT;
    }

    /** The system call that would have been made instead says what is wrong, if it still is. */
    private long readAfterFault(ImageMapping mapping, long offset, long target, long bytes) {
        mapping.known.remove(offset, bytes);
        return reaches(offset, bytes) ? atEnd(LinuxFile.pread(image.fd(), target, bytes, offset)) : -Errno.EIO;
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
        if (!mapping.known.contain(offset, bytes)) {
            int result = provide(mapping, offset, bytes);
            if (result < 0) {
                return result;
            }
        }
        return copied(source, mapping.address + offset, bytes) ? bytes : writeAfterFault(mapping, offset, source, bytes);
    }

    private long writeAfterFault(ImageMapping mapping, long offset, long source, long bytes) {
        mapping.known.remove(offset, bytes);
        if (!reaches(offset, bytes)) {
            return -Errno.EIO;
        }
        if (GuestProbe.isGone(source, bytes)) {
            return -Errno.EFAULT;
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

    /** Has the pages of a range exist. */
    private int provide(ImageMapping mapping, long offset, long bytes) {
        if (image.findsHoles()) {
            long hole = LinuxFile.lseek(image.fd(), offset, LinuxFile.SEEK_HOLE);
            if (hole < 0) {
                return (int) (hole == -Errno.ENXIO ? atEnd(0) : hole);
            }
            if (hole > offset) {
                note(mapping, offset, hole);
                if (hole >= offset + bytes) {
                    return 0;
                }
            }
        } else if (!reaches(offset, bytes)) {
            // What is allocated behind the end of a file there can be accessed.
            return -Errno.EIO;
        }
        return allocate(mapping, offset, bytes);
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

    /** There is data from an offset to a hole, or to the end of the file. */
    private static void note(ImageMapping mapping, long offset, long hole) {
        long bytes = Math.min(Math.min(hole, mapping.bytes) - offset, NOTED_BYTES);
        if (bytes > 0) {
            mapping.known.add(offset, bytes);
        }
    }
}
