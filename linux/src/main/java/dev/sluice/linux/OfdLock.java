package dev.sluice.linux;

/**
 * Locks on byte ranges that belong to the open file, as QEMU takes them on its images.
 *
 * <pre>{@code
 * struct flock {
 *     short l_type;
 *     short l_whence;     // then 4 bytes of padding
 *     off_t l_start;
 *     off_t l_len;        // 0: to the end, however the file grows
 *     pid_t l_pid;
 * };
 * }</pre>
 *
 * <p><b>Threading</b>: any thread. <b>Ownership</b>: a lock is held by the open file description and ends with its last
 * descriptor. <b>Failure</b>: a negative errno; -EAGAIN: another open file holds a conflicting lock. <b>Allocation</b>:
 * none after the first call. Source: fcntl(2), "Open file description locks".
 */
public final class OfdLock {
    static final int SIZE = 32;
    static final int TYPE_OFFSET = 0;
    static final int WHENCE_OFFSET = 2;
    static final int START_OFFSET = 8;
    static final int LENGTH_OFFSET = 16;
    static final int PID_OFFSET = 24;

    private static final int F_OFD_GETLK = 36;
    private static final int F_OFD_SETLK = 37;
    private static final short F_RDLCK = 0;
    private static final short F_WRLCK = 1;
    private static final short F_UNLCK = 2;

    private OfdLock() {}

    /** Locks a range shared, without waiting. The descriptor is open for reading. */
    public static int shared(int fd, long offset, long length) {
        return call(fd, F_OFD_SETLK, F_RDLCK, offset, length);
    }

    /** Locks a range exclusively, without waiting. The descriptor is open for writing. */
    public static int exclusive(int fd, long offset, long length) {
        return call(fd, F_OFD_SETLK, F_WRLCK, offset, length);
    }

    public static int unlock(int fd, long offset, long length) {
        return call(fd, F_OFD_SETLK, F_UNLCK, offset, length);
    }

    /** Returns 0 if a shared lock is possible, -EAGAIN if an exclusive one conflicts, or another negative errno. */
    public static int testShared(int fd, long offset, long length) {
        return call(fd, F_OFD_GETLK, F_RDLCK, offset, length);
    }

    /** Returns 0 if an exclusive lock is possible, -EAGAIN if any lock conflicts, or another negative errno. */
    public static int testExclusive(int fd, long offset, long length) {
        return call(fd, F_OFD_GETLK, F_WRLCK, offset, length);
    }

    private static int call(int fd, int command, short type, long offset, long length) {
        long flock = Libc.ThreadScratch.current().words().address();
        NativeMemory.putShort(flock + TYPE_OFFSET, type);
        NativeMemory.putShort(flock + WHENCE_OFFSET, (short) LinuxFile.SEEK_SET);
        NativeMemory.putLong(flock + START_OFFSET, offset);
        NativeMemory.putLong(flock + LENGTH_OFFSET, length);
        // fcntl(2): l_pid must be zero for these commands, else EINVAL.
        NativeMemory.putInt(flock + PID_OFFSET, 0);
        int result = LinuxFile.fcntl(fd, command, flock);
        boolean conflict =
                result == 0 && command == F_OFD_GETLK && NativeMemory.getShort(flock + TYPE_OFFSET) != F_UNLCK;
        return conflict ? -Errno.EAGAIN : result;
    }
}
