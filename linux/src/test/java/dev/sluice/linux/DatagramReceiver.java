package dev.sluice.linux;

import java.io.IOException;
import java.nio.charset.StandardCharsets;

/** The other end of {@link UnixDatagram}: a bound datagram socket, as a service manager has. One thread. */
public final class DatagramReceiver implements AutoCloseable {
    private static final int SOCK_DGRAM = 2;
    /** Long enough for an emulated machine; only a test that fails waits for it. */
    private static final int LIMIT_MILLIS = 300_000;
    private static final Libc.Call3 SOCKET = new Libc.Call3(Libc.returningInt("socket"));
    private static final Libc.Call3 BIND = new Libc.Call3(Libc.returningInt("bind"));

    private final Fd fd;
    private final NativeBlock buffer = NativeMemory.allocate(4096, 8);

    private DatagramReceiver(Fd fd) {
        this.fd = fd;
    }

    /** At a path, or at {@code @} and a name in the abstract namespace. */
    public static DatagramReceiver at(String address) throws IOException {
        Fd fd = Fd.adopt((int) SOCKET.call(UnixAddress.AF_UNIX, SOCK_DGRAM, 0));
        int result = address.startsWith("@")
                ? UnixAddress.callWithAbstractName(BIND, fd.number(), address.substring(1))
                : UnixAddress.callWithPath(BIND, fd.number(), address);
        if (result < 0) {
            fd.close();
            throw new ErrnoException("bind", address, result, "");
        }
        return new DatagramReceiver(fd);
    }

    /** The next datagram as text; fails where none comes. */
    public String receive() {
        try (PollSet ready = new PollSet(1)) {
            ready.add(fd.number(), Poll.POLLIN);
            int result = -Errno.EINTR;
            while (result == -Errno.EINTR) {
                result = ready.await(LIMIT_MILLIS);
            }
            if (result <= 0) {
                throw new AssertionError("no datagram has come: " + result);
            }
        }
        int bytes = (int) LinuxFile.read(fd.number(), buffer.address(), 4096);
        byte[] text = new byte[bytes];
        NativeMemory.view(buffer.address(), bytes).asByteBuffer().get(text);
        return new String(text, StandardCharsets.UTF_8);
    }

    @Override
    public void close() {
        fd.close();
        buffer.close();
    }
}
