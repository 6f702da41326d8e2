package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.Memfd;
import dev.sluice.linux.UnixSocket;
import dev.sluice.virtio.blk.DiskStateFile;
import dev.sluice.virtio.driver.BlkRequest;
import dev.sluice.virtio.driver.VhostUserConnection;
import dev.sluice.virtio.driver.VhostUserMessage;
import dev.sluice.virtio.layout.VhostUser;
import dev.sluice.virtio.layout.VirtioBlkConfig;
import dev.sluice.virtio.layout.VirtioFeatures;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A connection message by message, on one thread: what each does, what its reply says, and what is left of it in the end. */
final class VhostUserSessionTest {
    private static final long FEATURES = VirtioFeatures.VERSION_1 | VirtioFeatures.BLK_FLUSH | VirtioFeatures.BLK_CONFIG_WCE;
    private static final long WITH_ENABLE = FEATURES | VirtioFeatures.VHOST_USER_PROTOCOL_FEATURES;
    private static final long PROTOCOL =
            VhostUser.PROTOCOL_F_MQ | VhostUser.PROTOCOL_F_CONFIG | VhostUser.PROTOCOL_F_REPLY_ACK | VhostUser.PROTOCOL_F_CONFIGURE_MEM_SLOTS;
    private static final int PLAIN = VhostUser.VERSION;
    private static final int ACKED = VhostUser.VERSION | VhostUser.FLAG_NEED_REPLY;
    /** What a message brings about is there before it is read: this thread is the server as well. */
    private static final Duration NO_WAIT = Duration.ofMillis(100);
    private static final int QUEUES = InlineDevice.QUEUES;

    private final List<String> before = opened();
    private final InlineDevice device = new InlineDevice(FEATURES);
    private final UnixSocket.Pair sockets = UnixSocket.pair();
    private final VhostUserConnection front = new VhostUserConnection(sockets.first(), NO_WAIT);
    private final Fd wake = InlineDevice.eventFd();
    private final List<Vring> rings = IntStream.range(0, QUEUES).mapToObj(device::vring).toList();
    private final MessageStream stream = new MessageStream(sockets.second(), wake.number(), Duration.ofSeconds(20).toNanos());
    private final VhostUserSession session = new VhostUserSession(
            device.device,
            stream,
            rings,
            false,
            new ConnectionLog("disk.sock"),
            device.quarantine);
    private boolean closed;

    VhostUserSessionTest() throws IOException {}

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
        assertThat(opened()).as("open in the end").isEqualTo(before);
        assertThat(mappings()).as("mapped in the end").isZero();
    }

    private static List<String> opened() throws IOException {
        try (Stream<Path> fds = Files.list(Path.of("/proc/self/fd"))) {
            return fds.map(fd -> LinuxFile.descriptorName(Integer.parseInt(fd.getFileName().toString())))
                    .filter(name -> name.contains("eventfd") || name.contains("memfd"))
                    .sorted()
                    .toList();
        }
    }

    private static long mappings() throws IOException {
        try (Stream<String> lines = Files.lines(Path.of("/proc/self/maps"))) {
            return lines.filter(line -> line.contains("memfd:sluice-driver") || line.contains("memfd:more")).count();
        }
    }

    private static MemorySegment ints(int... words) {
        return MemorySegment.ofArray(words);
    }

    private static MemorySegment longs(long... words) {
        return MemorySegment.ofArray(words);
    }

    // ---- the other end

    private boolean serve(int request, int flags, MemorySegment payload, int... fds) throws IOException, ProtocolViolation {
        front.send(request, flags, payload, fds);
        return session.serveNext();
    }

    /** Serves a message that asks for no reply and gets none. */
    private void tell(int request, MemorySegment payload, int... fds) throws IOException, ProtocolViolation {
        assertThat(serve(request, PLAIN, payload, fds)).isTrue();
        assertThat(front.hungUp()).isFalse();
    }

    private VhostUserMessage reply(int request) throws IOException {
        VhostUserMessage reply = front.receive();
        assertThat(reply.request()).isEqualTo(request);
        assertThat(reply.flags()).isEqualTo(VhostUser.VERSION | VhostUser.FLAG_REPLY);
        return reply;
    }

    private long ask(int request) throws IOException, ProtocolViolation {
        assertThat(serve(request, PLAIN, longs())).isTrue();
        return reply(request).u64();
    }

    private long acknowledged(int request, MemorySegment payload, int... fds) throws IOException, ProtocolViolation {
        assertThat(serve(request, ACKED, payload, fds)).isTrue();
        return reply(request).u64();
    }

    private String violation(int request, int flags, MemorySegment payload, int... fds) {
        ProtocolViolation violation = catchThrowableOfType(ProtocolViolation.class, () -> serve(request, flags, payload, fds));
        assertThat(violation).isNotNull();
        return (violation.isFatal() ? "fatal: " : "refused: ") + violation.rule();
    }

    private void negotiate(long features) throws IOException, ProtocolViolation {
        tell(VhostUser.SET_PROTOCOL_FEATURES, longs(PROTOCOL));
        tell(VhostUser.SET_FEATURES, longs(features));
    }

    private MemorySegment table(long userAddress) {
        return longs(1, device.region.guestAddress(), device.region.bytes(), userAddress, device.region.fileOffset());
    }

    private void shareMemory() throws IOException, ProtocolViolation {
        tell(VhostUser.SET_MEM_TABLE, table(device.region.userAddress()), device.region.fd());
    }

    private void setUp(int index) throws IOException, ProtocolViolation {
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

    private void kick(int index) throws IOException, ProtocolViolation {
        tell(VhostUser.SET_VRING_KICK, longs(index), device.queue.kickFd());
    }

    /** Without bit 30 a ring starts enabled. */
    private void startAll() throws IOException, ProtocolViolation {
        negotiate(FEATURES);
        shareMemory();
        for (int i = 0; i < QUEUES; i++) {
            setUp(i);
        }
        kick(0);
    }

    private List<RingState> states() {
        return session.ringSnapshots().stream().map(Supplier::get).map(VhostUserServer.RingSnapshot::state).toList();
    }

    // ---- features and replies

    @Test
    void shouldSayWhatItOffers() throws Exception {
        assertThat(ask(VhostUser.GET_FEATURES)).isEqualTo(device.device.offered() | 1L << 30);
        assertThat(ask(VhostUser.GET_PROTOCOL_FEATURES)).isEqualTo(PROTOCOL);
        assertThat(ask(VhostUser.GET_QUEUE_NUM)).isEqualTo(QUEUES);
        assertThat(ask(VhostUser.GET_MAX_MEM_SLOTS)).isEqualTo(MemoryTable.MAX_SLOTS);
    }

    @Test
    void shouldEndWithTheConnection() throws Exception {
        front.close();
        assertThat(session.serveNext()).isFalse();
    }

    @Test
    void shouldReplyOnlyToWhoAsksForItAndOnlyWhenNegotiated() throws Exception {
        // Not negotiated: what comes next is the reply to what was asked for.
        assertThat(serve(VhostUser.SET_OWNER, ACKED, longs())).isTrue();
        assertThat(ask(VhostUser.GET_QUEUE_NUM)).isEqualTo(QUEUES);
        assertThat(acknowledged(VhostUser.SET_PROTOCOL_FEATURES, longs(PROTOCOL))).as("turned on by this message").isZero();
        assertThat(session.protocolFeatures()).isEqualTo(PROTOCOL);
        tell(VhostUser.SET_OWNER, longs());
        assertThat(acknowledged(VhostUser.SET_OWNER, longs())).isZero();
        // vhost-user, "REPLY_ACK": a message with a reply of its own gets no other.
        assertThat(serve(VhostUser.GET_QUEUE_NUM, ACKED, longs())).isTrue();
        assertThat(reply(VhostUser.GET_QUEUE_NUM).u64()).isEqualTo(QUEUES);
        assertThat(acknowledged(VhostUser.SET_OWNER, longs())).isZero();
        assertThat(violation(VhostUser.GET_QUEUE_NUM, ACKED, longs(0))).startsWith("refused: GET_QUEUE_NUM has a payload");
    }

    @Test
    void shouldRefuseAndGoOnWhereTheFrontEndAsksForAReply() throws Exception {
        negotiate(WITH_ENABLE);
        try (CapturedLog log = new CapturedLog()) {
            assertThat(acknowledged(VhostUser.SET_VRING_NUM, ints(0, 3))).isEqualTo(1);
            assertThat(log.text()).contains("disk.sock: SET_VRING_NUM of queue 0: size 3 is not a power of two from 1 to 64; the message is refused");
        }
        assertThat(acknowledged(VhostUser.SET_VRING_NUM, ints(0, 4))).isZero();
        assertThat(violation(VhostUser.SET_VRING_NUM, PLAIN, ints(0, 3))).startsWith("refused: SET_VRING_NUM of queue 0: size 3");
    }

    @Test
    void shouldEndAConnectionThatIsRefusedAgainAndAgain() throws Exception {
        negotiate(WITH_ENABLE);
        try (CapturedLog _ = new CapturedLog()) {
            for (int i = 0; i < 256; i++) {
                assertThat(acknowledged(VhostUser.SET_VRING_NUM, ints(0, 3))).isEqualTo(1);
            }
        }
        assertThat(violation(VhostUser.SET_VRING_NUM, ACKED, ints(0, 3))).startsWith("refused: ");
    }

    @Test
    void shouldEndTheConnectionWhenWhatWasNotOfferedIsAccepted() throws Exception {
        assertThat(violation(VhostUser.SET_PROTOCOL_FEATURES, ACKED, longs(PROTOCOL | VhostUser.PROTOCOL_F_INFLIGHT_SHMFD)))
                .isEqualTo("fatal: SET_PROTOCOL_FEATURES: 0x1000 was not offered");
        negotiate(WITH_ENABLE);
        assertThat(violation(VhostUser.SET_FEATURES, ACKED, longs(FEATURES | VirtioFeatures.RING_PACKED)))
                .startsWith("fatal: SET_FEATURES: VIRTIO 1.3 §2.2.1");
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void shouldStartRingsEnabledUnlessTheFrontEndEnablesThem(boolean enables) throws Exception {
        negotiate(enables ? WITH_ENABLE : FEATURES);
        assertThat(device.device.accepted()).isEqualTo(FEATURES);
        shareMemory();
        setUp(0);
        kick(0);
        assertThat(states()).containsExactly(enables ? RingState.DISABLED : RingState.ENABLED, RingState.STOPPED);
    }

    @Test
    void shouldFixFeaturesWhileARingIsStarted() throws Exception {
        startAll();
        assertThat(acknowledged(VhostUser.SET_FEATURES, longs(FEATURES))).isZero();
        assertThat(violation(VhostUser.SET_FEATURES, PLAIN, longs(WITH_ENABLE | VirtioFeatures.EVENT_IDX)))
                .isEqualTo("refused: SET_FEATURES changes 0x" + Long.toHexString(1L << 30 | VirtioFeatures.EVENT_IDX) + " while a queue is started");
        assertThat(device.device.accepted()).isEqualTo(FEATURES);
        // A dirty log may be turned on at any time, by a back end that has one.
        assertThat(violation(VhostUser.SET_FEATURES, PLAIN, longs(FEATURES | VirtioFeatures.VHOST_LOG_ALL))).startsWith("fatal: SET_FEATURES: VIRTIO 1.3");
        tell(VhostUser.GET_VRING_BASE, ints(0, 0));
        reply(VhostUser.GET_VRING_BASE).close();
        tell(VhostUser.SET_FEATURES, longs(WITH_ENABLE | VirtioFeatures.EVENT_IDX));
        assertThat(device.device.accepted()).isEqualTo(FEATURES | VirtioFeatures.EVENT_IDX);
    }

    // ---- memory

    @Test
    void shouldRestartRunningRingsInNewMemory() throws Exception {
        startAll();
        assertThat(serveOne()).isEqualTo(1);
        assertThat(mappings()).isEqualTo(2);
        shareMemory();
        assertThat(mappings()).as("the driver's and the new one").isEqualTo(2);
        assertThat(device.events.started).hasValue(2);
        assertThat(device.events.stopped).hasValue(1);
        assertThat(states()).containsExactly(RingState.ENABLED, RingState.STOPPED);
        assertThat(serveOne()).isEqualTo(1);
    }

    private int serveOne() {
        boolean _ = device.offerFlush();
        device.loop.fireAll();
        return device.completed();
    }

    @Test
    void shouldEndTheConnectionWhenARunningRingIsNotInNewMemory() throws Exception {
        startAll();
        assertThat(violation(VhostUser.SET_MEM_TABLE, ACKED, table(0x1000), device.region.fd()))
                .startsWith("fatal: memory changed under a running ring: queue 0 cannot start: ");
    }

    @Test
    void shouldAddMemoryUnderRunningRingsAndRemoveItAgain() throws Exception {
        startAll();
        try (Fd more = Fd.adopt(Memfd.create("more", Memfd.MFD_CLOEXEC))) {
            assertThat(LinuxFile.ftruncate(more.number(), 8192)).isZero();
            assertThat(acknowledged(VhostUser.ADD_MEM_REG, longs(0, 1L << 50, 4096, 1L << 51, 4096), more.number())).isZero();
            assertThat(device.events.stopped).as("rings run on").hasValue(0);
            assertThat(mappings()).isEqualTo(3);
            assertThat(acknowledged(VhostUser.ADD_MEM_REG, longs(0, 1L << 50, 4096, 1L << 51, 4096), more.number())).as("overlap").isEqualTo(1);
            assertThat(device.queue.submit(BlkRequest.T_OUT, 0, 1L << 50, 512)).isNotNegative();
            boolean _ = device.queue.publish();
            device.loop.fireAll();
            assertThat(device.completed()).isEqualTo(1);
            assertThat(acknowledged(VhostUser.REM_MEM_REG, longs(0, 1L << 50, 4096, 1L << 51, 0))).isZero();
            assertThat(mappings()).isEqualTo(2);
            assertThat(acknowledged(VhostUser.REM_MEM_REG, longs(0, 1L << 50, 4096, 1L << 51, 0))).isEqualTo(1);
        }
        assertThat(serveOne()).isEqualTo(1);
    }

    @Test
    void shouldKeepOldAndNewMemoryMappedWhenARingCannotBeStopped() throws Exception {
        startAll();
        device.loop.failNextUnwatch(new IllegalStateException("simulated"));
        assertThatThrownBy(() -> shareMemory()).isInstanceOf(IllegalStateException.class).hasMessage("queue 0 cannot be stopped");
        assertThat(mappings()).as("the driver's, the old one and the new one").isEqualTo(3);
        closed = true;
        session.close();
        assertThat(mappings()).isEqualTo(1);
    }

    @Test
    void shouldStopEveryRingAlsoWhenOneFails() throws Exception {
        startAll();
        kick(1);
        assertThat(states()).containsExactly(RingState.ENABLED, RingState.ENABLED);
        device.loop.failNextUnwatch(new IllegalStateException("simulated"));
        assertThatThrownBy(() -> tell(VhostUser.SET_OWNER, longs())).isInstanceOf(IllegalStateException.class).hasMessage("queue 0 cannot be stopped");
        assertThat(states()).containsExactly(RingState.STOPPED, RingState.STOPPED);
        assertThat(device.events.stopped).hasValue(2);
    }

    @Test
    void shouldNameTheFirstRingThatCannotBeStoppedWhenTheLoopHasEnded() throws Exception {
        startAll();
        kick(1);
        device.pipeline.close();
        device.loop.close();
        closed = true;
        assertThatThrownBy(session::close).hasMessage("queue 0 cannot be stopped").hasCauseInstanceOf(RejectedExecutionException.class);
        assertThat(states()).containsExactly(RingState.STOPPED, RingState.STOPPED);
    }

    // ---- rings

    @Test
    void shouldRefuseQueuesThatAreNotThere() throws Exception {
        negotiate(WITH_ENABLE);
        for (int index : new int[] {-1, QUEUES, 255}) {
            String rule = " names queue " + Integer.toUnsignedString(index) + "; there are 2";
            for (int request : new int[] {VhostUser.SET_VRING_NUM, VhostUser.SET_VRING_BASE, VhostUser.SET_VRING_ENABLE, VhostUser.GET_VRING_BASE}) {
                assertThat(violation(request, PLAIN, ints(index, 1))).isEqualTo("refused: request " + request + rule);
            }
        }
        assertThat(violation(VhostUser.SET_VRING_KICK, PLAIN, longs(QUEUES), device.queue.kickFd())).contains("names queue 2");
        tell(VhostUser.SET_VRING_NUM, ints(QUEUES - 1, 16));
        assertThat(session.ringSnapshots()).extracting(Supplier::get).extracting(VhostUserServer.RingSnapshot::size).containsExactly(0, 16);
    }

    @Test
    void shouldEnableAndDisableRings() throws Exception {
        negotiate(WITH_ENABLE);
        shareMemory();
        setUp(1);
        tell(VhostUser.SET_VRING_ENABLE, ints(1, 1));
        kick(1);
        assertThat(states()).containsExactly(RingState.STOPPED, RingState.ENABLED);
        tell(VhostUser.SET_VRING_ENABLE, ints(1, 0));
        assertThat(states()).containsExactly(RingState.STOPPED, RingState.DISABLED);
        for (int other : new int[] {2, -1}) {
            assertThat(violation(VhostUser.SET_VRING_ENABLE, PLAIN, ints(1, other)))
                    .isEqualTo("refused: SET_VRING_ENABLE with " + Integer.toUnsignedString(other) + ", not 0 or 1");
        }
        tell(VhostUser.SET_VRING_ENABLE, ints(1, 1));
        // vhost-user, "RESET_OWNER": deprecated; all rings are disabled.
        tell(VhostUser.RESET_OWNER, longs());
        assertThat(states()).containsExactly(RingState.STOPPED, RingState.DISABLED);
    }

    @Test
    void shouldTakeDescriptorsForWhatTheyAreFor() throws Exception {
        startAll();
        assertThat(EventFd.drain(device.queue.callFd())).as("call").isEqualTo(1);
        long none = VhostUser.VRING_NO_FD;
        int[] messages = {VhostUser.SET_VRING_CALL, VhostUser.SET_VRING_ERR, VhostUser.SET_VRING_KICK};
        int opened = opened().size();
        for (int i = 0; i < messages.length; i++) {
            tell(messages[i], longs(none));
            assertThat(opened()).hasSize(opened - i - 1);
        }
        // Polled.
        boolean _ = device.offerFlush();
        device.loop.advanceNanos(RunningRing.POLL_INTERVAL_NANOS);
        assertThat(device.completed()).isEqualTo(1);
        assertThat(EventFd.drain(device.queue.callFd())).isNegative();
        tell(VhostUser.SET_VRING_ERR, longs(0), device.queue.errFd());
        device.queue.ring().rawAvailIdx(0x4000);
        device.loop.advanceNanos(RunningRing.POLL_INTERVAL_NANOS);
        assertThat(device.queue.errSignalled()).isTrue();
        assertThat(session.ringSnapshots().getFirst().get().broken()).isTrue();
    }

    @Test
    void shouldStopARingAndSayWhereToGoOn() throws Exception {
        startAll();
        assertThat(serveOne()).isEqualTo(1);
        tell(VhostUser.GET_VRING_BASE, ints(0, 0));
        VhostUserMessage reply = reply(VhostUser.GET_VRING_BASE);
        assertThat(reply.payload().toArray(ValueLayout.JAVA_INT_UNALIGNED)).containsExactly(0, 1);
        tell(VhostUser.SET_VRING_BASE, ints(1, 77));
        tell(VhostUser.GET_VRING_BASE, ints(1, 0));
        assertThat(reply(VhostUser.GET_VRING_BASE).payload().toArray(ValueLayout.JAVA_INT_UNALIGNED)).containsExactly(1, 77);
        assertThat(states()).containsOnly(RingState.STOPPED);
    }

    @Test
    void shouldBeginAgainWhenTheFrontEndDoes() throws Exception {
        startAll();
        tell(VhostUser.SET_OWNER, longs());
        assertThat(states()).containsOnly(RingState.STOPPED);
        assertThat(session.ringSnapshots()).extracting(Supplier::get).extracting(VhostUserServer.RingSnapshot::size).containsOnly(0);
        assertThat(mappings()).as("the driver's").isEqualTo(1);
        assertThat(device.device.accepted()).isZero();
        assertThat(session.protocolFeatures()).as("what was sent before stays").isEqualTo(PROTOCOL);
        device.queue.reset();
        startAll();
        assertThat(serveOne()).isEqualTo(1);
    }

    // ---- configuration space

    private byte writeback() throws IOException, ProtocolViolation {
        assertThat(serve(VhostUser.GET_CONFIG, PLAIN, ints(VirtioBlkConfig.WRITEBACK, 1, 0))).isTrue();
        return reply(VhostUser.GET_CONFIG).payload().get(ValueLayout.JAVA_BYTE, VhostUser.CONFIG_HEADER_SIZE);
    }

    private static MemorySegment setWriteback(int offset, int value) {
        MemorySegment payload = MemorySegment.ofArray(new byte[VhostUser.CONFIG_HEADER_SIZE + 1]);
        VhostUser.u32(payload, 0, offset);
        VhostUser.u32(payload, 4, 1);
        payload.set(ValueLayout.JAVA_BYTE, VhostUser.CONFIG_HEADER_SIZE, (byte) value);
        return payload;
    }

    @Test
    void shouldReadTheConfigurationSpace() throws Exception {
        assertThat(serve(VhostUser.GET_CONFIG, PLAIN, ints(0, 8, 3))).isTrue();
        MemorySegment reply = reply(VhostUser.GET_CONFIG).payload();
        assertThat(reply.byteSize()).isEqualTo(VhostUser.CONFIG_HEADER_SIZE + 8);
        assertThat(reply.asSlice(0, 12).toArray(ValueLayout.JAVA_INT_UNALIGNED)).containsExactly(0, 8, 3);
        assertThat(VhostUser.u64(reply, 12)).as("sectors").isEqualTo((1 << 20) / 512);
        assertThat(serve(VhostUser.GET_CONFIG, PLAIN, ints(20, 4, 0))).isTrue();
        reply = reply(VhostUser.GET_CONFIG).payload();
        assertThat(reply.toArray(ValueLayout.JAVA_INT_UNALIGNED)).as("blk_size").containsExactly(20, 4, 0, 512);
        try (CapturedLog log = new CapturedLog()) {
            assertThat(serve(VhostUser.GET_CONFIG, PLAIN, ints(250, 7, 0))).isTrue();
            assertThat(reply(VhostUser.GET_CONFIG).payload().byteSize()).as("an error").isZero();
            assertThat(log.text()).contains("disk.sock: GET_CONFIG: configuration space has 256 bytes; 7 at 250 are not in it");
        }
    }

    @Test
    void shouldSetTheCacheModeWhenItWasNegotiated() throws Exception {
        negotiate(WITH_ENABLE);
        assertThat(acknowledged(VhostUser.SET_CONFIG, setWriteback(VirtioBlkConfig.WRITEBACK, 0))).isZero();
        assertThat(writeback()).isZero();
        assertThat(acknowledged(VhostUser.SET_CONFIG, setWriteback(VirtioBlkConfig.WRITEBACK, 1))).isZero();
        assertThat(writeback()).isEqualTo((byte) 1);
        assertThat(violation(VhostUser.SET_CONFIG, PLAIN, setWriteback(0, 0))).isEqualTo("refused: SET_CONFIG: only the writeback byte at 32 can be written, not 1 bytes at 0");
        tell(VhostUser.SET_FEATURES, longs(WITH_ENABLE & ~VirtioFeatures.BLK_CONFIG_WCE));
        assertThat(violation(VhostUser.SET_CONFIG, PLAIN, setWriteback(VirtioBlkConfig.WRITEBACK, 0))).startsWith("refused: SET_CONFIG: VIRTIO 1.3 §5.2.5");
        assertThat(writeback()).isEqualTo((byte) 1);
        // Once the driver has gone nobody knows what the next one accepts.
        tell(VhostUser.GET_VRING_BASE, ints(0, 0));
        reply(VhostUser.GET_VRING_BASE).close();
        tell(VhostUser.SET_CONFIG, setWriteback(VirtioBlkConfig.WRITEBACK, 0));
        assertThat(writeback()).isZero();
    }

    @Test
    void shouldNotTakeFeaturesForTheNextDriversWhileARingIsStarted() throws Exception {
        negotiate(FEATURES & ~VirtioFeatures.BLK_CONFIG_WCE);
        shareMemory();
        setUp(0);
        kick(0);
        tell(VhostUser.GET_VRING_BASE, ints(1, 0));
        reply(VhostUser.GET_VRING_BASE).close();
        assertThat(violation(VhostUser.SET_CONFIG, PLAIN, setWriteback(VirtioBlkConfig.WRITEBACK, 0))).startsWith("refused: SET_CONFIG: VIRTIO 1.3 §5.2.5");
    }

    @Test
    void shouldSetTheCacheModeBeforeTheDriverIsReady() throws Exception {
        tell(VhostUser.SET_CONFIG, setWriteback(VirtioBlkConfig.WRITEBACK, 0));
        assertThat(writeback()).isZero();
    }

    @Test
    void shouldRefuseACacheModeThatCannotBeSavedOnlyWhereThatIsHeard() throws Exception {
        device.device.keepCacheModeIn(new DiskStateFile(Path.of("/proc/none/state")));
        negotiate(WITH_ENABLE);
        assertThat(acknowledged(VhostUser.SET_CONFIG, setWriteback(VirtioBlkConfig.WRITEBACK, 0))).isEqualTo(1);
        try (CapturedLog log = new CapturedLog()) {
            tell(VhostUser.SET_CONFIG, setWriteback(VirtioBlkConfig.WRITEBACK, 0));
            assertThat(log.text()).contains("disk.sock: SET_CONFIG: ", "; the cache mode is lost when this process ends");
        }
        assertThat(device.device.writeThrough()).isTrue();
    }

    // ---- the end

    @Test
    void shouldFreeWhatItHasWhenItIsClosed() throws Exception {
        startAll();
        kick(1);
        List<Supplier<VhostUserServer.RingSnapshot>> snapshots = new ArrayList<>(session.ringSnapshots());
        assertThat(snapshots).hasSize(2);
        closed = true;
        session.close();
        assertThat(states()).containsOnly(RingState.STOPPED);
        assertThat(mappings()).as("the driver's").isEqualTo(1);
        assertThat(stream.payload().scope().isAlive()).isFalse();
    }
}
