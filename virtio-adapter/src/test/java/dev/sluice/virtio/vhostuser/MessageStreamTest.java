package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.sluice.linux.Errno;
import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.linux.ReceivedFds;
import dev.sluice.linux.UnixSocket;
import dev.sluice.virtio.layout.VhostUser;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Messages that come whole, in pieces, too late or not at all, and replies that nobody reads. */
final class MessageStreamTest {
    private static final int V1 = VhostUser.VERSION;
    private static final Duration PATIENCE = Duration.ofSeconds(4);
    /** Of the fake clock: nothing here waits that long. */
    private static final long TIMEOUT_NANOS = TimeUnit.HOURS.toNanos(1);

    private final UnixSocket.Pair sockets = UnixSocket.pair();
    private final UnixSocket peer = sockets.first();
    private final Fd wake = Fd.adopt(EventFd.create(0, EventFd.EFD_CLOEXEC | EventFd.EFD_NONBLOCK));
    private final NativeBlock buffer = NativeMemory.allocate(1024, 8);
    private final AtomicLong nowNanos = new AtomicLong();
    private long stepNanos;
    private final MessageStream stream = new MessageStream(sockets.second(), wake.number(), TIMEOUT_NANOS, this::now);

    MessageStreamTest() throws IOException {}

    @AfterEach
    void close() {
        stream.close();
        sockets.close();
        wake.close();
        buffer.close();
    }

    private long now() {
        return nowNanos.getAndAdd(stepNanos);
    }

    private void sendInts(int... words) {
        MemorySegment.copy(words, 0, buffer.segment(), ValueLayout.JAVA_INT, 0, words.length);
        assertThat(peer.send(buffer.address(), 4 * words.length)).isEqualTo(4 * words.length);
    }

    /** What comes with a descriptor is received for itself, as recvmsg(2) does not join it with what is behind it. */
    private void sendPiece(int... words) {
        MemorySegment.copy(words, 0, buffer.segment(), ValueLayout.JAVA_INT, 0, words.length);
        assertThat(peer.send(buffer.address(), 4 * words.length, wake.number())).isEqualTo(4 * words.length);
    }

    private boolean receive() {
        return assertTimeoutPreemptively(PATIENCE, stream::receive);
    }

    private void assertViolation(String rule) {
        assertTimeoutPreemptively(PATIENCE, () -> assertThatThrownBy(stream::receive).isInstanceOfSatisfying(ProtocolViolation.class, violation -> {
            assertThat(violation.isFatal()).isTrue();
            assertThat(violation.rule()).isEqualTo(rule);
        }));
    }

    // ---- in

    @Test
    void shouldReceiveOneMessageAfterAnother() {
        sendInts(VhostUser.SET_VRING_NUM, V1 | VhostUser.FLAG_NEED_REPLY, 8, 1, 256);
        sendInts(VhostUser.SET_OWNER, V1, 0);
        assertThat(receive()).isTrue();
        assertThat(stream.request()).isEqualTo(VhostUser.SET_VRING_NUM);
        assertThat(stream.needsReply()).isTrue();
        assertThat(stream.payloadBytes()).isEqualTo(8);
        assertThat(stream.payload().asSlice(0, 8).toArray(ValueLayout.JAVA_INT)).containsExactly(1, 256);
        assertThat(stream.fds().count()).isZero();
        assertThat(receive()).isTrue();
        assertThat(stream.request()).isEqualTo(VhostUser.SET_OWNER);
        assertThat(stream.needsReply()).isFalse();
        assertThat(stream.payloadBytes()).isZero();
    }

    @Test
    void shouldJoinAMessageThatComesInPieces() {
        sendPiece(VhostUser.SET_VRING_ADDR);
        sendPiece(V1, 16);
        sendPiece(1, 2, 3);
        sendPiece(4);
        sendInts(VhostUser.SET_OWNER, V1, 0);
        assertThat(receive()).isTrue();
        assertThat(stream.request()).isEqualTo(VhostUser.SET_VRING_ADDR);
        assertThat(stream.payload().asSlice(0, 16).toArray(ValueLayout.JAVA_INT)).containsExactly(1, 2, 3, 4);
        assertThat(stream.fds().count()).isEqualTo(4);
        int first;
        try (Fd taken = stream.fds().take(1)) {
            first = taken.number();
            assertThat(LinuxFile.flags(first)).isNotNegative();
            assertThat(receive()).isTrue();
            assertThat(stream.fds().count()).as("the next message's").isZero();
            assertThat(LinuxFile.flags(first)).as("taken").isNotNegative();
        }
    }

    private int openDescriptors() throws IOException {
        try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
            return (int) open.filter(fd -> LinuxFile.descriptorName(Integer.parseInt(fd.getFileName().toString())).contains("eventfd")).count();
        }
    }

    @Test
    void shouldCloseDescriptorsThatNobodyHasTaken() throws IOException {
        int before = openDescriptors();
        sendPiece(VhostUser.SET_OWNER, V1, 0);
        sendPiece(VhostUser.SET_OWNER, V1, 0);
        assertThat(receive()).isTrue();
        assertThat(openDescriptors()).isEqualTo(before + 1);
        assertThat(receive()).isTrue();
        assertThat(openDescriptors()).isEqualTo(before + 1);
        stream.close();
        assertThat(openDescriptors()).isEqualTo(before);
    }

    @Test
    void shouldFreeItsBuffersWhenItIsClosed() {
        assertThat(stream.payload().scope().isAlive()).isTrue();
        stream.close();
        assertThat(stream.payload().scope().isAlive()).isFalse();
        assertThat(stream.replyPayload().scope().isAlive()).isFalse();
        // Nor is there anything to wait with, also where nothing is to be waited for.
        assertThat(EventFd.signal(wake.number())).isZero();
        assertThatThrownBy(stream::receive).isInstanceOf(IllegalStateException.class);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 2, 3})
    void shouldRefuseAnotherVersion(int version) {
        sendInts(VhostUser.GET_FEATURES, version, 0);
        assertViolation("message has version " + version + ", not 1");
    }

    @Test
    void shouldRefuseAReply() {
        sendInts(VhostUser.GET_FEATURES, V1 | VhostUser.FLAG_REPLY, 0);
        assertViolation("message of request 1 is marked as a reply");
    }

    @Test
    void shouldReceiveTheLargestPayloadAndRefuseALargerOne() {
        int[] largest = new int[3 + MessageStream.MAX_PAYLOAD_BYTES / 4];
        largest[0] = VhostUser.SET_CONFIG;
        largest[1] = V1;
        largest[2] = MessageStream.MAX_PAYLOAD_BYTES;
        largest[largest.length - 1] = 0x7777;
        sendInts(largest);
        assertThat(receive()).isTrue();
        assertThat(stream.payloadBytes()).isEqualTo(268);
        assertThat(stream.payload().get(ValueLayout.JAVA_INT, 264)).isEqualTo(0x7777);
        sendInts(VhostUser.SET_CONFIG, V1, 269);
        assertViolation("message of request 25 has a payload of 269 bytes; the most is 268");
        sendInts(VhostUser.SET_CONFIG, V1, -1);
        assertViolation("message of request 25 has a payload of 4294967295 bytes; the most is 268");
    }

    @ParameterizedTest
    @CsvSource({"9, false", "10, true"})
    void shouldTakeOneDescriptorMoreThanAMessageMayBringSoThatItIsSeen(int count, boolean tooMany) {
        int[] fds = new int[count];
        Arrays.fill(fds, wake.number());
        MemorySegment.copy(new int[] {VhostUser.SET_OWNER, V1, 0}, 0, buffer.segment(), ValueLayout.JAVA_INT, 0, 3);
        assertThat(peer.send(buffer.address(), 12, fds)).isEqualTo(12);
        if (tooMany) {
            assertViolation("message of request 3 brings more than 9 file descriptors");
        } else {
            assertThat(receive()).isTrue();
            assertThat(stream.fds().count()).isEqualTo(9);
        }
    }

    // ---- the end

    @Test
    void shouldEndWhenThePeerHasClosed() {
        sendInts(VhostUser.SET_OWNER, V1, 0);
        peer.close();
        assertThat(receive()).isTrue();
        assertThat(receive()).isFalse();
    }

    /** unix(7): ECONNRESET where something was not read at the other end. */
    @Test
    void shouldEndWhenThePeerHasClosedWithoutReadingItsReply() throws Exception {
        sendInts(VhostUser.GET_QUEUE_NUM, V1, 0);
        assertThat(receive()).isTrue();
        stream.replyWith(1);
        peer.close();
        assertThat(receive()).isFalse();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4})
    void shouldSayThatTheConnectionEndedWithinAMessage(int words) {
        sendInts(Arrays.copyOf(new int[] {VhostUser.SET_VRING_NUM, V1, 8, 0}, words));
        peer.close();
        assertViolation("connection ended within a message");
    }

    @Test
    void shouldEndWhenItIsWokenWhateverElseThereIs() {
        assertThat(EventFd.signal(wake.number())).isZero();
        assertThat(receive()).isFalse();
        sendInts(VhostUser.SET_OWNER, V1, 0);
        assertThat(receive()).isFalse();
    }

    @Test
    void shouldEndWhenItIsWokenWithinAMessage() {
        sendPiece(VhostUser.SET_VRING_NUM, V1, 8);
        stepNanos = 1;
        Thread waker = Thread.ofPlatform().start(() -> {
            ServerFixture.await("the header has been read", () -> nowNanos.get() > 1);
            assertThat(EventFd.signal(wake.number())).isZero();
        });
        assertThat(receive()).isFalse();
        assertTimeoutPreemptively(PATIENCE, () -> waker.join());
    }

    @Test
    void shouldThrowWhenTheSocketFails() throws Exception {
        // recvmsg(2) on a socket that listens is EINVAL.
        Path path = Files.createTempDirectory("sluice-stream").resolve("s");
        try (UnixSocket listening = UnixSocket.listenAt(path.toString(), 1);
                UnixSocket _ = UnixSocket.connectTo(path.toString());
                MessageStream failing = new MessageStream(listening, wake.number(), TIMEOUT_NANOS)) {
            assertTimeoutPreemptively(PATIENCE, () -> assertThatThrownBy(failing::receive)
                    .isInstanceOf(IOException.class)
                    .hasMessageStartingWith("recvmsg: EINVAL"));
        } finally {
            Files.delete(path);
            Files.delete(path.getParent());
        }
    }

    // ---- time

    @Test
    void shouldWaitForTheFirstByteWithoutLimit() {
        // Three times the limit between any two looks at the clock, and before the first one.
        nowNanos.set(3 * TIMEOUT_NANOS);
        stepNanos = 3 * TIMEOUT_NANOS;
        Thread late = Thread.ofPlatform().start(() -> {
            // A receiver that would not wait has ended by then; one that does is not disturbed by how long this takes.
            LockSupport.parkNanos(20_000_000);
            sendInts(VhostUser.SET_OWNER, V1, 0);
        });
        assertThat(receive()).isTrue();
        assertTimeoutPreemptively(PATIENCE, () -> late.join());
    }

    @Test
    void shouldWaitForTheRestOfAMessageThatHasTime() {
        stepNanos = 1;
        nowNanos.set(TIMEOUT_NANOS * 5);
        sendPiece(VhostUser.SET_VRING_NUM, V1, 8);
        Thread late = Thread.ofPlatform().start(() -> {
            ServerFixture.await("the header has been read", () -> nowNanos.get() > TIMEOUT_NANOS * 5 + 1);
            sendInts(1, 2);
        });
        assertThat(receive()).isTrue();
        assertTimeoutPreemptively(PATIENCE, () -> late.join());
    }

    /** Each piece comes in time after the one before it, and the whole does not. */
    @Test
    void shouldCountTheTimeFromTheFirstByteOfAMessage() {
        stepNanos = TIMEOUT_NANOS * 2 / 3;
        sendPiece(VhostUser.SET_VRING_NUM);
        sendPiece(V1, 8);
        assertViolation("message was not complete 3600000 ms after it began");
    }

    @Test
    void shouldCountTheTimeOfEachMessageForItself() {
        stepNanos = TIMEOUT_NANOS * 2 / 3;
        for (int i = 0; i < 3; i++) {
            sendPiece(VhostUser.SET_VRING_NUM, V1, 8);
            sendPiece(1, 2);
            assertThat(receive()).isTrue();
        }
    }

    // ---- out

    private int[] reply(int words) {
        try (ReceivedFds none = new ReceivedFds()) {
            assertThat(peer.receive(buffer.address(), 4 * words + 4, none)).isEqualTo(4 * words);
            return buffer.segment().asSlice(0, 4L * words).toArray(ValueLayout.JAVA_INT);
        }
    }

    @Test
    void shouldReplyToTheMessageReceivedLast() throws Exception {
        assertThat(peer.receiveTimeout(PATIENCE.toMillis())).isZero();
        for (int i = 1; i <= 2; i++) {
            sendInts(VhostUser.GET_QUEUE_NUM + i, V1 | VhostUser.FLAG_NEED_REPLY, 0);
            assertThat(receive()).isTrue();
            stream.replyWith(0x5_0000_0000L + i);
            assertThat(reply(5)).containsExactly(VhostUser.GET_QUEUE_NUM + i, V1 | VhostUser.FLAG_REPLY, 8, i, 5);
        }
        stream.replyPayload().setAtIndex(ValueLayout.JAVA_INT, 0, 11);
        stream.replyPayload().setAtIndex(ValueLayout.JAVA_INT, 1, 12);
        stream.sendReply(4);
        assertThat(reply(4)).containsExactly(VhostUser.GET_QUEUE_NUM + 2, V1 | VhostUser.FLAG_REPLY, 4, 11);
        stream.sendReply(0);
        assertThat(reply(3)).containsExactly(VhostUser.GET_QUEUE_NUM + 2, V1 | VhostUser.FLAG_REPLY, 0);
    }

    /** Room for a reply is not a message: with the wrong events it would read where there is nothing. */
    @Test
    void shouldStillNoticeTheRestOfAMessageThatIsLateWhenItHasReplied() throws Exception {
        sendInts(VhostUser.GET_QUEUE_NUM, V1, 0);
        assertThat(receive()).isTrue();
        stream.replyWith(1);
        stepNanos = TIMEOUT_NANOS * 2;
        sendInts(VhostUser.SET_VRING_NUM);
        assertViolation("message was not complete 3600000 ms after it began");
    }

    private void fillTheSocket() {
        Fd out = sockets.second().fd();
        assertThat(LinuxFile.setNonBlocking(out.number(), true)).isZero();
        int result;
        do {
            result = sockets.second().send(buffer.address(), 1024);
        } while (result > 0);
        assertThat(result).isEqualTo(-Errno.EAGAIN);
    }

    @Test
    void shouldNotWaitForAPeerThatDoesNotReadItsReplies() {
        fillTheSocket();
        stepNanos = 2 * TIMEOUT_NANOS;
        assertTimeoutPreemptively(PATIENCE, () -> assertThatThrownBy(() -> stream.replyWith(1))
                .isInstanceOfSatisfying(ProtocolViolation.class, violation -> {
                    assertThat(violation.isFatal()).isTrue();
                    assertThat(violation.rule()).isEqualTo("front end does not read its replies");
                }));
    }

    @Test
    void shouldWaitForAPeerThatReadsItsRepliesLate() {
        fillTheSocket();
        stepNanos = 1;
        Thread reader = Thread.ofPlatform().start(() -> {
            ServerFixture.await("the wait for room", () -> nowNanos.get() > 1);
            try (NativeBlock read = NativeMemory.allocate(1 << 20, 8);
                    ReceivedFds none = new ReceivedFds()) {
                assertThat(peer.receive(read.address(), 1 << 20, none)).isPositive();
            }
        });
        assertTimeoutPreemptively(PATIENCE, () -> stream.replyWith(1));
        assertTimeoutPreemptively(PATIENCE, () -> reader.join());
    }

    @Test
    void shouldNotWaitForAPeerWhenTheServerCloses() {
        fillTheSocket();
        assertThat(EventFd.signal(wake.number())).isZero();
        assertTimeoutPreemptively(PATIENCE, () -> assertThatThrownBy(() -> stream.replyWith(1))
                .isInstanceOf(ProtocolViolation.class)
                .hasMessage("this back end is closing"));
    }

    @Test
    void shouldThrowWhenThePeerHasGoneBeforeItsReply() {
        peer.close();
        assertTimeoutPreemptively(PATIENCE, () -> assertThatThrownBy(() -> stream.replyWith(1))
                .isInstanceOf(IOException.class)
                .hasMessageStartingWith("sendmsg: EPIPE"));
    }
}
