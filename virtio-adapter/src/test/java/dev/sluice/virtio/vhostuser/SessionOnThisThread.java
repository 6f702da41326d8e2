package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.UnixSocket;
import dev.sluice.virtio.driver.VhostUserConnection;
import dev.sluice.virtio.driver.VhostUserMessage;
import dev.sluice.virtio.layout.VhostUser;
import dev.sluice.virtio.layout.VirtioFeatures;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;

/** A connection whose two ends and whose loop are the test's thread; nothing of it is open or mapped in the end. */
abstract class SessionOnThisThread {
    static final long FEATURES = VirtioFeatures.VERSION_1 | VirtioFeatures.BLK_FLUSH | VirtioFeatures.BLK_CONFIG_WCE;
    static final long WITH_ENABLE = FEATURES | VirtioFeatures.VHOST_USER_PROTOCOL_FEATURES;
    static final long PROTOCOL =
            VhostUser.PROTOCOL_F_MQ | VhostUser.PROTOCOL_F_CONFIG | VhostUser.PROTOCOL_F_REPLY_ACK | VhostUser.PROTOCOL_F_CONFIGURE_MEM_SLOTS;
    static final int PLAIN = VhostUser.VERSION;
    static final int ACKED = VhostUser.VERSION | VhostUser.FLAG_NEED_REPLY;
    /** What a message brings about is there before it is read: this thread is the server as well. */
    static final Duration NO_WAIT = Duration.ofMillis(100);
    static final int QUEUES = InlineDevice.QUEUES;

    final List<String> before = opened();
    /** Other tests of this process may keep theirs. */
    private final long mappedBefore = allMappings();
    final InlineDevice device = new InlineDevice(FEATURES);
    final UnixSocket.Pair sockets = UnixSocket.pair();
    final VhostUserConnection front = new VhostUserConnection(sockets.first(), NO_WAIT);
    final Fd wake = InlineDevice.eventFd();
    final List<Virtqueue> rings = IntStream.range(0, QUEUES).mapToObj(device::virtqueue).toList();
    final MessageStream stream = new MessageStream(sockets.second(), wake.number(), Duration.ofSeconds(20).toNanos());
    final VhostUserSession session = new VhostUserSession(
            device.device, stream, rings, false, new ConnectionLog("disk.sock"), device.quarantine);
    boolean closed;

    SessionOnThisThread() throws IOException {}

    @AfterEach
    void close() throws IOException {
        if (!closed) {
            session.close();
        }
        front.close();
        sockets.close();
        wake.close();
        assertThat(device.loop.failures()).isEmpty();
        device.close();
        assertThat(opened()).as("open in the end").hasSizeLessThanOrEqualTo(before.size());
        assertThat(mappings()).as("mapped in the end").isLessThanOrEqualTo(0);
    }

    static List<String> opened() throws IOException {
        try (Stream<Path> fds = Files.list(Path.of("/proc/self/fd"))) {
            return fds.map(fd -> LinuxFile.descriptorName(Integer.parseInt(fd.getFileName().toString())))
                    .filter(name -> name.contains("eventfd") || name.contains("memfd"))
                    .sorted()
                    .toList();
        }
    }

    /** Mappings of a driver's memory since this test has begun. */
    final long mappings() throws IOException {
        return allMappings() - mappedBefore;
    }

    private static long allMappings() throws IOException {
        try (Stream<String> lines = Files.lines(Path.of("/proc/self/maps"))) {
            return lines.filter(line -> line.contains("memfd:sluice-driver") || line.contains("memfd:more")).count();
        }
    }

    static MemorySegment ints(int... words) {
        return MemorySegment.ofArray(words);
    }

    static MemorySegment longs(long... words) {
        return MemorySegment.ofArray(words);
    }

    // ---- the other end

    boolean serve(int request, int flags, MemorySegment payload, int... fds) throws IOException, ProtocolViolation {
        front.send(request, flags, payload, fds);
        return session.serveNext();
    }

    /** Serves a message that asks for no reply and gets none. */
    void tell(int request, MemorySegment payload, int... fds) throws IOException, ProtocolViolation {
        assertThat(serve(request, PLAIN, payload, fds)).isTrue();
        assertThat(front.hungUp()).isFalse();
    }

    VhostUserMessage reply(int request) throws IOException {
        VhostUserMessage reply = front.receive();
        assertThat(reply.request()).isEqualTo(request);
        assertThat(reply.flags()).isEqualTo(VhostUser.VERSION | VhostUser.FLAG_REPLY);
        return reply;
    }

    long ask(int request) throws IOException, ProtocolViolation {
        assertThat(serve(request, PLAIN, longs())).isTrue();
        return reply(request).u64();
    }

    long acknowledged(int request, MemorySegment payload, int... fds) throws IOException, ProtocolViolation {
        assertThat(serve(request, ACKED, payload, fds)).isTrue();
        return reply(request).u64();
    }

    String violation(int request, int flags, MemorySegment payload, int... fds) {
        ProtocolViolation violation = catchThrowableOfType(ProtocolViolation.class, () -> serve(request, flags, payload, fds));
        assertThat(violation).isNotNull();
        return (violation.isFatal() ? "fatal: " : "refused: ") + violation.rule();
    }

    void negotiate(long features) throws IOException, ProtocolViolation {
        tell(VhostUser.SET_PROTOCOL_FEATURES, longs(PROTOCOL));
        tell(VhostUser.SET_FEATURES, longs(features));
    }

    MemorySegment table(long userAddress) {
        return longs(1, device.region.guestAddress(), device.region.bytes(), userAddress, device.region.fileOffset());
    }

    void shareMemory() throws IOException, ProtocolViolation {
        tell(VhostUser.SET_MEM_TABLE, table(device.region.userAddress()), device.region.fd());
    }

    void setUp(int index) throws IOException, ProtocolViolation {
        tell(VhostUser.SET_VRING_NUM, ints(index, InlineDevice.QUEUE_SIZE));
        tell(
                VhostUser.SET_VRING_ADDR,
                longs(
                        index,
                        device.user(device.queue.ring().descOffset()),
                        device.user(device.queue.ring().usedOffset()),
                        device.user(device.queue.ring().availOffset()),
                        0));
        tell(VhostUser.SET_VRING_CALL, longs(index), device.queue.callFd());
        tell(VhostUser.SET_VRING_ERR, longs(index), device.queue.errFd());
    }

    void kick(int index) throws IOException, ProtocolViolation {
        tell(VhostUser.SET_VRING_KICK, longs(index), device.queue.kickFd());
    }

    /** Without bit 30 a ring starts enabled. */
    void startAll() throws IOException, ProtocolViolation {
        negotiate(FEATURES);
        shareMemory();
        for (int i = 0; i < QUEUES; i++) {
            setUp(i);
        }
        kick(0);
    }

    List<RingState> states() {
        return session.ringSnapshots().stream().map(Supplier::get).map(VhostUserServer.RingSnapshot::state).toList();
    }

    int serveOne() {
        boolean _ = device.offerFlush();
        device.loop.fireAll();
        return device.completed();
    }
}
