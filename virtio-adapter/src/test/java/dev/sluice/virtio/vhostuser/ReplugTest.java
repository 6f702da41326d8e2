package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.EventFd;
import dev.sluice.virtio.driver.BlkRequest;
import dev.sluice.virtio.layout.VirtioFeatures;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * QEMU's {@code device_del} keeps the connection, and {@code device_add} goes through the whole handshake again on it, with the same memory and without
 * having removed it: SET_OWNER begins a session.
 */
final class ReplugTest {
    private static final long FEATURES = RawFrontEnd.FEATURES | VirtioFeatures.EVENT_IDX;

    private static long descriptors() throws IOException {
        try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
            return open.count();
        }
    }

    /** What QEMU sends from GET_FEATURES to the first request. */
    private static void plugIn(RawFrontEnd front) throws IOException {
        front.queue.reset();
        assertThat(front.frontend.features()).isNotZero();
        front.negotiate(FEATURES, RawFrontEnd.PROTOCOL_FEATURES);
        front.frontend.setVringCall(0, front.queue.callFd());
        front.frontend.setVringErr(0, front.queue.errFd());
        front.frontend.addMemReg(front.region);
        front.setUpRing();
        front.frontend.setVringKick(0, front.queue.kickFd());
        front.frontend.setVringEnable(0, true);
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void shouldServeADeviceThatIsPluggedInAgainOnTheSameConnection(boolean stopped) throws IOException {
        try (ServerFixture fixture = ServerFixture.start(2);
                RawFrontEnd front = new RawFrontEnd(fixture, FEATURES)) {
            plugIn(front);
            assertThat(front.reads()).isTrue();
            long before = descriptors();
            for (int i = 0; i < 5; i++) {
                if (stopped) {
                    front.frontend.setVringEnable(0, false);
                    assertThat(front.frontend.vringBase(0)).isEqualTo(1);
                }
                plugIn(front);
                assertThat(front.reads()).isTrue();
            }
            assertThat(descriptors()).isLessThanOrEqualTo(before);
            assertThat(fixture.events.broken.get()).isZero();
        }
    }

    @Test
    void shouldForgetWhatTheSessionBeforeHasBrought() throws IOException {
        try (ServerFixture fixture = ServerFixture.start(1);
                RawFrontEnd front = new RawFrontEnd(fixture, FEATURES)) {
            plugIn(front);
            assertThat(front.reads()).isTrue();
            front.queue.drainCalls();
            // Asks for a reply, and gets one: the protocol features stay.
            front.frontend.setOwner();
            // The next message is served when the state has been noted.
            assertThat(front.frontend.queueNum()).isEqualTo(1);
            VhostUserServer.State state = fixture.server.state();
            assertThat(state.acceptedFeatures()).isZero();
            assertThat(state.protocolFeatures()).isEqualTo(RawFrontEnd.PROTOCOL_FEATURES);
            assertThat(state.rings()).extracting(VhostUserServer.RingSnapshot::state).containsOnly(RingState.STOPPED);
            assertThat(state.rings()).extracting(VhostUserServer.RingSnapshot::size).containsOnly(0);
            // No longer enabled, no size, no addresses, no call: all have to come again, in any order.
            front.queue.reset();
            front.frontend.setFeatures(FEATURES);
            front.shareMemory();
            assertThatThrownBy(() -> front.frontend.setVringKick(0, front.queue.kickFd())).isInstanceOf(IOException.class);
            front.frontend.setVringNum(0, RawFrontEnd.SHAPE.queueSize());
            assertThatThrownBy(() -> front.frontend.setVringKick(0, front.queue.kickFd())).isInstanceOf(IOException.class);
            front.frontend.setVringAddr(0, front.queue.ring());
            front.frontend.setVringKick(0, front.queue.kickFd());
            assertThat(front.queue.submit(BlkRequest.T_FLUSH, 0, 0)).isNotNegative();
            boolean _ = front.queue.armCall(1);
            boolean _ = front.queue.publish();
            assertThat(front.frontend.queueNum()).isEqualTo(1);
            assertThat(fixture.server.state().rings().getFirst().state()).isEqualTo(RingState.DISABLED);
            front.frontend.setVringEnable(0, true);
            ServerFixture.await("completion", () -> front.queue.splitRing().rawUsedIdx() == 1);
            assertThat(EventFd.drain(front.queue.callFd())).as("the call of the session before").isNegative();
        }
    }

    /** Memory that the kernel may write to is not unmapped: SET_OWNER waits for what is in flight, and the driver finds it completed. */
    @Test
    void shouldDrainBeforeItForgets() throws Exception {
        try (ServerFixture fixture = ServerFixture.start(1);
                RawFrontEnd front = new RawFrontEnd(fixture, FEATURES)) {
            plugIn(front);
            fixture.loops.getFirst().run(() -> fixture.sink(0).hold());
            assertThat(front.queue.submit(BlkRequest.T_OUT, 0, 512)).isNotNegative();
            boolean _ = front.queue.publish();
            ServerFixture.await("in flight", () -> fixture.loops.getFirst().call(() -> fixture.sink(0).inFlight()) == 1);
            Thread owner = Thread.ofPlatform().start(() -> {
                try {
                    front.frontend.setOwner();
                } catch (IOException failed) {
                    throw new java.io.UncheckedIOException(failed);
                }
            });
            // It waits for the backend.
            assertThat(owner.join(Duration.ofMillis(200))).isFalse();
            assertThat(front.queue.splitRing().rawUsedIdx()).isZero();
            fixture.loops.getFirst().run(() -> fixture.sink(0).releaseAll());
            owner.join();
            assertThat(front.queue.splitRing().rawUsedIdx()).isEqualTo(1);
            plugIn(front);
            assertThat(front.reads()).isTrue();
        }
    }
}
