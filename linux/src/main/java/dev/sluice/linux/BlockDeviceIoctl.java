package dev.sluice.linux;

/**
 * Properties of a block device through ioctl(2).
 *
 * <p><b>Threading</b>: any thread. <b>Ownership</b>: the descriptor stays the caller's. <b>Failure</b>: a negative errno, -ENOTTY for a file that is not
 * a block device. <b>Allocation</b>: none. Source: {@code linux/fs.h}. There is no ioctl for the limits
 * of discard; they are in {@code /sys/dev/block/MAJOR:MINOR/queue/discard_*}.
 */
public final class BlockDeviceIoctl {
    private static final int BLKROGET = 0x125e;
    private static final int BLKSSZGET = 0x1268;
    private static final int BLKIOOPT = 0x1279;
    private static final int BLKPBSZGET = 0x127b;
    private static final long BLKGETSIZE64 = 0x80081272L;

    private BlockDeviceIoctl() {}

    /** BLKGETSIZE64: the size in bytes. */
    public static long sizeBytes(int fd) {
        long words = Libc.ThreadScratch.current().words().address();
        int result = LinuxFile.ioctl(fd, BLKGETSIZE64, words);
        return result < 0 ? result : NativeMemory.getLong(words);
    }

    /** BLKSSZGET: the smallest unit of O_DIRECT in bytes. */
    public static int logicalBlockBytes(int fd) {
        return query(fd, BLKSSZGET);
    }

    /** BLKPBSZGET: the unit in bytes that the device writes without read-modify-write. */
    public static int physicalBlockBytes(int fd) {
        return query(fd, BLKPBSZGET);
    }

    /** BLKIOOPT: the preferred request in bytes, 0 if there is none. */
    public static int optimalIoBytes(int fd) {
        return query(fd, BLKIOOPT);
    }

    /** BLKROGET: 1 for a read-only device, 0 for a writable one. */
    public static int readOnly(int fd) {
        return query(fd, BLKROGET);
    }

    private static int query(int fd, long request) {
        long words = Libc.ThreadScratch.current().words().address();
        NativeMemory.putLong(words, 0);
        int result = LinuxFile.ioctl(fd, request, words);
        return result < 0 ? result : NativeMemory.getInt(words);
    }
}
