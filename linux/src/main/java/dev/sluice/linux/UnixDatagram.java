package dev.sluice.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Datagrams to sockets of AF_UNIX: how a service notifies its manager.
 *
 * <p><b>Threading</b>: any thread; a send may block while the receiver's queue is full. <b>Failure</b>: a negative errno.
 * <b>Allocation</b>: a socket and native memory per call; set-up only. Source: unix(7).
 */
public final class UnixDatagram {
    private static final int SOCK_DGRAM = 2;
    private static final int SOCK_CLOEXEC = 0x80000;
    private static final int MSG_NOSIGNAL = 0x4000;

    private static final Libc.Call3 SOCKET = new Libc.Call3(Libc.returningInt("socket"));
    private static final Libc.Call3 CONNECT = new Libc.Call3(Libc.returningInt("connect"));
    private static final Libc.Call4 SEND = new Libc.Call4(Libc.returningLong("send"));

    private UnixDatagram() {}

    /**
     * Sends one datagram.
     *
     * @param address an absolute path, or {@code @} and a name in the abstract namespace
     * @return the bytes sent, or a negative errno: -EINVAL if the address is neither
     */
    public static long send(String address, byte[] datagram) {
        boolean isAbstract = address.startsWith("@") && address.length() > 1;
        if (!isAbstract && !address.startsWith("/")) {
            return -Errno.EINVAL;
        }
        int number = (int) SOCKET.call(UnixAddress.AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (number < 0) {
            return number;
        }
        try (Fd fd = Fd.adopt(number); Arena arena = Arena.ofConfined()) {
            int connected = isAbstract
                    ? UnixAddress.callWithAbstractName(CONNECT, number, address.substring(1))
                    : UnixAddress.callWithPath(CONNECT, number, address);
            if (connected < 0) {
                return connected;
            }
            MemorySegment bytes = arena.allocate(Math.max(1, datagram.length));
            MemorySegment.copy(MemorySegment.ofArray(datagram), 0, bytes, 0, datagram.length);
            return SEND.call(fd.number(), bytes.address(), datagram.length, MSG_NOSIGNAL);
        }
    }
}
