package dev.sluice.linux;

import java.lang.foreign.Arena;

/**
 * Files that live in memory only, and their seals.
 *
 * <p><b>Threading</b>: any thread. <b>Ownership</b>: the caller adopts the returned number at once. <b>Failure</b>: a
 * negative errno. <b>Allocation</b>: a C string per create. Source: memfd_create(2), fcntl(2) F_ADD_SEALS.
 */
public final class Memfd {
    public static final int MFD_CLOEXEC = 0x1;
    public static final int MFD_ALLOW_SEALING = 0x2;
    public static final int MFD_HUGETLB = 0x4;

    public static final int F_SEAL_SEAL = 0x1;
    public static final int F_SEAL_SHRINK = 0x2;
    public static final int F_SEAL_GROW = 0x4;
    public static final int F_SEAL_WRITE = 0x8;
    public static final int F_SEAL_FUTURE_WRITE = 0x10;

    private static final int F_ADD_SEALS = 1033;
    private static final int F_GET_SEALS = 1034;

    private static final Libc.Call2 MEMFD_CREATE = new Libc.Call2(Libc.returningInt("memfd_create"));

    private Memfd() {}

    /** Creates an empty file. Returns the descriptor or a negative errno; the name is for debugging. */
    public static int create(String name, int flags) {
        if (!Libc.isCString(name)) {
            return -Errno.EINVAL;
        }
        try (Arena arena = Arena.ofConfined()) {
            return (int) MEMFD_CREATE.call(arena.allocateFrom(name).address(), flags);
        }
    }

    /** Adds F_SEAL_ flags; the file was created with MFD_ALLOW_SEALING. Returns 0 or a negative errno. */
    public static int addSeals(int fd, int seals) {
        return LinuxFile.fcntl(fd, F_ADD_SEALS, seals);
    }

    /** The F_SEAL_ flags in force, or a negative errno (-EINVAL for a file that does not support seals). */
    public static int seals(int fd) {
        return LinuxFile.fcntl(fd, F_GET_SEALS, 0);
    }
}
