package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.CapturedLog;
import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.linux.UnixSocket;
import dev.sluice.pipeline.FrontEndObserver.ConnectionEvent;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.virtio.blk.CacheMode;
import dev.sluice.virtio.driver.VhostUserFrontend;
import dev.sluice.virtio.layout.VhostUser;
import dev.sluice.virtio.layout.VirtioFeatures;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A server from its settings to its end: what it refuses, what it says about its front ends, and that it gives back what it has opened. */
final class ServerLifeTest {
    @TempDir
    Path directory;

    private final ServerFixture fixture = ServerFixture.start(1);

    ServerLifeTest() throws IOException {}

    @AfterEach
    void close() throws IOException {
        fixture.close();
    }

    private VhostUserServerBuilder settings() {
        return VhostUserServer.builder().pipeline(fixture.pipeline).observer(fixture.events).loops(List.copyOf(fixture.loops));
    }

    private Path socket() {
        return directory.resolve("s");
    }

    private VhostUserFrontend connect() throws IOException {
        return VhostUserFrontend.connect(socket().toString(), Duration.ofSeconds(20));
    }

    // ---- settings

    @Test
    void shouldNameTheSettingThatIsOutOfBounds() {
        Map<String, UnaryOperator<VhostUserServerBuilder>> refused = Map.of(
                "number of queues 0 is not from 1 to 256", builder -> builder.numQueues(0),
                "number of queues 257 is not from 1 to 256", builder -> builder.numQueues(257),
                "seg_max 0 is not from 1 to 1022", builder -> builder.segMax(0),
                "seg_max 1023 is not from 1 to 1022", builder -> builder.segMax(1023),
                "queue size 1 is not from 2 to 32768", builder -> builder.queueSize(1),
                "queue size 65536 is not from 2 to 32768", builder -> builder.queueSize(65_536),
                "queue size 96 is not a power of two", builder -> builder.queueSize(96),
                "queue -1 is not from 0 to 0", builder -> builder.loopOfQueue(Map.of(-1, 0)),
                "queue 1 is not from 0 to 0", builder -> builder.loopOfQueue(Map.of(1, 0)),
                "loop of queue 0: 1 is not from 0 to 0", builder -> builder.loopOfQueue(Map.of(0, 1)));
        refused.forEach((message, setting) -> assertThatThrownBy(() -> setting.apply(settings().socketPath(socket())).build())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(message));
        List<UnaryOperator<VhostUserServerBuilder>> taken = List.of(
                builder -> builder.numQueues(1).segMax(1).queueSize(2),
                builder -> builder.numQueues(256).segMax(1022).queueSize(32_768),
                builder -> builder.loopOfQueue(Map.of(0, 0)));
        taken.forEach(setting -> setting.apply(settings().socketPath(socket())).build().close());
    }

    @Test
    void shouldRequireAPipelineALoopAndOnePlaceToServeAt() {
        String parts = "a server needs a pipeline and at least one loop";
        assertThatThrownBy(() -> VhostUserServer.builder().socketPath(socket()).loops(List.copyOf(fixture.loops)).build()).hasMessage(parts);
        assertThatThrownBy(() -> VhostUserServer.builder().socketPath(socket()).pipeline(fixture.pipeline).build()).hasMessage(parts);
        String place = "a server needs either a socket path or a file descriptor";
        assertThatThrownBy(() -> settings().build()).hasMessage(place);
        assertThatThrownBy(() -> settings().socketPath(socket()).fd(900_000).build()).hasMessage(place);
        settings().fd(0).build();
    }

    @Test
    void shouldNameWhereItServes() throws IOException {
        try (VhostUserServer server = settings().socketPath(socket()).build()) {
            assertThat(server).hasToString("vhost-user-blk at " + socket());
            assertThat(server.state().address()).isEqualTo(socket().toString());
        }
        int number = UnixSocket.listenAt(socket().toString(), 1).fd().release();
        try (VhostUserServer server = settings().fd(number).build()) {
            assertThat(server.state().address()).isEqualTo("fd " + number);
        }
    }

    @Test
    void shouldStartOnce() throws IOException {
        try (VhostUserServer server = settings().socketPath(socket()).build()) {
            server.start();
            assertThatThrownBy(server::start).isInstanceOf(IllegalStateException.class).hasMessage("server of " + socket() + " was started before");
        }
        try (Fd file = LinuxFile.openOrThrow(directory.toString(), LinuxFile.O_RDONLY, 0);
                VhostUserServer server = settings().fd(file.number()).build()) {
            assertThatThrownBy(server::start).isInstanceOf(IOException.class).hasMessageContaining("AF_UNIX");
            assertThatThrownBy(server::start)
                    .isInstanceOf(IOException.class)
                    .hasMessage("fd " + file.number() + ": the server could not be started before: build another one");
        }
    }

    // ---- what it opens

    private static long descriptors() throws IOException {
        try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
            return open.count();
        }
    }

    @Test
    void shouldGiveBackWhatItHasOpened() throws Exception {
        for (int i = 0; i < 2; i++) {
            long before = descriptors();
            // One loop, named twice.
            List<IoLoop> loops = List.of(fixture.loops.getFirst(), fixture.loops.getFirst());
            VhostUserServer server = settings().socketPath(socket()).numQueues(2).loops(loops).build();
            server.start();
            try (RawFrontEnd front = new RawFrontEnd(connect(), RawFrontEnd.FEATURES)) {
                assertThat(front.frontend.queueNum()).isEqualTo(2);
            }
            server.close();
            server.close();
            assertThat(Thread.interrupted()).isFalse();
            server.awaitEnd();
            // The first time some stays: classes, the sink of the loop.
            assertThat(descriptors()).isLessThanOrEqualTo(i == 0 ? Long.MAX_VALUE : before);
            assertThat(socket()).doesNotExist();
        }
    }

    @Test
    void shouldStayInterruptedWhenItsCloserIs() throws Exception {
        VhostUserServer server = settings().socketPath(socket()).build();
        server.start();
        Thread.currentThread().interrupt();
        server.close();
        assertThat(Thread.interrupted()).isTrue();
        server.close();
        assertThat(Thread.interrupted()).isFalse();
        server.awaitEnd();
    }

    // ---- what it says

    @Test
    void shouldShowItsStateWhileAFrontEndIsThereAndAfter() throws Exception {
        long offered = fixture.server.state().offeredFeatures();
        VhostUserServer.State nobody = new VhostUserServer.State(fixture.socket.toString(), false, 0, 0, offered, 0, 0, false, List.of());
        assertThat(nobody.offeredFeatures() & VirtioFeatures.BLK_FLUSH).isNotZero();
        assertThat(fixture.server.state()).isEqualTo(nobody);
        try (RawFrontEnd front = RawFrontEnd.running(fixture)) {
            assertThat(front.reads()).isTrue();
            assertThat(fixture.server.state().needsReset()).isFalse();
            assertThat(fixture.server.state().protocolFeatures()).isEqualTo(RawFrontEnd.PROTOCOL_FEATURES);
            front.queue.splitRing().rawAvailIdx(0x4000);
            front.queue.kick();
            ServerFixture.await("the queue is broken", () -> fixture.server.state().needsReset());
            // The control thread notes that the ring is enabled when the loop may have served it already.
            List<VhostUserServer.RingSnapshot> broken =
                    List.of(new VhostUserServer.RingSnapshot(0, RingState.ENABLED, RawFrontEnd.SHAPE.queueSize(), "loop-0", true));
            ServerFixture.await("the state of the ring", () -> fixture.server.state().rings().equals(broken));
        }
        ServerFixture.await("the end of the connection", () -> !fixture.server.state().connected());
        ServerFixture.await("its state", () -> fixture.server.state().equals(nobody));
    }

    /** A line for each; in order, as the control thread writes them. */
    @Test
    void shouldLogWhoConnectsAndHowThatEnds() throws Exception {
        long pid = ProcessHandle.current().pid();
        try (CapturedLog log = new CapturedLog()) {
            VhostUserServer server = settings().socketPath(socket()).build();
            server.start();
            try (RawFrontEnd front = new RawFrontEnd(connect(), RawFrontEnd.FEATURES)) {
                assertThat(front.frontend.queueNum()).isEqualTo(1);
            }
            try (RawFrontEnd front = new RawFrontEnd(connect(), RawFrontEnd.FEATURES)) {
                front.frontend.send(VhostUser.SET_FEATURES, VhostUser.VERSION, MemorySegment.ofArray(new long[] {1L << 60}));
                ServerFixture.await("hung up", front.frontend.connection()::hungUp);
            }
            // More than are logged: the last line says how many.
            for (int i = 0; i < 30; i++) {
                try (RawFrontEnd front = new RawFrontEnd(connect(), RawFrontEnd.FEATURES)) {
                    front.frontend.send(VhostUser.SET_FEATURES, VhostUser.VERSION, MemorySegment.ofArray(new long[] {1L << 60}));
                    ServerFixture.await("hung up", front.frontend.connection()::hungUp);
                }
            }
            server.close();
            assertThat(log.text()).containsSubsequence(
                    socket() + ": front end connected, process " + pid,
                    socket() + ": front end disconnected",
                    socket() + ": front end connected, process " + pid,
                    socket() + ": SET_FEATURES: VIRTIO 1.3 §2.2.1",
                    "; the connection ends",
                    " more lines about front ends were not logged");
        }
    }

    @Test
    void shouldLogThatAConnectionIsBroken() throws Exception {
        try (CapturedLog log = new CapturedLog();
                UnixSocket deaf = UnixSocket.connectTo(fixture.socket.toString());
                NativeBlock message = NativeMemory.allocate(VhostUser.HEADER_SIZE, 8)) {
            // Its replies find nobody: EPIPE.
            assertThat(deaf.shutdown(UnixSocket.SHUT_RD)).isZero();
            VhostUser.u32(message.segment(), VhostUser.HEADER_REQUEST, VhostUser.GET_QUEUE_NUM);
            VhostUser.u32(message.segment(), VhostUser.HEADER_FLAGS, VhostUser.VERSION);
            assertThat(deaf.send(message.address(), VhostUser.HEADER_SIZE)).isEqualTo(VhostUser.HEADER_SIZE);
            ServerFixture.await("the end", () -> fixture.events.connections.size() == 2);
            assertThat(fixture.events.connections).containsExactly(ConnectionEvent.CONNECTED, ConnectionEvent.FAILED);
            assertThat(log.text()).contains(fixture.socket + ": the connection ends: sendmsg: EPIPE");
        }
    }

    @Test
    void shouldSayThatTheCacheModeIsLostWhereThereIsNoPathForIt() throws Exception {
        for (CacheMode mode : CacheMode.values()) {
            try (CapturedLog log = new CapturedLog();
                    UnixSocket.Pair pair = UnixSocket.pair();
                    VhostUserServer server = settings().fd(pair.second().fd().release()).cacheMode(mode).build()) {
                server.start();
                pair.first().close();
                server.awaitEnd();
                assertThat(log.text().contains("a cache mode that the guest sets is lost with this process")).isEqualTo(mode == CacheMode.GUEST);
            }
        }
    }

    /** A loop that throws this when a ring is to be watched. */
    private static IoLoop failing(IoLoop loop, Throwable thrown) {
        return (IoLoop) Proxy.newProxyInstance(IoLoop.class.getClassLoader(), new Class<?>[] {IoLoop.class}, (proxy, method, arguments) -> {
            if (method.getName().equals("onReadable")) {
                throw thrown;
            }
            try {
                return method.invoke(loop, arguments);
            } catch (InvocationTargetException failed) {
                throw failed.getCause();
            }
        });
    }

    @Test
    void shouldLogWhatFailedOnItsOwnSideAndServeTheNextFrontEnd() throws Exception {
        Map<Throwable, String> failures = Map.of(
                new OutOfMemoryError("simulated"), "there is not enough memory for what the front end asks for; the connection ends",
                new IllegalStateException("simulated"), "the connection ends on an error of Sluice");
        for (Map.Entry<Throwable, String> failure : failures.entrySet()) {
            try (CapturedLog log = new CapturedLog();
                    VhostUserServer server = settings().socketPath(socket()).loops(List.of(failing(fixture.loops.getFirst(), failure.getKey()))).build()) {
                server.start();
                fixture.events.connections.clear();
                try (RawFrontEnd front = new RawFrontEnd(connect(), RawFrontEnd.FEATURES)) {
                    front.negotiate(RawFrontEnd.FEATURES, RawFrontEnd.PROTOCOL_FEATURES);
                    front.shareMemory();
                    front.setUpRing();
                    assertThatThrownBy(() -> front.frontend.setVringKick(0, front.queue.kickFd())).isInstanceOf(IOException.class);
                }
                ServerFixture.await("the event", () -> fixture.events.connections.size() == 2);
                assertThat(fixture.events.connections).containsExactly(ConnectionEvent.CONNECTED, ConnectionEvent.FAILED);
                try (RawFrontEnd next = new RawFrontEnd(connect(), RawFrontEnd.FEATURES)) {
                    assertThat(next.frontend.queueNum()).isEqualTo(1);
                    assertThat(server.state().acceptedFeatures()).as("of the one before").isZero();
                }
                assertThat(log.text()).contains(socket() + ": " + failure.getValue());
            }
        }
    }
}
