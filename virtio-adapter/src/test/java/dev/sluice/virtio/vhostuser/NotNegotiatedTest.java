package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.virtio.driver.BackendRefusedException;
import dev.sluice.virtio.driver.BlkRequest;
import dev.sluice.virtio.driver.BlockDriver;
import dev.sluice.virtio.driver.BlockDriverOptions;
import dev.sluice.virtio.driver.DriverMemory;
import dev.sluice.virtio.driver.DriverRing;
import dev.sluice.virtio.driver.MemoryRegion;
import dev.sluice.virtio.driver.QueueShape;
import dev.sluice.virtio.driver.VerifyingLoad;
import dev.sluice.virtio.layout.VirtioBlkConfig;
import dev.sluice.virtio.layout.VirtioBlkRequestHeader;
import dev.sluice.virtio.layout.VirtioFeatures;
import dev.sluice.virtio.layout.VirtqAvail;
import dev.sluice.virtio.layout.VirtqDesc;
import dev.sluice.virtio.layout.VirtqUsed;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A field that a feature introduces is read, written and required only if that feature was negotiated; a started ring's features are fixed. */
final class NotNegotiatedTest {
    private static final byte PATTERN = (byte) 0xA5;

    /** The driver's allocations are aligned to this, so that what is between an area and the next multiple is nobody's. */
    private static final int LINE_BYTES = 64;

    private static MemorySegment behind(DriverRing ring, long offset, long sizeBytes) {
        long end = offset + sizeBytes;
        return ring.region().memory().asSlice(end, -end & (LINE_BYTES - 1));
    }

    @ParameterizedTest
    @ValueSource(ints = {16, 256, 1024})
    void shouldLeaveWhatIsBehindTheRingsAloneWhenEventIdxWasNotNegotiated(int size) throws Exception {
        BlockDriverOptions options = ServerFixture.options(1)
                .withoutFeatures(VirtioFeatures.EVENT_IDX)
                .withShape(QueueShape.of(size, 4, 4096));
        try (ServerFixture fixture = ServerFixture.start(1);
                BlockDriver driver = fixture.open(options)) {
            DriverRing ring = driver.queue(0).ring();
            MemorySegment behindAvail = behind(ring, ring.availOffset(), 4 + 2L * size);
            MemorySegment behindUsed = behind(ring, ring.usedOffset(), 4 + 8L * size);
            behindAvail.fill(PATTERN);
            behindUsed.fill(PATTERN);
            VerifyingLoad load = new VerifyingLoad(driver.queue(0), 0, 64, size);
            for (int i = 0; i < 3; i++) {
                // The ring starts again, elsewhere in its indexes.
                driver.restart();
                load.run(100);
                load.drain();
            }
            assertThat(behindAvail.byteSize()).isGreaterThanOrEqualTo(2);
            assertThat(behindAvail.toArray(ValueLayout.JAVA_BYTE)).containsOnly(PATTERN);
            assertThat(behindUsed.toArray(ValueLayout.JAVA_BYTE)).containsOnly(PATTERN);
        }
    }

    /** Descriptors, available ring and request at the start, the used ring at the end of a region: by hand, as firmware has it. */
    @Test
    void shouldServeAUsedRingAtTheVeryEndOfARegionWhenEventIdxWasNotNegotiated() throws IOException {
        int size = 16;
        try (ServerFixture fixture = ServerFixture.start(1);
                RawFrontEnd front = new RawFrontEnd(fixture);
                DriverMemory memory = DriverMemory.ofOneRegion(8192)) {
            MemoryRegion region = memory.regions().getFirst();
            MemorySegment bytes = region.memory();
            long avail = 0x400;
            long header = 0x800;
            long status = 0x900;
            long used = region.bytes() - (4 + 8L * size);
            VirtqDesc.set(bytes, 0, region.guestAddress() + header, VirtioBlkRequestHeader.SIZE, VirtqDesc.F_NEXT, 1);
            VirtqDesc.set(bytes, VirtqDesc.SIZE, region.guestAddress() + status, 1, VirtqDesc.F_WRITE, 0);
            VirtioBlkRequestHeader.set(bytes, header, BlkRequest.T_FLUSH, 0);
            bytes.set(ValueLayout.JAVA_BYTE, status, (byte) BlkRequest.S_NOT_WRITTEN);
            VirtqAvail.ring(bytes, avail, 0, 0);
            VirtqAvail.idxRelease(bytes, avail, 1);
            front.negotiate(RawFrontEnd.FEATURES, RawFrontEnd.PROTOCOL_FEATURES);
            front.frontend.setMemTable(region);
            front.frontend.setVringNum(0, size);
            front.frontend.setVringAddr(0, 0, region.userAddress(), region.userAddress() + used, region.userAddress() + avail, 0);
            front.frontend.setVringKick(0, front.queue.kickFd());
            front.frontend.setVringEnable(0, true);
            ServerFixture.await("completion", () -> VirtqUsed.idxAcquire(bytes, used) == 1);
            assertThat(bytes.get(ValueLayout.JAVA_BYTE, status)).isEqualTo((byte) BlkRequest.S_OK);
        }
    }

    @Test
    void shouldRequireTheEventWordWhenEventIdxWasNegotiated() throws IOException {
        try (ServerFixture fixture = ServerFixture.start(1);
                RawFrontEnd front = new RawFrontEnd(fixture, RawFrontEnd.FEATURES | VirtioFeatures.EVENT_IDX)) {
            front.negotiate(RawFrontEnd.FEATURES | VirtioFeatures.EVENT_IDX, RawFrontEnd.PROTOCOL_FEATURES);
            front.shareMemory();
            front.setUpRing();
            long user = front.region.userAddress();
            long used = user + front.region.bytes() - (4 + 8L * RawFrontEnd.SHAPE.queueSize());
            front.frontend.setVringAddr(0, 0, user, used, user + front.queue.ring().availOffset(), 0);
            assertThatThrownBy(() -> front.frontend.setVringKick(0, front.queue.kickFd())).isInstanceOf(BackendRefusedException.class);
        }
    }

    @Test
    void shouldRefuseOtherFeaturesWhileARingIsStarted() throws IOException {
        long[] changes = {
            VirtioFeatures.EVENT_IDX,
            VirtioFeatures.INDIRECT_DESC,
            VirtioFeatures.BLK_FLUSH,
            VirtioFeatures.BLK_DISCARD,
            VirtioFeatures.VERSION_1,
            VirtioFeatures.VHOST_USER_PROTOCOL_FEATURES
        };
        try (ServerFixture fixture = ServerFixture.start(1);
                RawFrontEnd front = RawFrontEnd.running(fixture)) {
            for (long change : changes) {
                assertThatThrownBy(() -> front.frontend.setFeatures(RawFrontEnd.FEATURES ^ change))
                        .as("0x" + Long.toHexString(change))
                        .isInstanceOf(BackendRefusedException.class);
                assertThat(fixture.server.state().acceptedFeatures())
                        .isEqualTo(RawFrontEnd.FEATURES & ~VirtioFeatures.VHOST_USER_PROTOCOL_FEATURES);
                front.frontend.setFeatures(RawFrontEnd.FEATURES);
                assertThat(front.reads()).isTrue();
            }
            // Disabled is started, too; stopped, a ring has no features.
            front.frontend.setVringEnable(0, false);
            assertThatThrownBy(() -> front.frontend.setFeatures(RawFrontEnd.FEATURES | VirtioFeatures.EVENT_IDX))
                    .isInstanceOf(BackendRefusedException.class);
            int base = front.frontend.vringBase(0);
            front.frontend.setFeatures(RawFrontEnd.FEATURES | VirtioFeatures.EVENT_IDX);
            front.frontend.setFeatures(RawFrontEnd.FEATURES);
            front.setUpRing();
            front.frontend.setVringBase(0, base);
            front.frontend.setVringKick(0, front.queue.kickFd());
            front.frontend.setVringEnable(0, true);
            assertThat(front.reads()).isTrue();
        }
    }

    private static void setCacheMode(BlockDriver driver, int writeback) throws IOException {
        driver.frontend().setConfig(VirtioBlkConfig.WRITEBACK, MemorySegment.ofArray(new byte[] {(byte) writeback}), 0);
    }

    private static int cacheMode(BlockDriver driver) throws IOException {
        return driver.frontend().config(VirtioBlkConfig.WRITEBACK, 1).get(ValueLayout.JAVA_BYTE, 0);
    }

    @Test
    void shouldRefuseACacheModeWhenItWasNotNegotiated() throws IOException {
        try (ServerFixture fixture = ServerFixture.start(1);
                BlockDriver driver = fixture.open(ServerFixture.options(1).withoutFeatures(VirtioFeatures.BLK_CONFIG_WCE))) {
            assertThatThrownBy(() -> setCacheMode(driver, 0)).isInstanceOf(BackendRefusedException.class);
            assertThat(cacheMode(driver)).isEqualTo(1);
            driver.disk(0).write(0, MemorySegment.ofArray(new byte[512]));
            // Its driver has gone, and what the next one accepts comes with its start: FreeBSD writes before that.
            driver.stop();
            setCacheMode(driver, 0);
            assertThat(cacheMode(driver)).isZero();
        }
    }
}
