package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.UnixSocket;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.FrontEndObserver;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.PipelineObserver;
import dev.sluice.virtio.driver.BlockDriver;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What remains of a server when something on our side goes wrong, or comes at the wrong time. */
final class ServerFailureTest {
    @TempDir
    Path directory;

    /** A loop that has no memory for the first watch. */
    private static IoLoop withoutMemoryOnce(IoLoop loop, AtomicInteger thrown) {
        return (IoLoop) Proxy.newProxyInstance(IoLoop.class.getClassLoader(), new Class<?>[] {IoLoop.class}, (proxy, method, arguments) -> {
            if (method.getName().equals("onReadable") && thrown.getAndIncrement() == 0) {
                throw new OutOfMemoryError("simulated");
            }
            try {
                return method.invoke(loop, arguments);
            } catch (InvocationTargetException failed) {
                throw failed.getCause();
            }
        });
    }

    @Test
    void shouldServeTheNextConnectionWhenOneHasEndedInAnError() throws Exception {
        AtomicInteger watches = new AtomicInteger();
        try (ServerFixture fixture = ServerFixture.start(1)) {
            Path path = directory.resolve("s");
            try (VhostUserServer server = VhostUserServer.builder()
                    .socketPath(path)
                    .pipeline(fixture.pipeline)
                    .loops(List.of(withoutMemoryOnce(fixture.loops.getFirst(), watches)))
                    .build()) {
                server.start();
                assertThatThrownBy(() -> BlockDriver.open(path.toString(), ServerFixture.options(1)).close()).isInstanceOf(IOException.class);
                assertThat(watches.get()).isEqualTo(1);
                try (BlockDriver driver = BlockDriver.open(path.toString(), ServerFixture.options(1))) {
                    driver.disk(0).write(0, MemorySegment.ofArray(new byte[512]));
                }
            }
        }
    }

    @Test
    @Timeout(60)
    void shouldTellWhyItEndedWhenTheSocketFails() throws Exception {
        try (ServerFixture fixture = ServerFixture.start(1)) {
            UnixSocket listening = UnixSocket.listenAt(directory.resolve("s").toString(), 1);
            // poll(2): POLLHUP from now on.
            assertThat(listening.shutdown(UnixSocket.SHUT_RDWR)).isZero();
            int number = listening.fd().release();
            try (VhostUserServer server =
                    VhostUserServer.builder().fd(number).pipeline(fixture.pipeline).loops(List.copyOf(fixture.loops)).build()) {
                server.start();
                assertThatThrownBy(server::awaitEnd)
                        .isInstanceOf(IOException.class)
                        .hasMessageContaining("fd " + number + ": the server ended: the listening socket was shut down");
            }
        }
    }

    @Test
    void shouldNotStartWhenClosedBefore() throws Exception {
        try (ServerFixture fixture = ServerFixture.start(1)) {
            Path path = directory.resolve("s");
            VhostUserServer server = VhostUserServer.builder().socketPath(path).pipeline(fixture.pipeline).loops(List.copyOf(fixture.loops)).build();
            server.close();
            assertThatThrownBy(server::start).isInstanceOf(IOException.class).hasMessageContaining("closed before");
            assertThat(path).doesNotExist();
            server.awaitEnd();
            server.close();
        }
    }

    @Test
    void shouldCloseTheDescriptorThatItWasGivenWhenItServesNobody() throws Exception {
        try (ServerFixture fixture = ServerFixture.start(1)) {
            VhostUserServerBuilder builder = VhostUserServer.builder().pipeline(fixture.pipeline).loops(List.copyOf(fixture.loops));

            int listening = UnixSocket.listenAt(directory.resolve("s").toString(), 1).fd().release();
            VhostUserServer neverStarted = builder.fd(listening).build();
            assertThat(LinuxFile.flags(listening)).isNotNegative();
            neverStarted.close();
            assertThat(LinuxFile.flags(listening)).isNegative();

        }
    }

    /** A number that was not passed is this process's own file, as the JVM's, which does not survive its close. */
    @Test
    void shouldLeaveADescriptorAloneThatIsNoSocket() throws Exception {
        try (ServerFixture fixture = ServerFixture.start(1);
                Fd file = LinuxFile.openOrThrow(directory.toString(), LinuxFile.O_RDONLY, 0)) {
            VhostUserServerBuilder builder = VhostUserServer.builder().fd(file.number()).pipeline(fixture.pipeline).loops(List.copyOf(fixture.loops));

            VhostUserServer neverConnected = builder.build();
            assertThatThrownBy(neverConnected::start).isInstanceOf(IOException.class).hasMessageContaining("AF_UNIX");
            neverConnected.close();
            builder.build().close();
            assertThat(LinuxFile.flags(file.number())).isNotNegative();
            assertThatThrownBy(() -> builder.fd(-1)).isInstanceOf(IllegalArgumentException.class).hasMessageStartingWith("-1 is not a file descriptor");
        }
    }

    @Test
    void shouldEndWhenClosedWhileItStarts() throws Exception {
        try (ServerFixture fixture = ServerFixture.start(1)) {
            for (int i = 0; i < 50; i++) {
                Path path = directory.resolve("s" + i);
                VhostUserServer server = VhostUserServer.builder().socketPath(path).pipeline(fixture.pipeline).loops(List.copyOf(fixture.loops)).build();
                Thread closer = Thread.ofPlatform().start(server::close);
                try {
                    server.start();
                } catch (IOException closedFirst) {
                    assertThat(closedFirst).hasMessageContaining("closed before");
                }
                closer.join();
                server.awaitEnd();
                assertThat(path).doesNotExist();
            }
        }
    }

    /** Told of anything, it throws. */
    private static final PipelineObserver THROWING = new PipelineObserver() {
        @Override
        public void kicked(int queue) {
            throw new IllegalStateException("kicked");
        }

        @Override
        public void published(int queue, int elements, boolean called) {
            throw new IllegalStateException("published");
        }

        @Override
        public void queueEvent(int queue, QueueEvent event) {
            throw new AssertionError(event);
        }

        @Override
        public void taken(int queue, int requests, int inFlight) {
            throw new IllegalStateException("taken");
        }
    };

    private static final FrontEndObserver THROWING_AT_CONNECTIONS = new FrontEndObserver() {
        @Override
        public void connectionEvent(ConnectionEvent event, int peerPid) {
            throw new AssertionError(event);
        }
    };

    @Test
    void shouldServeAndEndWhenTheObserversThrow() throws Exception {
        Path path = directory.resolve("s");
        try (ServerFixture fixture = ServerFixture.start(1);
                BlockPipeline pipeline = BlockPipeline.builder().backend(fixture.backend).observer(THROWING).build();
                VhostUserServer server = VhostUserServer.builder()
                        .socketPath(path).serial("s").pipeline(pipeline).observer(THROWING_AT_CONNECTIONS).loops(List.copyOf(fixture.loops)).build()) {
            server.start();
            for (int i = 0; i < 2; i++) {
                try (BlockDriver driver = BlockDriver.open(path.toString(), ServerFixture.options(1))) {
                    for (int j = 0; j < 20; j++) {
                        driver.disk(0).write(512L * j, MemorySegment.ofArray(new byte[512]));
                    }
                    driver.restart();
                    driver.disk(0).flush();
                }
            }
        }
    }
}
