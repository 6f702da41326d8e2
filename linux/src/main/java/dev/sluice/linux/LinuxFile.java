package dev.sluice.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;

/**
 * System calls on files, by descriptor.
 *
 * <p><b>Threading</b>: any thread; each call may block as the kernel does. <b>Ownership</b>: a descriptor that
 * {@link #open} returns is adopted by its caller at once; all others stay their owner's. Buffers and iovec arrays are
 * in use until the call returns. <b>Failure</b>: a negative errno, never an exception. EINTR is not retried.
 * <b>Allocation</b>: none, except for a C string if a path is given. Source: the man page of each name.
 */
public final class LinuxFile {
    public static final int O_RDONLY = 0;
    public static final int O_WRONLY = 1;
    public static final int O_RDWR = 2;
    public static final int O_ACCMODE = 3;
    public static final int O_CREAT = 0x40;
    public static final int O_EXCL = 0x80;
    public static final int O_TRUNC = 0x200;
    public static final int O_APPEND = 0x400;
    public static final int O_NONBLOCK = 0x800;
    public static final int O_DSYNC = 0x1000;
    public static final int O_CLOEXEC = 0x80000;
    public static final int O_DIRECT = LinuxPlatform.AARCH64 ? 0x10000 : 0x4000;
    public static final int O_DIRECTORY = LinuxPlatform.AARCH64 ? 0x4000 : 0x10000;
    public static final int O_NOFOLLOW = LinuxPlatform.AARCH64 ? 0x8000 : 0x20000;
    public static final int O_TMPFILE = 0x400000 | O_DIRECTORY;

    public static final int RWF_HIPRI = 0x1;
    public static final int RWF_DSYNC = 0x2;
    public static final int RWF_NOWAIT = 0x8;

    public static final int FALLOC_FL_KEEP_SIZE = 0x1;
    public static final int FALLOC_FL_PUNCH_HOLE = 0x2;
    public static final int FALLOC_FL_ZERO_RANGE = 0x10;

    /** The maximum that Linux transfers with one call: INT_MAX rounded down to a page (MAX_RW_COUNT, read(2)). */
    public static final long MAX_RW_COUNT = 0x7ffff000L;

    public static final int SEEK_SET = 0;
    public static final int SEEK_CUR = 1;
    public static final int SEEK_END = 2;
    public static final int SEEK_DATA = 3;
    public static final int SEEK_HOLE = 4;

    public static final long TMPFS_MAGIC = 0x01021994L;
    public static final long HUGETLBFS_MAGIC = 0x958458f6L;
    public static final long EXT4_SUPER_MAGIC = 0xef53L;
    public static final long XFS_SUPER_MAGIC = 0x58465342L;
    public static final long BTRFS_SUPER_MAGIC = 0x9123683eL;
    public static final long NFS_SUPER_MAGIC = 0x6969L;
    public static final long OVERLAYFS_SUPER_MAGIC = 0x794c7630L;

    private static final int F_DUPFD_CLOEXEC = 1030;
    private static final int FIRST_FREE_FD = 3;
    private static final int F_SETFD = 2;
    private static final int FD_CLOEXEC = 1;
    private static final int F_GETFL = 3;
    private static final int F_SETFL = 4;
    private static final int STATFS_SIZE = 120;
    private static final int LINK_BYTES = 4096;

    private static final Libc.Call3 OPEN = new Libc.Call3(Libc.returningInt("open"));
    private static final Libc.Call3 FCNTL = new Libc.Call3(Libc.returningInt("fcntl"));
    private static final Libc.Call3 IOCTL = new Libc.Call3(Libc.returningInt("ioctl"));
    private static final Libc.Call3 READ = new Libc.Call3(Libc.returningLong("read"));
    private static final Libc.Call3 WRITE = new Libc.Call3(Libc.returningLong("write"));
    private static final Libc.Call4 PREAD = new Libc.Call4(Libc.repeatable("pread"));
    private static final Libc.Call4 PWRITE = new Libc.Call4(Libc.repeatable("pwrite"));
    private static final Libc.Call5 PREADV2 = new Libc.Call5(Libc.repeatable("preadv2"));
    private static final Libc.Call5 PWRITEV2 = new Libc.Call5(Libc.repeatable("pwritev2"));
    /** With RWF_DSYNC: may report the failure of an earlier write, which the kernel reports once. */
    private static final Libc.Call5 PWRITEV2_SYNC = new Libc.Call5(Libc.returningLong("pwritev2"));

    private static final Libc.Call1 FSYNC = new Libc.Call1(Libc.returningInt("fsync"));
    private static final Libc.Call1 FDATASYNC = new Libc.Call1(Libc.returningInt("fdatasync"));
    private static final Libc.Call4 FALLOCATE = new Libc.Call4(Libc.returningInt("fallocate"));
    private static final Libc.Call2 FTRUNCATE = new Libc.Call2(Libc.returningInt("ftruncate"));
    private static final Libc.Call3 LSEEK = new Libc.Call3(Libc.returningLong("lseek"));
    private static final Libc.Call2 FSTATFS = new Libc.Call2(Libc.returningInt("fstatfs"));
    private static final Libc.Call2 FCHMOD = new Libc.Call2(Libc.returningInt("fchmod"));
    private static final Libc.Call1 UNLINK = new Libc.Call1(Libc.returningInt("unlink"));
    private static final Libc.Call3 READLINK = new Libc.Call3(Libc.returningLong("readlink"));

    private LinuxFile() {}

    /** Returns a descriptor or a negative errno. {@code mode} counts with O_CREAT and O_TMPFILE only. */
    public static int open(String path, int flags, int mode) {
        if (!Libc.isCString(path)) {
            return -Errno.EINVAL;
        }
        try (Arena arena = Arena.ofConfined()) {
            return (int) OPEN.call(arena.allocateFrom(path).address(), flags, mode);
        }
    }

    /** Like {@link #open}, for set-up: returns the owner of the descriptor, or throws an exception with the remedy. */
    public static Fd openOrThrow(String path, int flags, int mode) throws ErrnoException {
        int fd = open(path, flags, mode);
        if (fd < 0) {
            throw new ErrnoException("open", path, fd, openAdvice(-fd, flags));
        }
        return Fd.adopt(fd);
    }

    private static String openAdvice(int errno, int flags) {
        return switch (errno) {
            case Errno.ENOENT -> "create it first, or correct the path";
            case Errno.EACCES, Errno.EPERM -> "grant the user of this process access to it";
            case Errno.EROFS -> "open it read-only";
            case Errno.EINVAL -> (flags & O_DIRECT) != 0 ? "this file system does not support O_DIRECT" : "";
            case Errno.EMFILE -> OpenFileLimit.advice();
            default -> "";
        };
    }

    /** Reads at the file's own position (pipes, sockets). Returns bytes, 0 at the end, or a negative errno. */
    public static long read(int fd, long address, long bytes) {
        return READ.call(fd, address, bytes);
    }

    public static long write(int fd, long address, long bytes) {
        return WRITE.call(fd, address, bytes);
    }

    /** Returns bytes read, fewer than requested at the end of the file, or a negative errno. */
    public static long pread(int fd, long address, long bytes, long offset) {
        return PREAD.call(fd, address, bytes, offset);
    }

    public static long pwrite(int fd, long address, long bytes, long offset) {
        return PWRITE.call(fd, address, bytes, offset);
    }

    /** {@code flags}: RWF_ flags or 0. RWF_NOWAIT returns -EAGAIN instead of blocking. */
    public static long preadv2(int fd, long iovecs, int iovecCount, long offset, int flags) {
        // preadv2(2): offset -1 means the file's own position; a negative offset is a bug of ours and must not mean that.
        return offset < 0 ? -Errno.EINVAL : PREADV2.call(fd, iovecs, iovecCount, offset, flags);
    }

    public static long pwritev2(int fd, long iovecs, int iovecCount, long offset, int flags) {
        if (offset < 0) {
            return -Errno.EINVAL;
        }
        return (flags == 0 ? PWRITEV2 : PWRITEV2_SYNC).call(fd, iovecs, iovecCount, offset, flags);
    }

    public static int fsync(int fd) {
        return (int) FSYNC.call(fd);
    }

    public static int fdatasync(int fd) {
        return (int) FDATASYNC.call(fd);
    }

    /** {@code mode}: FALLOC_FL_ flags; PUNCH_HOLE requires KEEP_SIZE. */
    public static int fallocate(int fd, int mode, long offset, long length) {
        return (int) FALLOCATE.call(fd, mode, offset, length);
    }

    public static int ftruncate(int fd, long length) {
        return (int) FTRUNCATE.call(fd, length);
    }

    /** Returns the new position; -ENXIO if SEEK_DATA finds no more data. */
    public static long lseek(int fd, long offset, int whence) {
        return LSEEK.call(fd, offset, whence);
    }

    /** statx(2) of an open file. Throws, because this is for set-up. */
    public static FileStatus status(int fd) throws ErrnoException {
        return FileStatus.of(fd);
    }

    /** The type of the file system, one of the _MAGIC constants or another, or a negative errno. */
    public static long fileSystemType(int fd) {
        try (Arena arena = Arena.ofConfined()) {
            long statfs = arena.allocate(STATFS_SIZE, 8).address();
            long result = FSTATFS.call(fd, statfs);
            return result < 0 ? result : NativeMemory.getLong(statfs);
        }
    }

    public static int fchmod(int fd, int mode) {
        return (int) FCHMOD.call(fd, mode);
    }

    /** Removes a directory entry. Returns 0 or a negative errno. */
    public static int unlink(String path) {
        if (!Libc.isCString(path)) {
            return -Errno.EINVAL;
        }
        try (Arena arena = Arena.ofConfined()) {
            return (int) UNLINK.call(arena.allocateFrom(path).address());
        }
    }

    /** The current O_ flags of the file, from open or F_SETFL (F_GETFL). */
    public static int flags(int fd) {
        return fcntl(fd, F_GETFL, 0);
    }

    /** F_SETFL: changes O_APPEND, O_DIRECT, O_NONBLOCK of the open file, for all that share it. */
    public static int setFlags(int fd, int flags) {
        return fcntl(fd, F_SETFL, flags);
    }

    /** Sets or clears O_NONBLOCK. Returns 0 or a negative errno. */
    public static int setNonBlocking(int fd, boolean nonBlocking) {
        int flags = flags(fd);
        if (flags < 0) {
            return flags;
        }
        int wanted = nonBlocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
        return wanted == flags ? 0 : setFlags(fd, wanted);
    }

    /** Sets or clears close-on-exec, for a descriptor that was inherited without it. Returns 0 or a negative errno. */
    public static int setCloseOnExec(int fd, boolean closeOnExec) {
        return fcntl(fd, F_SETFD, closeOnExec ? FD_CLOEXEC : 0);
    }

    /** Duplicates a descriptor, close-on-exec, for its caller to adopt at once; or returns a negative errno. */
    public static int duplicate(int fd) {
        return fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    }

    /** The name of the descriptor in /proc: a path, {@code "anon_inode:[eventfd]"}; empty if it is not open. */
    public static String descriptorName(int fd) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment link = arena.allocate(LINK_BYTES);
            long path = arena.allocateFrom("/proc/self/fd/" + fd).address();
            long length = READLINK.call(path, link.address(), LINK_BYTES);
            return length <= 0
                    ? ""
                    : StandardCharsets.UTF_8.decode(link.asSlice(0, length).asByteBuffer()).toString();
        }
    }

    static int fcntl(int fd, int command, long argument) {
        return (int) FCNTL.call(fd, command, argument);
    }

    static int ioctl(int fd, long request, long argument) {
        return (int) IOCTL.call(fd, request, argument);
    }
}
