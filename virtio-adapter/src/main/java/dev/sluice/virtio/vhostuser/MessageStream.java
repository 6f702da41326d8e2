package dev.sluice.virtio.vhostuser;

import dev.sluice.linux.Errno;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.linux.OpenFileLimit;
import dev.sluice.linux.Poll;
import dev.sluice.linux.PollSet;
import dev.sluice.linux.ReceivedFds;
import dev.sluice.linux.UnixSocket;
import dev.sluice.virtio.layout.VhostUser;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/**
 * Messages over a stream socket: whole ones in, replies out, one buffer for each direction.
 *
 * <p><b>Threading:</b> the control thread; another may signal the wake eventfd, which ends a wait for good. <b>Ownership:</b> the socket and the wake
 * eventfd stay the caller's; the descriptors of a message are in {@link #fds} until the next {@link #receive} or {@link #close} closes what was not taken.
 * <b>Failure:</b> {@link ProtocolViolation} for bytes that are no message, {@link IOException} from the socket.
 * Source: vhost-user, "Message Specification".
 */
final class MessageStream implements AutoCloseable {
    /** The largest payloads: a configuration space of 256 bytes behind its header of 12, and a table of 8 regions (264). */
    static final int MAX_PAYLOAD_BYTES = VhostUser.CONFIG_HEADER_SIZE + VhostUser.CONFIG_MAX_PAYLOAD;

    /** A message brings a descriptor for each region at most; one more lets an extra one be seen as such. */
    private static final int MAX_FDS = VhostUser.MEM_TABLE_MAX_REGIONS + 1;

    private static final int FOREVER = -1;
    private static final int SOCKET = 0;
    private static final int WAKE = 1;

    private final UnixSocket socket;
    private final long partialTimeoutNanos;
    private final LongSupplier clock;
    private final NativeBlock in = NativeMemory.allocate(VhostUser.HEADER_SIZE + MAX_PAYLOAD_BYTES, 8);
    private final NativeBlock out = NativeMemory.allocate(VhostUser.HEADER_SIZE + MAX_PAYLOAD_BYTES, 8);
    private final PollSet readable = new PollSet(2);
    private final ReceivedFds fds = new ReceivedFds(MAX_FDS);
    private int payloadBytes;
    /** When the first byte of the message came; all of it has to be here some time later. */
    private long begunNanos;

    MessageStream(UnixSocket socket, int wakeFd, long partialTimeoutNanos) {
        this(socket, wakeFd, partialTimeoutNanos, System::nanoTime);
    }

    MessageStream(UnixSocket socket, int wakeFd, long partialTimeoutNanos, LongSupplier clock) {
        this.socket = socket;
        this.partialTimeoutNanos = partialTimeoutNanos;
        this.clock = clock;
        readable.add(socket.fd().number(), Poll.POLLIN);
        readable.add(wakeFd, Poll.POLLIN);
    }

    // ---- in

    /**
     * Waits for the next message.
     *
     * @return false if there is none any more: the peer has closed, or somebody has signalled the wake eventfd
     */
    boolean receive() throws IOException, ProtocolViolation {
        fds.close();
        if (!fill(0, VhostUser.HEADER_SIZE)) {
            return false;
        }
        int flags = flags();
        if ((flags & VhostUser.VERSION_MASK) != VhostUser.VERSION) {
            throw ProtocolViolation.fatal("message has version " + (flags & VhostUser.VERSION_MASK) + ", not " + VhostUser.VERSION);
        }
        if ((flags & VhostUser.FLAG_REPLY) != 0) {
            throw ProtocolViolation.fatal("message of request " + Integer.toUnsignedString(request()) + " is marked as a reply");
        }
        int bytes = VhostUser.u32(in.segment(), VhostUser.HEADER_PAYLOAD_BYTES);
        if (bytes < 0 || bytes > MAX_PAYLOAD_BYTES) {
            throw ProtocolViolation.fatal("message of request " + Integer.toUnsignedString(request()) + " has a payload of "
                    + Integer.toUnsignedString(bytes) + " bytes; the most is " + MAX_PAYLOAD_BYTES);
        }
        payloadBytes = bytes;
        if (!fill(VhostUser.HEADER_SIZE, VhostUser.HEADER_SIZE + bytes)) {
            return false;
        }
        if (fds.truncated() && fds.count() < MAX_FDS) {
            // There was room for more: it is our own table that is full, or a security module that refused one (recvmsg(2), MSG_CTRUNC).
            throw new IOException("file descriptors of the front end could not be received: " + (OpenFileLimit.isReached()
                    ? "this process has as many open files as it may: " + OpenFileLimit.advice()
                    : "the kernel has dropped them: let a security module allow them"));
        }
        if (fds.truncated()) {
            throw ProtocolViolation.fatal("message of request " + Integer.toUnsignedString(request()) + " brings more than " + MAX_FDS + " file descriptors");
        }
        return true;
    }

    /** Receives until {@code end}. The time runs from the first byte of a message on. */
    private boolean fill(int start, int end) throws IOException, ProtocolViolation {
        int have = start;
        while (have < end) {
            int timeoutMillis = have == 0 ? FOREVER : millisLeft(begunNanos);
            int ready = readable.await(timeoutMillis);
            if (ready == 0) {
                throw ProtocolViolation.fatal("message was not complete " + TimeUnit.NANOSECONDS.toMillis(partialTimeoutNanos) + " ms after it began");
            }
            if (ready < 0) {
                continue;
            }
            if (readable.revents(WAKE) != 0) {
                return false;
            }
            int received = socket.receive(in.address() + have, end - have, fds);
            if (received > 0) {
                if (have == 0) {
                    begunNanos = clock.getAsLong();
                }
                have += received;
            } else if (received == 0 || received == -Errno.ECONNRESET) {
                if (have == 0) {
                    return false;
                }
                throw ProtocolViolation.fatal("connection ended within a message");
            } else if (received != -Errno.EAGAIN && received != -Errno.EINTR) {
                throw new IOException("recvmsg: " + Errno.describe(received));
            }
        }
        return true;
    }

    private int millisLeft(long begun) {
        long left = partialTimeoutNanos - (clock.getAsLong() - begun);
        return (int) Math.max(0, Math.min(Integer.MAX_VALUE, TimeUnit.NANOSECONDS.toMillis(left)));
    }

    int request() {
        return VhostUser.u32(in.segment(), VhostUser.HEADER_REQUEST);
    }

    boolean needsReply() {
        return (flags() & VhostUser.FLAG_NEED_REPLY) != 0;
    }

    private int flags() {
        return VhostUser.u32(in.segment(), VhostUser.HEADER_FLAGS);
    }

    int payloadBytes() {
        return payloadBytes;
    }

    /** The payload; what is behind {@link #payloadBytes} is of no message. */
    MemorySegment payload() {
        return in.segment().asSlice(VhostUser.HEADER_SIZE);
    }

    ReceivedFds fds() {
        return fds;
    }

    // ---- out

    /** Where a reply's payload is put before {@link #sendReply}. */
    MemorySegment replyPayload() {
        return out.segment().asSlice(VhostUser.HEADER_SIZE);
    }

    /** Replies to the message received last with {@code bytes} of {@link #replyPayload}. */
    void sendReply(int bytes) throws IOException, ProtocolViolation {
        VhostUser.u32(out.segment(), VhostUser.HEADER_REQUEST, request());
        VhostUser.u32(out.segment(), VhostUser.HEADER_FLAGS, VhostUser.VERSION | VhostUser.FLAG_REPLY);
        VhostUser.u32(out.segment(), VhostUser.HEADER_PAYLOAD_BYTES, bytes);
        int end = VhostUser.HEADER_SIZE + bytes;
        long begun = clock.getAsLong();
        int sent = 0;
        while (sent < end) {
            awaitRoom(begun);
            int result = socket.send(out.address() + sent, end - sent);
            if (result >= 0) {
                sent += result;
            } else if (result != -Errno.EAGAIN && result != -Errno.EINTR) {
                throw new IOException("sendmsg: " + Errno.describe(result));
            }
        }
    }

    /** Replies with a payload of 64 bits. */
    void replyWith(long value) throws IOException, ProtocolViolation {
        VhostUser.u64(replyPayload(), 0, value);
        sendReply(Long.BYTES);
    }

    /** A peer that does not read its replies must not hold this thread: poll(2) says writable only with room for far more than a reply. */
    private void awaitRoom(long begun) throws ProtocolViolation {
        readable.setEvents(SOCKET, Poll.POLLOUT);
        try {
            while (true) {
                int ready = readable.await(millisLeft(begun));
                if (ready == 0) {
                    throw ProtocolViolation.fatal("front end does not read its replies");
                }
                if (ready > 0) {
                    if (readable.revents(SOCKET) != 0) {
                        return;
                    }
                    throw ProtocolViolation.fatal("this back end is closing");
                }
            }
        } finally {
            readable.setEvents(SOCKET, Poll.POLLIN);
        }
    }

    @Override
    public void close() {
        fds.close();
        readable.close();
        in.close();
        out.close();
    }
}
