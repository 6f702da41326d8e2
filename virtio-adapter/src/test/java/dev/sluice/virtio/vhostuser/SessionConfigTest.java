package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.CapturedLog;
import dev.sluice.virtio.blk.DiskStateFile;
import dev.sluice.virtio.layout.VhostUser;
import dev.sluice.virtio.layout.VirtioBlkConfig;
import dev.sluice.virtio.layout.VirtioFeatures;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** The configuration space and the cache mode as messages. vhost-user, "GET_CONFIG". */
final class SessionConfigTest extends SessionOnThisThread {
    SessionConfigTest() throws IOException {}

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
        assertThat(violation(VhostUser.SET_CONFIG, PLAIN, setWriteback(0, 0)))
                .isEqualTo("refused: SET_CONFIG: only the writeback byte at 32 can be written, not 1 bytes at 0");
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
}
