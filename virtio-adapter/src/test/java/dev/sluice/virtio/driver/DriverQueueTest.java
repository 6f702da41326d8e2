package dev.sluice.virtio.driver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.EventFd;
import dev.sluice.linux.Mapping;
import dev.sluice.virtio.driver.QueueFixture.Completion;
import dev.sluice.virtio.layout.VirtqUsed;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class DriverQueueTest {
    private static final QueueShape SMALL = new QueueShape(16, 16, 4096, 8);

    @ParameterizedTest
    @CsvSource({"true,true", "true,false", "false,true", "false,false"})
    void shouldGoOnWhenIndexesWrapAt65536(boolean indirect, boolean eventIdx) throws IOException {
        try (QueueFixture f = QueueFixture.create(SMALL, indirect, eventIdx, 65_530)) {
            for (int i = 0; i < 70_000; i++) {
                assertThat(f.queue.submit(BlkRequest.T_IN, i % 2048, 512)).isNotEqualTo(DriverQueue.FULL);
                boolean _ = f.queue.publish();
                f.device.runAll();
                assertThat(f.poll()).isEqualTo(1);
            }
            assertThat(f.queue.splitRing().availIdx()).isEqualTo((65_530 + 70_000) & 0xFFFF);
            assertThat(f.completions).hasSize(70_000).allMatch(c -> c.status() == BlkRequest.S_OK);
            assertThat(f.queue.inFlight()).isZero();
        }
    }

    @Test
    void shouldSayFullWhenSlotsAreOut() throws IOException {
        try (QueueFixture f = QueueFixture.create(new QueueShape(16, 5, 512, 3))) {
            for (int i = 0; i < 5; i++) {
                assertThat(f.queue.submit(BlkRequest.T_FLUSH, 0, 0)).isNotEqualTo(DriverQueue.FULL);
            }
            assertThat(f.queue.submit(BlkRequest.T_FLUSH, 0, 0)).isEqualTo(DriverQueue.FULL);
            assertThat(f.queue.publish()).isTrue();
            f.device.runAll();
            assertThat(f.poll()).isEqualTo(5);
            assertThat(f.queue.submit(BlkRequest.T_FLUSH, 0, 0)).isNotEqualTo(DriverQueue.FULL);
        }
    }

    @Test
    void shouldSayFullWhenDirectDescriptorsAreOut() throws IOException {
        try (QueueFixture f = QueueFixture.create(SMALL, false, true, 0)) {
            int accepted = 0;
            while (f.queue.submit(BlkRequest.T_IN, 0, 512) != DriverQueue.FULL) {
                accepted++;
            }
            assertThat(accepted).as("three descriptors each of 16").isEqualTo(5);
            boolean _ = f.queue.publish();
            f.device.runAll();
            assertThat(f.poll()).isEqualTo(5);
            assertThat(f.queue.ring().freeDescriptors()).isEqualTo(16);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void shouldMatchSlotsWhenCompletedOutOfOrder(boolean indirect) throws IOException {
        SplittableRandom random = new SplittableRandom(7);
        try (QueueFixture f = QueueFixture.create(new QueueShape(64, 16, 512, 3), indirect, true, 65_500)) {
            for (int i = 0; i < QueueFixture.DISK_BYTES; i++) {
                f.device.disk()[i] = (byte) (i / 512);
            }
            int[] sectorOfSlot = new int[16];
            for (int round = 0; round < 2000; round++) {
                int slot;
                int sector = random.nextInt(2048);
                while ((slot = f.queue.submit(BlkRequest.T_IN, sector, 512)) != DriverQueue.FULL) {
                    sectorOfSlot[slot] = sector;
                    sector = random.nextInt(2048);
                }
                boolean _ = f.queue.publish();
                f.device.takeAll();
                f.device.completeSome(1 + random.nextInt(16), random);
                int _ = f.queue.poll((done, status, written) -> {
                    assertThat(status).isEqualTo(BlkRequest.S_OK);
                    assertThat(written).isEqualTo(513);
                    assertThat(f.queue.data(done).get(ValueLayout.JAVA_BYTE, 77)).isEqualTo((byte) sectorOfSlot[done]);
                });
            }
        }
    }

    /** VIRTIO 1.3 §2.7.10: a kick exactly where the avail index passes avail_event; flags are ignored. */
    @Test
    void shouldKickExactlyWhenAvailEventIsPassed() throws IOException {
        SplittableRandom random = new SplittableRandom(11);
        for (int run = 0; run < 3000; run++) {
            int start = random.nextBoolean() ? random.nextInt(65_536) : 65_536 - random.nextInt(1, 20);
            int event = (start + random.nextInt(-20, 20)) & 0xFFFF;
            int batch = random.nextInt(1, 17);
            try (QueueFixture f = QueueFixture.create(SMALL, true, true, start)) {
                SplitDriverRing ring = f.queue.splitRing();
                VirtqUsed.availEvent(f.queue.memory(), ring.usedOffset(), ring.size(), event);
                VirtqUsed.flags(f.queue.memory(), ring.usedOffset(), VirtqUsed.F_NO_NOTIFY);
                for (int i = 0; i < batch; i++) {
                    int _ = f.queue.submit(BlkRequest.T_FLUSH, 0, 0);
                }
                assertThat(f.queue.publish())
                        .as("start %d, event %d, batch %d", start, event, batch)
                        .isEqualTo(OracleDevice.passes(start, (start + batch) & 0xFFFF, event));
                assertThat(EventFd.drain(f.queue.kickFd()) > 0).isEqualTo(f.queue.kicks() == 1);
            }
        }
    }

    /** VIRTIO 1.3 §2.7.10: without EVENT_IDX the flags decide and avail_event is ignored. */
    @Test
    void shouldKickUnlessNoNotifyWhenEventIdxIsOff() throws IOException {
        try (QueueFixture f = QueueFixture.create(SMALL, true, false, 0)) {
            SplitDriverRing ring = f.queue.splitRing();
            VirtqUsed.availEvent(f.queue.memory(), ring.usedOffset(), ring.size(), 500);
            int _ = f.queue.submit(BlkRequest.T_FLUSH, 0, 0);
            assertThat(f.queue.publish()).isTrue();
            assertThat(f.queue.publish()).as("nothing new").isFalse();
            VirtqUsed.flags(f.queue.memory(), ring.usedOffset(), VirtqUsed.F_NO_NOTIFY);
            int _ = f.queue.submit(BlkRequest.T_FLUSH, 0, 0);
            assertThat(f.queue.publish()).isFalse();
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void shouldGetNoCallsWhilePolling(boolean eventIdx) throws IOException {
        try (QueueFixture f = QueueFixture.create(SMALL, true, eventIdx, 0)) {
            for (int i = 0; i < 1000; i++) {
                int _ = f.queue.submit(BlkRequest.T_FLUSH, 0, 0);
                boolean _ = f.queue.publish();
                f.device.runAll();
                int _ = f.poll();
            }
            assertThat(f.device.callsMade()).isZero();
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void shouldGetOneCallWhenArmed(boolean eventIdx) throws IOException {
        try (QueueFixture f = QueueFixture.create(SMALL, true, eventIdx, 65_535)) {
            for (int i = 0; i < 3; i++) {
                int _ = f.queue.submit(BlkRequest.T_FLUSH, 0, 0);
            }
            boolean _ = f.queue.publish();
            assertThat(f.queue.armCall(1)).isFalse();
            f.device.runAll();
            assertThat(f.device.callsMade()).isEqualTo(1);
            assertThat(f.queue.armCall(1)).as("used by now").isTrue();
            f.queue.disarmCall();
            assertThat(f.poll()).isEqualTo(3);
        }
    }

    @Test
    void shouldTimeOutWhenNothingIsUsedDespiteSpuriousCalls() throws IOException {
        try (QueueFixture f = QueueFixture.create(SMALL)) {
            int _ = f.queue.submit(BlkRequest.T_FLUSH, 0, 0);
            boolean _ = f.queue.publish();
            int _ = EventFd.signal(f.queue.callFd());
            long start = System.nanoTime();
            assertThat(f.queue.await(30)).isFalse();
            assertThat(System.nanoTime() - start).isGreaterThanOrEqualTo(29_000_000L);
            assertThat(f.queue.calls()).isEqualTo(1);
            f.device.runAll();
            assertThat(f.queue.await(0)).isTrue();
        }
    }

    @Test
    void shouldShowAStatusThatWasNotWritten() throws IOException {
        try (QueueFixture f = QueueFixture.create(SMALL)) {
            int slot = f.queue.submit(BlkRequest.T_IN, 0, 512);
            boolean _ = f.queue.publish();
            f.device.takeAll();
            f.device.putUsed(f.device.taken().getFirst().head(), 0);
            boolean _ = f.device.publish();
            assertThat(f.poll()).isEqualTo(1);
            assertThat(f.completions).containsExactly(new Completion(slot, BlkRequest.S_NOT_WRITTEN, 0));
        }
    }

    @Test
    void shouldUseABufferAnywhereInGuestMemory() throws IOException {
        QueueShape shape = QueueShape.of(16, 4, 0);
        long features = DeviceSession.SUPPORTED_FEATURES;
        try (DriverMemory memory = new DriverMemory(16 << 20)) {
            MemoryRegion rings = memory.addRegion(0x10_0000, 1 << 20);
            MemoryRegion data = memory.addRegion(0x4000_0000_0000L, 1 << 20, 2L * Mapping.pageBytes());
            try (DriverQueue queue = DriverQueue.create(0, shape, features, rings)) {
                OracleDevice device = new OracleDevice(queue, memory, true, 1 << 20);
                MemorySegment.copy(
                        MemorySegment.ofArray(new byte[] {1, 2, 3}), 0, memory.at(data.guestAddress() + 512, 3), 0, 3);
                int _ = queue.submit(BlkRequest.T_OUT, 3, data.guestAddress() + 512, 512);
                boolean _ = queue.publish();
                device.runAll();
                assertThat(queue.poll((slot, status, written) -> assertThat(status).isZero())).isEqualTo(1);
                assertThat(device.disk()).startsWith(new byte[1536]).containsSequence(1, 2, 3);
                assertThat(device.disk()[1536]).isEqualTo((byte) 1);
            }
        }
    }

    @Test
    void shouldStartOverWhenReset() throws IOException {
        try (QueueFixture f = QueueFixture.create(SMALL, false, true, 100)) {
            int _ = f.queue.submit(BlkRequest.T_IN, 0, 512);
            boolean _ = f.queue.publish();
            f.queue.reset();
            assertThat(f.queue.inFlight()).isZero();
            assertThat(f.queue.splitRing().availIdx()).isZero();
            assertThat(f.queue.ring().freeDescriptors()).isEqualTo(16);
            assertThat(f.poll()).isZero();
        }
    }

    @Test
    void shouldRefuseMoreDataThanASlotHas() throws IOException {
        try (QueueFixture f = QueueFixture.create(SMALL)) {
            assertThatThrownBy(() -> f.queue.submit(BlkRequest.T_IN, 0, 4097))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("4097")
                    .hasMessageContaining("4096");
            assertThat(f.queue.inFlight()).isZero();
        }
    }

    /** VIRTIO 1.3 §2.6.4: the device makes no assumption about how a message is laid out over descriptors. */
    @Test
    void shouldCutTheStreamWhereTheShapeSays() throws IOException {
        try (QueueFixture f = QueueFixture.create(SMALL)) {
            // QEMU's own tests: the header with the first 513 bytes of data, the rest apart; data with the status byte.
            assertThat(descriptorsOf(f, BlkRequest.T_OUT, ChainShape.of(Integer.MAX_VALUE, 528))).isEqualTo(3);
            assertThat(descriptorsOf(f, BlkRequest.T_IN, ChainShape.of(0))).isEqualTo(2);
            assertThat(descriptorsOf(f, BlkRequest.T_IN, ChainShape.of(1, 1, 2, 3, -2, -1))).isEqualTo(7);
            assertThat(descriptorsOf(f, BlkRequest.T_FLUSH, ChainShape.DIRECT)).isEqualTo(2);
            assertThat(descriptorsOf(f, BlkRequest.T_OUT, ChainShape.INDIRECT)).isEqualTo(3);
            assertThatThrownBy(() -> f.queue.submit(
                    BlkRequest.T_IN, 0, 512, ChainShape.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9)))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("of 8 indirect descriptors");
        }
    }

    private static int descriptorsOf(QueueFixture f, int type, ChainShape shape) {
        int _ = f.queue.submit(type, 0, type == BlkRequest.T_FLUSH ? 0 : 1024, shape);
        boolean _ = f.queue.publish();
        f.device.takeAll();
        int descriptors = f.device.taken().getFirst().descriptors();
        f.device.completeSome(1, new SplittableRandom(1));
        int _ = f.queue.poll((slot, status, written) -> assertThat(status).isEqualTo(BlkRequest.S_OK));
        return descriptors;
    }
}
