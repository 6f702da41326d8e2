package dev.sluice.linux;

import java.io.IOException;

/**
 * A stream socket of AF_UNIX: the transport of vhost-user.
 *
 * <p><b>Threading</b>: one thread receives and one sends at a time; {@link #shutdown} and {@link #close()} may be called
 * from any. A thread that blocks in {@link #receive} or {@link #accept} is released by {@code shutdown}, not by
 * {@code close}. <b>Ownership</b>: the descriptor is this object's; received ones are their {@link ReceivedFds}';
 * sent ones stay the caller's. <b>Failure</b>: a negative errno from everything but the factories.
 * <b>Allocation</b>: none in {@link #receive}; about 1 KiB native per direction at first use. Source: unix(7), cmsg(3).
 */
public final class UnixSocket implements AutoCloseable {
    /** The maximum length of a socket's path (unix(7)). */
    public static final int MAX_PATH_BYTES = UnixAddress.SUN_PATH_BYTES - 1;

    public static final int SHUT_RD = 0;
    public static final int SHUT_WR = 1;
    public static final int SHUT_RDWR = 2;

    private static final int SOCK_STREAM = 1;
    private static final int SOCK_CLOEXEC = 0x80000;
    private static final int SOL_SOCKET = 1;
    private static final int SO_TYPE = 3;
    private static final int SO_PEERCRED = 17;
    private static final int SO_RCVTIMEO = 20;
    private static final int SO_ACCEPTCONN = 30;
    private static final int SO_DOMAIN = 39;
    private static final int MSG_NOSIGNAL = 0x4000;
    private static final int MSG_CMSG_CLOEXEC = 0x40000000;
    private static final int UCRED_BYTES = 12;
    private static final int OWNER_ONLY = 0600;

    private static final Libc.Call3 SOCKET = new Libc.Call3(Libc.returningInt("socket"));
    private static final Libc.Call4 SOCKETPAIR = new Libc.Call4(Libc.returningInt("socketpair"));
    private static final Libc.Call3 BIND = new Libc.Call3(Libc.returningInt("bind"));
    private static final Libc.Call2 LISTEN = new Libc.Call2(Libc.returningInt("listen"));
    private static final Libc.Call4 ACCEPT4 = new Libc.Call4(Libc.returningInt("accept4"));
    private static final Libc.Call3 CONNECT = new Libc.Call3(Libc.returningInt("connect"));
    private static final Libc.Call2 SHUTDOWN = new Libc.Call2(Libc.returningInt("shutdown"));
    private static final Libc.Call3 RECVMSG = new Libc.Call3(Libc.returningLong("recvmsg"));
    private static final Libc.Call3 SENDMSG = new Libc.Call3(Libc.returningLong("sendmsg"));
    private static final Libc.Call3 GETSOCKNAME = new Libc.Call3(Libc.returningInt("getsockname"));
    private static final Libc.Call5 GETSOCKOPT = new Libc.Call5(Libc.returningInt("getsockopt"));
    private static final Libc.Call5 SETSOCKOPT = new Libc.Call5(Libc.returningInt("setsockopt"));

    private final Fd fd;
    private final SocketMessage incoming = new SocketMessage();
    private final SocketMessage outgoing = new SocketMessage();

    /** Two connected sockets. */
    public record Pair(UnixSocket first, UnixSocket second) implements AutoCloseable {
        @Override
        public void close() {
            first.close();
            second.close();
        }
    }

    private UnixSocket(Fd fd) {
        this.fd = fd;
    }

    /** A socket without an address, close-on-exec. */
    public static UnixSocket create() throws IOException {
        int fd = (int) SOCKET.call(UnixAddress.AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0) {
            throw new ErrnoException("socket", "of AF_UNIX", fd, "");
        }
        return new UnixSocket(Fd.adopt(fd));
    }

    /** A listening socket at a new path, accessible to the owner only. An existing path is EADDRINUSE, stale or not. */
    public static UnixSocket listenAt(String path, int backlog) throws IOException {
        UnixSocket socket = create();
        int result = socket.bind(path);
        String call = "bind";
        if (result == 0) {
            call = "listen";
            result = socket.listen(backlog);
        }
        if (result < 0) {
            socket.close();
            throw new ErrnoException(call, path, result, pathAdvice(-result));
        }
        return socket;
    }

    /** A socket connected to the listener at the path. */
    public static UnixSocket connectTo(String path) throws IOException {
        UnixSocket socket = create();
        int result = socket.connect(path);
        if (result < 0) {
            socket.close();
            throw new ErrnoException("connect", path, result, pathAdvice(-result));
        }
        return socket;
    }

    public static Pair pair() throws IOException {
        long words = Libc.ThreadScratch.current().words().address();
        int result = (int) SOCKETPAIR.call(UnixAddress.AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, words);
        if (result < 0) {
            throw new ErrnoException("socketpair", "of AF_UNIX", result, "");
        }
        UnixSocket first = new UnixSocket(Fd.adopt(NativeMemory.getInt(words)));
        return new Pair(first, new UnixSocket(Fd.adopt(NativeMemory.getInt(words + 4))));
    }

    /**
     * Takes ownership of a descriptor, accepted here or inherited ({@code --fd=N}, LISTEN_FDS). If it is not a stream socket
     * of AF_UNIX it throws, and the caller keeps the ownership.
     */
    public static UnixSocket adopt(Fd fd) throws IOException {
        requireStream(fd.number());
        return new UnixSocket(fd);
    }

    /**
     * The same for a number without an owner. If it is not a stream socket of AF_UNIX it throws, and has not changed it: a parent
     * that names a number which it did not pass names the next file of this process, such as the JVM's.
     */
    public static UnixSocket adopt(int number) throws IOException {
        requireStream(number);
        return new UnixSocket(Fd.adopt(number));
    }

    private static void requireStream(int number) throws IOException {
        int domain = option(number, SO_DOMAIN);
        int type = option(number, SO_TYPE);
        if (domain != UnixAddress.AF_UNIX || type != SOCK_STREAM) {
            int errno = Math.min(domain, type);
            throw new ErrnoException(
                    "getsockopt",
                    "of file descriptor " + number,
                    errno < 0 ? errno : Errno.EPROTOTYPE,
                    "pass a stream socket of AF_UNIX");
        }
    }

    private static String pathAdvice(int errno) {
        return switch (errno) {
            case Errno.ENAMETOOLONG -> "a socket path has at most " + MAX_PATH_BYTES + " bytes";
            case Errno.EADDRINUSE -> "another process listens there, or left the file behind: remove it";
            case Errno.ENOENT -> "create its directory, or correct the path";
            case Errno.ECONNREFUSED -> "nobody listens there any more";
            case Errno.EACCES, Errno.EPERM -> "grant the user of this process access to the directory and the socket";
            default -> "";
        };
    }

    public Fd fd() {
        return fd;
    }

    /**
     * Binds the socket to a path whose mode is 0600 from the moment it exists. Linux creates the file with the mode of the
     * socket's own inode minus the umask, so fchmod before bind leaves no window and does not touch the umask that other threads
     * share. Returns 0 or a negative errno, -ENAMETOOLONG above 107 bytes.
     */
    public int bind(String path) {
        int result = LinuxFile.fchmod(fd.number(), OWNER_ONLY);
        return result < 0 ? result : UnixAddress.callWithPath(BIND, fd.number(), path);
    }

    public int listen(int backlog) {
        return (int) LISTEN.call(fd.number(), backlog);
    }

    /** The descriptor of a new connection, close-on-exec, for its caller to adopt at once; or a negative errno. */
    public int accept() {
        return (int) ACCEPT4.call(fd.number(), 0, 0, SOCK_CLOEXEC);
    }

    /** Connects to the socket at a path. Returns 0 or a negative errno; -ECONNREFUSED if nobody listens on it. */
    public int connect(String path) {
        return UnixAddress.callWithPath(CONNECT, fd.number(), path);
    }

    /** The path that it is bound to, as given at bind; empty if it has none, or has an abstract name. */
    public String localPath() throws ErrnoException {
        return UnixAddress.path(GETSOCKNAME, fd.number());
    }

    /** Whether it listens for connections, which an inherited one may do. */
    public boolean isListening() {
        return option(fd.number(), SO_ACCEPTCONN) == 1;
    }

    /**
     * Receives up to {@code bytes} to {@code address} and the descriptors that arrive with them, close-on-exec. Returns the
     * bytes, 0 when the peer has closed, or a negative errno (-EAGAIN: non-blocking, or SO_RCVTIMEO has passed).
     *
     * <p>Descriptors arrive with the first byte of the message they were sent with. Whatever the result, none is lost:
     * each is in {@code fds}, or was dropped by the kernel and {@link ReceivedFds#truncated()} returns true.
     */
    public int receive(long address, int bytes, ReceivedFds fds) {
        long message = incoming.prepareReceive(address, bytes, fds.remaining());
        int received = (int) RECVMSG.call(fd.number(), message, MSG_CMSG_CLOEXEC);
        if (received >= 0) {
            incoming.collect(fds);
        }
        return received;
    }

    /** Sends bytes with descriptors. Returns how many bytes were sent, or a negative errno; -EPIPE comes without SIGPIPE. */
    public int send(long address, int bytes, int... fds) {
        if (fds.length > ReceivedFds.MAX_PER_MESSAGE) {
            return -Errno.EINVAL;
        }
        long message = outgoing.prepareSend(address, bytes, fds);
        return (int) SENDMSG.call(fd.number(), message, MSG_NOSIGNAL);
    }

    /** Shuts down one direction or both, SHUT_; threads that block in receive or accept return. */
    public int shutdown(int how) {
        return (int) SHUTDOWN.call(fd.number(), how);
    }

    /** SO_RCVTIMEO: how long receive and accept wait, 0 for forever. Returns 0 or a negative errno. */
    public int receiveTimeout(long millis) {
        long words = Libc.ThreadScratch.current().words().address();
        NativeMemory.putLong(words, millis / 1000);
        NativeMemory.putLong(words + 8, millis % 1000 * 1000);
        return (int) SETSOCKOPT.call(fd.number(), SOL_SOCKET, SO_RCVTIMEO, words, 16);
    }

    /** The process at the other end when it connected (SO_PEERCRED). */
    public PeerCredentials peerCredentials() throws IOException {
        long ucred = Libc.ThreadScratch.current().words().address();
        NativeMemory.putInt(ucred + UCRED_BYTES, UCRED_BYTES);
        int result = (int) GETSOCKOPT.call(fd.number(), SOL_SOCKET, SO_PEERCRED, ucred, ucred + UCRED_BYTES);
        if (result < 0) {
            throw new ErrnoException("getsockopt", "SO_PEERCRED", result, "");
        }
        return new PeerCredentials(
                NativeMemory.getInt(ucred), NativeMemory.getInt(ucred + 4), NativeMemory.getInt(ucred + 8));
    }

    private static int option(int fd, int name) {
        long words = Libc.ThreadScratch.current().words().address();
        NativeMemory.putInt(words + 8, 4);
        int result = (int) GETSOCKOPT.call(fd, SOL_SOCKET, name, words, words + 8);
        return result < 0 ? result : NativeMemory.getInt(words);
    }

    @Override
    public void close() {
        fd.close();
    }

    @Override
    public String toString() {
        return "UnixSocket[" + fd + "]";
    }
}
