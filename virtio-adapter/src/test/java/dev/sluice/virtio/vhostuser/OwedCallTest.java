package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.EventFd;
import dev.sluice.pipeline.Errno;
import dev.sluice.virtio.driver.BlkRequest;
import dev.sluice.virtio.layout.VirtioFeatures;
import java.io.IOException;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A driver that waits for a call gets it, also where the descriptor for it comes late or its former back end has crashed; and no other call. */
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
            ServerFixture.await("completion", () -> front.queue.ring().rawUsedIdx() == 1);
            front.frontend.setVringCall(0, front.queue.callFd());
            assertCalled(front);
            // Paid once: the same descriptor again owes nothing.
            front.frontend.setVringCall(0, front.queue.callFd());
            assertNotCalled(fixture, front);
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
            // Stopped in peace, nothing is owed.
            assertThat(front.frontend.vringBase(0)).isEqualTo(RESUMED_AT + 1);
            startWithoutCall(front, RESUMED_AT + 1);
            front.frontend.setVringCall(0, front.queue.callFd());
            front.frontend.setVringEnable(0, true);
            assertNotCalled(fixture, front);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, VirtioFeatures.EVENT_IDX})
    void shouldNotCallWhenTheRingIsNew(long more) throws Exception {
        long features = RawFrontEnd.FEATURES | more;
        try (ServerFixture fixture = ServerFixture.start(1);
                RawFrontEnd front = RawFrontEnd.running(fixture, features)) {
            assertNotCalled(fixture, front);
            assertThat(front.reads()).isTrue();
        }
    }
}
