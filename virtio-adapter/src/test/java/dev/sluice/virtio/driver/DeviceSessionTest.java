package dev.sluice.virtio.driver;

import static dev.sluice.virtio.layout.VhostUser.ADD_MEM_REG;
import static dev.sluice.virtio.layout.VhostUser.GET_CONFIG;
import static dev.sluice.virtio.layout.VhostUser.GET_FEATURES;
import static dev.sluice.virtio.layout.VhostUser.GET_MAX_MEM_SLOTS;
import static dev.sluice.virtio.layout.VhostUser.GET_PROTOCOL_FEATURES;
import static dev.sluice.virtio.layout.VhostUser.GET_QUEUE_NUM;
import static dev.sluice.virtio.layout.VhostUser.GET_VRING_BASE;
import static dev.sluice.virtio.layout.VhostUser.SET_FEATURES;
import static dev.sluice.virtio.layout.VhostUser.SET_MEM_TABLE;
import static dev.sluice.virtio.layout.VhostUser.SET_OWNER;
import static dev.sluice.virtio.layout.VhostUser.SET_PROTOCOL_FEATURES;
import static dev.sluice.virtio.layout.VhostUser.SET_VRING_ADDR;
import static dev.sluice.virtio.layout.VhostUser.SET_VRING_BASE;
import static dev.sluice.virtio.layout.VhostUser.SET_VRING_CALL;
import static dev.sluice.virtio.layout.VhostUser.SET_VRING_ENABLE;
import static dev.sluice.virtio.layout.VhostUser.SET_VRING_ERR;
import static dev.sluice.virtio.layout.VhostUser.SET_VRING_KICK;
import static dev.sluice.virtio.layout.VhostUser.SET_VRING_NUM;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.Mapping;
import dev.sluice.virtio.driver.ScriptedBackend.Received;
import dev.sluice.virtio.layout.VhostUser;
import dev.sluice.virtio.layout.VirtioFeatures;
import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What goes over the wire, in which order. */
final class DeviceSessionTest {
    private static final long ALL = DeviceSession.SUPPORTED_FEATURES;
    private static final long ALL_PROTOCOL = DeviceSession.SUPPORTED_PROTOCOL_FEATURES;
    private static final BlockDriverOptions TWO_QUEUES =
            BlockDriverOptions.defaults().withQueues(2).withShape(QueueShape.of(16, 8, 512));

    @Test
    void shouldSendMessagesInTheOrderOfQemuWhenAllIsSupported() throws IOException {
        try (ScriptedBackend backend = new ScriptedBackend(ALL, ALL_PROTOCOL)) {
            BlockDriver driver = BlockDriver.open(backend.frontend(), TWO_QUEUES);
            driver.restart();
            driver.close();
            assertThat(backend.requests())
                    .containsExactly(
                            GET_FEATURES, GET_PROTOCOL_FEATURES, SET_PROTOCOL_FEATURES, GET_QUEUE_NUM, GET_MAX_MEM_SLOTS,
                            SET_OWNER, GET_FEATURES,
                            SET_VRING_CALL, SET_VRING_ERR, SET_VRING_CALL, SET_VRING_ERR, GET_CONFIG,
                            SET_FEATURES, SET_VRING_CALL, SET_VRING_CALL, SET_FEATURES, ADD_MEM_REG,
                            SET_VRING_NUM, SET_VRING_BASE, SET_VRING_ADDR, SET_VRING_KICK, SET_VRING_CALL,
                            SET_VRING_NUM, SET_VRING_BASE, SET_VRING_ADDR, SET_VRING_KICK, SET_VRING_CALL,
                            SET_VRING_ENABLE, SET_VRING_ENABLE,
                            SET_VRING_ENABLE, SET_VRING_ENABLE, GET_VRING_BASE, GET_VRING_BASE,
                            SET_FEATURES, SET_VRING_CALL, SET_VRING_CALL, SET_FEATURES,
                            SET_VRING_NUM, SET_VRING_BASE, SET_VRING_ADDR, SET_VRING_KICK, SET_VRING_CALL,
                            SET_VRING_NUM, SET_VRING_BASE, SET_VRING_ADDR, SET_VRING_KICK, SET_VRING_CALL,
                            SET_VRING_ENABLE, SET_VRING_ENABLE,
                            SET_VRING_ENABLE, SET_VRING_ENABLE, GET_VRING_BASE, GET_VRING_BASE);
        }
    }

    @Test
    void shouldStartAgainAtTheBaseThatStopReturned() throws IOException {
        try (ScriptedBackend backend = new ScriptedBackend(ALL, ALL_PROTOCOL)) {
            BlockDriver driver = BlockDriver.open(backend.frontend(), TWO_QUEUES);
            driver.restart();
            assertThat(backend.received().stream()
                    .filter(m -> m.request() == SET_VRING_BASE)
                    .map(Received::payload))
                    .containsExactly("0000000000000000", "0100000000000000", "0000000028000000", "0100000029000000");
            driver.close();
        }
    }

    @Test
    void shouldSendNeitherProtocolFeaturesNorEnableWhenBit30IsNotOffered() throws IOException {
        long old = ALL & ~VirtioFeatures.VHOST_USER_PROTOCOL_FEATURES;
        try (ScriptedBackend backend = new ScriptedBackend(old, ALL_PROTOCOL)) {
            DeviceSession session = DeviceSession.negotiate(backend.frontend(), ALL, ALL_PROTOCOL);
            assertThat(session.protocolFeatures()).isZero();
            assertThat(session.queueLimit()).isEqualTo(1);
            try (DriverMemory memory = DriverMemory.ofOneRegion(TWO_QUEUES.shape().memoryBytes());
                    DriverQueue queue = DriverQueue.create(
                            0, TWO_QUEUES.shape(), session.features(), memory.regions().getFirst())) {
                session.start(List.of(queue), new int[1], memory.regions());
                assertThat(session.stop()).containsExactly(40);
            }
            assertThat(backend.requests())
                    .containsExactly(
                            GET_FEATURES, SET_OWNER, GET_FEATURES, SET_FEATURES, SET_VRING_CALL, SET_FEATURES, SET_MEM_TABLE,
                            SET_VRING_NUM, SET_VRING_BASE, SET_VRING_ADDR, SET_VRING_KICK, SET_VRING_CALL, GET_VRING_BASE);
        }
    }

    @Test
    void shouldSendPayloadsAsTheProtocolWants() throws IOException {
        try (ScriptedBackend backend = new ScriptedBackend(ALL, ALL_PROTOCOL);
                DriverMemory memory = new DriverMemory(1 << 20)) {
            MemoryRegion region = memory.addRegion(0x1122334455660000L, 2L * Mapping.pageBytes(), Mapping.pageBytes());
            VhostUserFrontend frontend = backend.frontend();
            frontend.setVringNum(3, 256);
            frontend.setVringAddr(2, 0, 0x11, 0x22, 0x33, 0x44);
            frontend.setVringKick(1, region.fd());
            frontend.setVringCallNone(1);
            frontend.setMemTable(region);
            frontend.addMemReg(region);
            frontend.setConfig(32, MemorySegment.ofArray(new byte[] {7}), 1);
            String described = "0000665544332211" + little(region.bytes())
                    + little(region.userAddress()) + little(region.fileOffset());
            assertThat(backend.received())
                    .containsExactly(
                            new Received(SET_VRING_NUM, "1", "0300000000010000", 0),
                            new Received(
                                    SET_VRING_ADDR,
                                    "1",
                                    "0200000000000000" + "1100000000000000" + "2200000000000000" + "3300000000000000"
                                            + "4400000000000000",
                                    0),
                            new Received(SET_VRING_KICK, "1", "0100000000000000", 1),
                            new Received(SET_VRING_CALL, "1", "0101000000000000", 0),
                            new Received(SET_MEM_TABLE, "1", "0100000000000000" + described, 1),
                            new Received(ADD_MEM_REG, "1", "0000000000000000" + described, 1),
                            new Received(VhostUser.SET_CONFIG, "1", "20000000" + "01000000" + "01000000" + "07", 0));
        }
    }

    private static String little(long value) {
        return String.format("%016x", Long.reverseBytes(value));
    }

    @Test
    void shouldAskForAnAnswerWhenReplyAckIsNegotiated() throws IOException {
        try (ScriptedBackend backend = new ScriptedBackend(ALL, ALL_PROTOCOL)) {
            VhostUserFrontend frontend = backend.frontend();
            frontend.setProtocolFeatures(VhostUser.PROTOCOL_F_REPLY_ACK);
            backend.refuse(SET_VRING_NUM);
            assertThatThrownBy(() -> frontend.setVringNum(0, 3))
                    .isInstanceOf(BackendRefusedException.class)
                    .hasMessageContaining("message " + SET_VRING_NUM);
            frontend.setOwner();
            assertThat(backend.received()).extracting(Received::flags).containsExactly("1", "9", "9");
        }
    }

    @Test
    void shouldThrowWhenAnAnswerIsNone() throws IOException {
        try (ScriptedBackend backend = new ScriptedBackend(ALL, ALL_PROTOCOL)) {
            backend.replyWithFlags(VhostUser.VERSION);
            assertThatThrownBy(() -> backend.frontend().features())
                    .isInstanceOf(BackendViolationException.class)
                    .hasMessageContaining("flags 0x1");
        }
    }

    @Test
    void shouldTimeOutWhenTheBackendDoesNotAnswer() throws IOException {
        try (ScriptedBackend backend = new ScriptedBackend(ALL, ALL_PROTOCOL, Duration.ofMillis(200))) {
            backend.frontend().send(SET_OWNER, VhostUser.VERSION, MemorySegment.ofArray(new byte[0]));
            assertThatThrownBy(() -> backend.frontend().receive()).isInstanceOf(SocketTimeoutException.class);
        }
    }

    @Test
    void shouldSayThatTheBackendHasClosed() throws IOException {
        try (ScriptedBackend backend = new ScriptedBackend(ALL, ALL_PROTOCOL)) {
            // The backend gives up at a payload size beyond all bounds.
            assertThat(backend.frontend().connection().hungUp()).isFalse();
            backend.frontend().connection().send(SET_OWNER, VhostUser.VERSION, -1, MemorySegment.ofArray(new byte[0]));
            assertThatThrownBy(() -> backend.frontend().receive()).isInstanceOf(EOFException.class);
            assertThat(backend.frontend().connection().hungUp()).isTrue();
        }
    }
}
