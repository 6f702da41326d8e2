package dev.sluice.server;

import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.Mapping;
import dev.sluice.linux.Memfd;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.linux.ReceivedFds;
import dev.sluice.linux.UnixSocket;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A vhost-user front end that shares no line with Sluice's own driver or its layouts: every number is written here as the specification has it, so that
 * a mistake which both sides of Sluice make does not hide, and so that anything at all can be sent.
 */
final class HandMadeFrontEnd implements AutoCloseable {
    static final int MEMORY_BYTES = 1 << 20;
    static final long GUEST = 0x10_0000;
    static final long USER = 0x7F00_0000_0000L;

    static final int GET_FEATURES = 1;
    static final int SET_FEATURES = 2;
    static final int SET_OWNER = 3;
    static final int SET_MEM_TABLE = 5;
    static final int SET_VRING_NUM = 8;
    static final int SET_VRING_ADDR = 9;
    static final int SET_VRING_BASE = 10;
    static final int GET_VRING_BASE = 11;
    static final int SET_VRING_KICK = 12;
    static final int SET_VRING_CALL = 13;
    static final int SET_VRING_ERR = 14;
    static final int SET_PROTOCOL_FEATURES = 16;
    static final int SET_VRING_ENABLE = 18;
    static final int GET_CONFIG = 24;

    private static final int REPLY_FLAGS = 0x5;
    private static final int NEED_REPLY = 0x9;
    /** VERSION_1, the protocol features of vhost-user, EVENT_IDX, INDIRECT_DESC, FLUSH, DISCARD, WRITE_ZEROES. */
    private static final long FEATURES = 1L << 32 | 1L << 30 | 1L << 29 | 1L << 28 | 1L << 14 | 1L << 13 | 1L << 9;
    /** MQ, REPLY_ACK, CONFIG, CONFIGURE_MEM_SLOTS. */
    private static final long PROTOCOL_FEATURES = 1L | 1L << 3 | 1L << 9 | 1L << 15;

    private static final int LARGEST_MESSAGE = 1 << 16;
    private static final long PATIENCE_MILLIS = 30_000;

    private final UnixSocket socket;
    private final NativeBlock buffer = NativeMemory.allocate(LARGEST_MESSAGE, 8);
    private final ReceivedFds unexpected = new ReceivedFds();
    private final Fd file;
    private final Mapping mapping;
    private final List<HandMadeRing> rings = new ArrayList<>();

    private HandMadeFrontEnd(UnixSocket socket) throws IOException {
        this.socket = socket;
        this.file = Fd.adopt(Memfd.create("guest", Memfd.MFD_CLOEXEC));
        int result = LinuxFile.ftruncate(file.number(), MEMORY_BYTES);
        if (result < 0) {
            throw new IOException("ftruncate: " + result);
        }
        this.mapping = Mapping.shared(file.number(), 0, MEMORY_BYTES);
    }

    /** Connected, nothing said yet. */
    static HandMadeFrontEnd connect(Path path) throws IOException {
        UnixSocket socket = UnixSocket.connectTo(path.toString());
        socket.receiveTimeout(PATIENCE_MILLIS);
        return new HandMadeFrontEnd(socket);
    }

    /** With features, memory and this many running queues. */
    static HandMadeFrontEnd running(Path path, int queues) throws IOException {
        HandMadeFrontEnd made = connect(path);
        made.negotiate();
        made.tell(SET_MEM_TABLE, longs(1, GUEST, MEMORY_BYTES, USER, 0), made.memoryFd());
        for (int i = 0; i < queues; i++) {
            made.ring(i).start();
        }
        return made;
    }

    void negotiate() throws IOException {
        send(SET_PROTOCOL_FEATURES, 1, longs(PROTOCOL_FEATURES));
        tell(SET_OWNER, longs());
        tell(SET_FEATURES, longs(FEATURES));
    }

    /** The ring of that queue, made when it is asked for first. */
    HandMadeRing ring(int index) throws IOException {
        while (rings.size() <= index) {
            rings.add(new HandMadeRing(this, rings.size()));
        }
        return rings.get(index);
    }

    MemorySegment memory() {
        return mapping.view(0, MEMORY_BYTES);
    }

    int memoryFd() {
        return file.number();
    }

    int socketFd() {
        return socket.fd().number();
    }

    // ---- messages

    static byte[] longs(long... words) {
        byte[] bytes = new byte[words.length * Long.BYTES];
        MemorySegment.ofArray(bytes).copyFrom(MemorySegment.ofArray(words));
        return bytes;
    }

    static byte[] ints(int... words) {
        byte[] bytes = new byte[words.length * Integer.BYTES];
        MemorySegment.ofArray(bytes).copyFrom(MemorySegment.ofArray(words));
        return bytes;
    }

    /** True where the peer took it; false where it has hung up. */
    boolean sendBytes(byte[] bytes, int... fds) {
        MemorySegment.copy(bytes, 0, buffer.segment(), ValueLayout.JAVA_BYTE, 0, bytes.length);
        int sent = 0;
        while (sent < bytes.length) {
            int result = sent == 0
                    ? socket.send(buffer.address(), bytes.length, fds)
                    : socket.send(buffer.address() + sent, bytes.length - sent);
            if (result <= 0) {
                return false;
            }
            sent += result;
        }
        return true;
    }

    boolean send(int request, int flags, byte[] payload, int... fds) {
        byte[] message = new byte[12 + payload.length];
        System.arraycopy(ints(request, flags, payload.length), 0, message, 0, 12);
        System.arraycopy(payload, 0, message, 12, payload.length);
        return sendBytes(message, fds);
    }

    /** The payload of the next reply, which must be to this request. */
    byte[] reply(int request) throws IOException {
        byte[] header = receive(12);
        MemorySegment words = MemorySegment.ofArray(header);
        int flags = words.get(ValueLayout.JAVA_INT_UNALIGNED, 4);
        if (words.get(ValueLayout.JAVA_INT_UNALIGNED, 0) != request || flags != REPLY_FLAGS) {
            throw new AssertionError("reply to request " + words.get(ValueLayout.JAVA_INT_UNALIGNED, 0) + " with flags " + flags + ", asked was " + request);
        }
        return receive(words.get(ValueLayout.JAVA_INT_UNALIGNED, 8));
    }

    private byte[] receive(int bytes) throws IOException {
        byte[] received = new byte[bytes];
        int have = 0;
        while (have < bytes) {
            int result = socket.receive(buffer.address(), bytes - have, unexpected);
            if (result <= 0) {
                throw new IOException(result == 0 ? "the back end has hung up" : "recvmsg: " + result);
            }
            MemorySegment.copy(buffer.segment(), ValueLayout.JAVA_BYTE, 0, received, have, result);
            have += result;
        }
        return received;
    }

    /** Whether the back end acknowledges the message: 0 is yes. */
    boolean accepted(int request, byte[] payload, int... fds) throws IOException {
        if (!send(request, NEED_REPLY, payload, fds)) {
            throw new IOException("the back end has hung up");
        }
        return MemorySegment.ofArray(reply(request)).get(ValueLayout.JAVA_LONG_UNALIGNED, 0) == 0;
    }

    /** A message that has to be accepted. */
    void tell(int request, byte[] payload, int... fds) throws IOException {
        if (!accepted(request, payload, fds)) {
            throw new AssertionError("request " + request + " was refused");
        }
    }

    byte[] ask(int request, byte[] payload) throws IOException {
        if (!send(request, 1, payload)) {
            throw new IOException("the back end has hung up");
        }
        return reply(request);
    }

    /** Waits for the end of the connection, whatever comes before it. */
    boolean awaitHangUp() {
        while (true) {
            int result = socket.receive(buffer.address(), LARGEST_MESSAGE, unexpected);
            if (result <= 0) {
                return result == 0 || result == -104;
            }
        }
    }

    static int newEventFd() throws IOException {
        int made = EventFd.create(0, EventFd.EFD_CLOEXEC | EventFd.EFD_NONBLOCK);
        if (made < 0) {
            throw new IOException("eventfd: " + made);
        }
        return made;
    }

    @Override
    public void close() {
        socket.close();
        rings.forEach(HandMadeRing::close);
        mapping.close();
        file.close();
        unexpected.close();
        buffer.close();
    }
}
