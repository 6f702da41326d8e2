package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import dev.sluice.virtio.driver.BlkRequest;
import dev.sluice.virtio.layout.VirtioFeatures;
import java.io.IOException;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A driver that waits for a call gets it, also where the descriptor for it comes late, is another one than before, or its former back end has crashed; and
 * no other call but one for each descriptor that comes to a started ring.
 */
final class OwedCallTest {
    private static final int RESUMED_AT = 5;

    private static void assertCalled(RawFrontEnd front) {
        ServerFixture.await("the call", () -> EventFd.drain(front.queue.callFd()) > 0);
    }

    /** Answers come in order on the loop, so what it did before one is seen after it. */
    private static void assertNotCalled(ServerFixture fixture, RawFrontEnd front) throws Exception {
        for (int i = 0; i < 2; i++) {
            fixture.loops.getFirst().run(() -> {});
            assertThat(front.frontend.queueNum()).isEqualTo(1);
        }
        assertThat(EventFd.drain(front.queue.callFd())).isEqualTo(-Errno.EAGAIN);
    }

    private static void startWithoutCall(RawFrontEnd front, int base) throws IOException {
        front.shareMemory();
        front.frontend.setVringNum(0, RawFrontEnd.SHAPE.queueSize());
        front.frontend.setVringBase(0, base);
        front.frontend.setVringAddr(0, front.queue.ring());
        front.frontend.setVringKick(0, front.queue.kickFd());
    }

    @ParameterizedTest
    @ValueSource(longs = {0, VirtioFeatures.EVENT_IDX})
    void shouldCallWhenTheDescriptorComesAfterTheCompletion(long more) throws Exception {
        long features = RawFrontEnd.FEATURES | more;
        try (ServerFixture fixture = ServerFixture.start(1);
                RawFrontEnd front = new RawFrontEnd(fixture, features)) {
            // Without bit 30 the kick starts and enables the ring, and the call descriptor comes behind it.
            front.frontend.setFeatures(features & ~VirtioFeatures.VHOST_USER_PROTOCOL_FEATURES);
            startWithoutCall(front, 0);
            assertThat(front.queue.submit(BlkRequest.T_FLUSH, 0, 0)).isNotNegative();
            boolean _ = front.queue.armCall(1);
            boolean _ = front.queue.publish();
            ServerFixture.await("completion", () -> front.queue.splitRing().rawUsedIdx() == 1);
            front.frontend.setVringCall(0, front.queue.callFd());
            assertCalled(front);
            assertNotCalled(fixture, front);
        }
    }

    /** As libvhost-user does; QEMU's {@code vhost-user-blk-test}, case {@code idx}, unmasks its vector and waits for it. */
    @ParameterizedTest
    @ValueSource(longs = {0, VirtioFeatures.EVENT_IDX})
    void shouldCallWheneverADescriptorComesToAStartedRing(long more) throws Exception {
        long features = RawFrontEnd.FEATURES | more;
        try (ServerFixture fixture = ServerFixture.start(1);
                RawFrontEnd front = RawFrontEnd.running(fixture, features)) {
            for (int i = 0; i < 3; i++) {
                assertThat(front.reads()).isTrue();
                front.queue.drainCalls();
                front.frontend.setVringCall(0, front.queue.callFd());
                assertCalled(front);
                assertNotCalled(fixture, front);
                front.frontend.setVringCallNone(0);
                front.frontend.setVringErr(0, front.queue.errFd());
                assertNotCalled(fixture, front);
                // The next read waits for its call.
                front.frontend.setVringCall(0, front.queue.callFd());
                assertCalled(front);
            }
            // Disabled, it is started all the same; stopped it is not.
            front.frontend.setVringEnable(0, false);
            front.frontend.setVringCall(0, front.queue.callFd());
            assertCalled(front);
            int _ = front.frontend.vringBase(0);
            front.frontend.setVringCall(0, front.queue.callFd());
            assertNotCalled(fixture, front);
        }
    }

    /** VIRTIO 1.3 §2.7.10: three completions without a call, as used_event says; then the vector is unmasked, with a descriptor of its own. */
    @org.junit.jupiter.api.Test
    void shouldCallThroughTheNewDescriptorWhenAVectorIsUnmasked() throws Exception {
        long features = RawFrontEnd.FEATURES | VirtioFeatures.EVENT_IDX;
        try (ServerFixture fixture = ServerFixture.start(1);
                RawFrontEnd front = RawFrontEnd.running(fixture, features);
                Fd masked = Fd.adopt(EventFd.create(0, EventFd.EFD_NONBLOCK | EventFd.EFD_CLOEXEC))) {
            assertThat(front.reads()).isTrue();
            front.frontend.setVringCall(0, masked.number());
            front.queue.drainCalls();
            for (int i = 0; i < 3; i++) {
                int done = front.queue.splitRing().rawUsedIdx();
                assertThat(front.queue.submit(BlkRequest.T_FLUSH, 0, 0)).isNotNegative();
                boolean _ = front.queue.publish();
                ServerFixture.await("completion", () -> front.queue.splitRing().rawUsedIdx() == done + 1);
                assertThat(front.queue.poll((slot, status, written) -> {})).isEqualTo(1);
            }
            assertNotCalled(fixture, front);
            front.frontend.setVringCall(0, front.queue.callFd());
            assertCalled(front);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, VirtioFeatures.EVENT_IDX})
    void shouldCallOnceWhenTheRingWasUsedBeforeTheConnection(long more) throws Exception {
        // A back end that is killed between its used index and its call leaves a driver that waits for nothing else.
        long features = RawFrontEnd.FEATURES | more;
        try (ServerFixture fixture = ServerFixture.start(1);
                RawFrontEnd front = new RawFrontEnd(fixture, features)) {
            front.queue.ring().startAt(RESUMED_AT);
            front.negotiate(features, RawFrontEnd.PROTOCOL_FEATURES);
            startWithoutCall(front, RESUMED_AT);
            front.frontend.setVringCall(0, front.queue.callFd());
            front.frontend.setVringEnable(0, true);
            assertCalled(front);
            assertThat(front.reads()).isTrue();
            front.queue.drainCalls();
            // Stopped in peace, nothing is owed until a descriptor comes.
            assertThat(front.frontend.vringBase(0)).isEqualTo(RESUMED_AT + 1);
            front.frontend.setVringCall(0, front.queue.callFd());
            assertNotCalled(fixture, front);
            startWithoutCall(front, RESUMED_AT + 1);
            front.frontend.setVringEnable(0, true);
            assertCalled(front);
            assertNotCalled(fixture, front);
        }
    }

    /**
     * QEMU gives the descriptor before it starts the ring and never again; its {@code vhost-user-blk-test}, case {@code idx}, waits for the call all
     * the same.
     */
    @ParameterizedTest
    @ValueSource(longs = {0, VirtioFeatures.EVENT_IDX})
    void shouldCallOnceWhenTheRingStarts(long more) throws Exception {
        long features = RawFrontEnd.FEATURES | more;
        try (ServerFixture fixture = ServerFixture.start(1);
                RawFrontEnd front = RawFrontEnd.running(fixture, features)) {
            assertCalled(front);
            assertNotCalled(fixture, front);
            assertThat(front.reads()).isTrue();
        }
    }
}
