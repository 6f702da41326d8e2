package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.CapturedLog;
import dev.sluice.linux.EventFd;
import dev.sluice.virtio.driver.VhostUserMessage;
import dev.sluice.virtio.layout.VhostUser;
import dev.sluice.virtio.layout.VirtioFeatures;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A connection message by message: what each does, what its reply says, and what is left of it in the end. */
final class VhostUserSessionTest extends SessionOnThisThread {
    VhostUserSessionTest() throws IOException {}

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
        device.loop.advanceNanos(KickWatch.POLL_INTERVAL_NANOS);
        assertThat(device.completed()).isEqualTo(1);
        assertThat(EventFd.drain(device.queue.callFd())).isNegative();
        tell(VhostUser.SET_VRING_ERR, longs(0), device.queue.errFd());
        device.queue.splitRing().rawAvailIdx(0x4000);
        device.loop.advanceNanos(KickWatch.POLL_INTERVAL_NANOS);
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
