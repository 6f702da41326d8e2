package dev.sluice.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;

/**
 * {@code struct sockaddr_un { sa_family_t sun_family; char sun_path[108]; }}, for the system calls that take an address. Any thread; allocates for
 * the duration of the call. Source: unix(7).
 */
final class UnixAddress {
    static final int AF_UNIX = 1;
    static final int SUN_PATH_OFFSET = 2;
    static final int SUN_PATH_BYTES = 108;

    private UnixAddress() {}

    /** Calls with the socket at a path. Returns the call's result; -ENAMETOOLONG above 107 bytes. */
    static int callWithPath(Libc.Call3 call, int fd, String path) {
        if (!Libc.isCString(path) || path.isEmpty()) {
            return -Errno.EINVAL;
        }
        return call(call, fd, (path + '\0').getBytes(StandardCharsets.UTF_8));
    }

    /** Calls with a name in the abstract namespace, which is not a file: all bytes count, there is no terminating NUL. */
    static int callWithAbstractName(Libc.Call3 call, int fd, String name) {
        return call(call, fd, ('\0' + name).getBytes(StandardCharsets.UTF_8));
    }

    /** The path that getsockname(2) or getpeername(2) returns; empty if the socket has none, or has a name that is not a file. */
    static String path(Libc.Call3 call, int fd) throws ErrnoException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment address = arena.allocate(SUN_PATH_OFFSET + SUN_PATH_BYTES + 2, 4);
            MemorySegment length = arena.allocate(4, 4);
            NativeMemory.putInt(length.address(), SUN_PATH_OFFSET + SUN_PATH_BYTES);
            int result = (int) call.call(fd, address.address(), length.address());
            if (result < 0) {
                throw new ErrnoException("getsockname", "of file descriptor " + fd, result, "");
            }
            // unix(7), "Pathname sockets": without a NUL if it has all 108 bytes; the segment has one after them.
            return NativeMemory.getInt(length.address()) <= SUN_PATH_OFFSET ? "" : address.getString(SUN_PATH_OFFSET);
        }
    }

    private static int call(Libc.Call3 call, int fd, byte[] sunPath) {
        if (sunPath.length > SUN_PATH_BYTES) {
            return -Errno.ENAMETOOLONG;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment address = arena.allocate(SUN_PATH_OFFSET + SUN_PATH_BYTES, 2);
            NativeMemory.putShort(address.address(), (short) AF_UNIX);
            MemorySegment.copy(MemorySegment.ofArray(sunPath), 0, address, SUN_PATH_OFFSET, sunPath.length);
            return (int) call.call(fd, address.address(), SUN_PATH_OFFSET + sunPath.length);
        }
    }
}
