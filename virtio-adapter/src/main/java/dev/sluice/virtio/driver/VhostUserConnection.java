package dev.sluice.virtio.driver;

import dev.sluice.linux.Errno;
import dev.sluice.linux.ErrnoException;
import dev.sluice.linux.Fd;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.linux.PeerCredentials;
import dev.sluice.linux.Poll;
import dev.sluice.linux.PollSet;
import dev.sluice.linux.ReceivedFds;
import dev.sluice.linux.UnixSocket;
import dev.sluice.virtio.layout.VhostUser;
import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * Messages over a Unix socket: header, payload and descriptors as they are, nothing validated on the way out. For hostile
 * tests, and what {@link VhostUserFrontend} stands on.
 *
 * <p><b>Threading</b>: one thread at a time. <b>Ownership</b>: the socket is this object's; descriptors that are sent stay
 * the caller's. <b>Failure</b>: {@code EOFException} where the backend has closed, {@code SocketTimeoutException} where it
 * does not reply. <b>Allocation</b>: per message. QEMU {@code docs/interop/vhost-user.rst}, "Message Specification".
 */
public final class VhostUserConnection implements AutoCloseable {
    /** More than any message of the protocol. */
    public static final int MAX_PAYLOAD_BYTES = 8192;

    private static final int MAX_FDS = 32;
    private static final long RETRY_MILLIS = 10;

    private final UnixSocket socket;
    private final NativeBlock buffer = NativeMemory.allocate(VhostUser.HEADER_SIZE + MAX_PAYLOAD_BYTES, 8);

    /** Takes a connected socket over. Each receive waits for at most {@code timeout}. */
    public VhostUserConnection(UnixSocket socket, Duration timeout) throws IOException {
        this.socket = socket;
        int result = socket.receiveTimeout(Math.max(1, timeout.toMillis()));
        if (result < 0) {
            buffer.close();
            throw new ErrnoException("setsockopt", "SO_RCVTIMEO", result, "");
        }
    }

    /**
     * Connects to a backend that listens at the path, or will within the timeout; the timeout also bounds each reply.
     */
    public static VhostUserConnection connect(String path, Duration timeout) throws IOException {
        long deadline = System.nanoTime() + timeout.toNanos();
        while (true) {
            try {
                return new VhostUserConnection(UnixSocket.connectTo(path), timeout);
            } catch (ErrnoException e) {
                boolean mayAppear = e.errno() == Errno.ENOENT || e.errno() == Errno.ECONNREFUSED;
                if (!mayAppear || System.nanoTime() - deadline >= 0) {
                    throw e;
                }
                pause();
            }
        }
    }

    private static void pause() throws IOException {
        try {
            Thread.sleep(RETRY_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while the backend was not listening yet", e);
        }
    }

    /** Sends a message whose header says what its payload is. */
    public void send(int request, int flags, MemorySegment payload, int... fds) throws IOException {
        send(request, flags, (int) payload.byteSize(), payload, fds);
    }

    /** Sends a message whose header says any payload size. */
    public void send(int request, int flags, int statedBytes, MemorySegment payload, int... fds) throws IOException {
        MemorySegment message = buffer.segment();
        VhostUser.u32(message, VhostUser.HEADER_REQUEST, request);
        VhostUser.u32(message, VhostUser.HEADER_FLAGS, flags);
        VhostUser.u32(message, VhostUser.HEADER_PAYLOAD_BYTES, statedBytes);
        MemorySegment.copy(payload, 0, message, VhostUser.HEADER_SIZE, payload.byteSize());
        sendRaw(VhostUser.HEADER_SIZE + (int) payload.byteSize(), fds);
    }

    /** Sends bytes that may be no message at all. */
    public void sendBytes(MemorySegment bytes, int... fds) throws IOException {
        MemorySegment.copy(bytes, 0, buffer.segment(), 0, bytes.byteSize());
        sendRaw((int) bytes.byteSize(), fds);
    }

    private void sendRaw(int bytes, int... fds) throws IOException {
        int sent = 0;
        int[] attached = fds;
        while (sent < bytes) {
            int result = socket.send(buffer.address() + sent, bytes - sent, attached);
            if (result == -Errno.EINTR) {
                continue;
            }
            if (result == -Errno.EPIPE || result == -Errno.ECONNRESET) {
                throw new EOFException("the backend has closed the connection");
            }
            if (result < 0) {
                throw new ErrnoException("sendmsg", "to the backend", result, "");
            }
            sent += result;
            // Descriptors go with the first byte.
            attached = new int[0];
        }
    }

    /** Receives a message. Its header and payload size are checked against the protocol, what it means is not. */
    public VhostUserMessage receive() throws IOException {
        List<Fd> fds = new ArrayList<>();
        try (ReceivedFds received = new ReceivedFds(MAX_FDS)) {
            fill(0, VhostUser.HEADER_SIZE, received);
            MemorySegment message = buffer.segment();
            int request = VhostUser.u32(message, VhostUser.HEADER_REQUEST);
            int flags = VhostUser.u32(message, VhostUser.HEADER_FLAGS);
            int payloadBytes = VhostUser.u32(message, VhostUser.HEADER_PAYLOAD_BYTES);
            if (payloadBytes < 0 || payloadBytes > MAX_PAYLOAD_BYTES) {
                throw new BackendViolationException("message " + request + " states a payload of "
                        + Integer.toUnsignedString(payloadBytes) + " bytes");
            }
            fill(VhostUser.HEADER_SIZE, payloadBytes, received);
            byte[] payload = new byte[payloadBytes];
            MemorySegment.copy(message, VhostUser.HEADER_SIZE, MemorySegment.ofArray(payload), 0, payloadBytes);
            for (int i = 0; i < received.count(); i++) {
                fds.add(received.take(i));
            }
            return new VhostUserMessage(request, flags, MemorySegment.ofArray(payload), fds);
        }
    }

    private void fill(int start, int bytes, ReceivedFds fds) throws IOException {
        int filled = 0;
        while (filled < bytes) {
            int result = socket.receive(buffer.address() + start + filled, bytes - filled, fds);
            if (result == -Errno.EINTR) {
                continue;
            }
            if (result == -Errno.EAGAIN) {
                throw new SocketTimeoutException("the backend did not reply in time");
            }
            if (result == 0 || result == -Errno.ECONNRESET) {
                throw new EOFException("the backend has closed the connection");
            }
            if (result < 0) {
                throw new ErrnoException("recvmsg", "from the backend", result, "");
            }
            filled += result;
        }
    }

    /** Process, user and group of the backend as the kernel recorded them (SO_PEERCRED). */
    public PeerCredentials peer() throws IOException {
        return socket.peerCredentials();
    }

    /** True where the backend has closed its end. Does not wait. */
    public boolean hungUp() {
        try (PollSet poll = new PollSet(1)) {
            int index = poll.add(socket.fd().number(), Poll.POLLRDHUP);
            return poll.await(0) > 0 && poll.revents(index) != 0;
        }
    }

    /** Closes the socket: a backend takes that as the end of its device. */
    @Override
    public void close() {
        socket.close();
        buffer.close();
    }
}
