package dev.sluice.aio.mapped;

import dev.sluice.linux.Errno;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.Fd;
import dev.sluice.linux.Memfd;

/**
 * Whether memory of a front end is still there, asked of the kernel, which returns EFAULT where an access would fault. The loop's thread, after a fault only;
 * allocates a descriptor.
 */
final class GuestProbe {
    private GuestProbe() {}

    /** Whether some of the range has been truncated. False also where nothing can be found out, for want of descriptors. */
    static boolean isGone(long address, long bytes) {
        int number = Memfd.create("sluice-probe", Memfd.MFD_CLOEXEC);
        if (number < 0) {
            return false;
        }
        try (Fd scratch = Fd.adopt(number)) {
            long read = 0;
            long result = 1;
            while (read < bytes && result > 0) {
                // To its begin each time: nothing is to be kept.
                result = LinuxFile.pwrite(scratch.number(), address + read, bytes - read, 0);
                read += Math.max(0, result);
            }
            return result == -Errno.EFAULT;
        }
    }
}
