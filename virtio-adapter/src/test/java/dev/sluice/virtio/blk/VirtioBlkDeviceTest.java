package dev.sluice.virtio.blk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.virtio.layout.VirtioBlkConfig;
import dev.sluice.virtio.layout.VirtioFeatures;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Features, cache mode and limits. VIRTIO 1.3 §5.2. */
final class VirtioBlkDeviceTest {
    private static final long SIZE_BYTES = 1 << 20;
    private static final long ALWAYS = VirtioFeatures.VERSION_1
            | VirtioFeatures.INDIRECT_DESC
            | VirtioFeatures.EVENT_IDX
            | VirtioFeatures.BLK_SEG_MAX
            | VirtioFeatures.BLK_BLK_SIZE
            | VirtioFeatures.BLK_TOPOLOGY;

    @TempDir
    private Path directory;

    private static BlockGeometry geometry(boolean readOnly, boolean discard, boolean writeZeroes) {
        return new BlockGeometry(SIZE_BYTES, 512, 4096, 0, readOnly, discard, writeZeroes);
    }

    private static VirtioBlkDevice device(CacheMode mode) {
        return new VirtioBlkDevice(() -> geometry(false, true, true), 1, 126, mode, "");
    }

    private static int told(VirtioBlkDevice device) {
        byte[] value = new byte[1];
        device.readConfig(VirtioBlkConfig.WRITEBACK, 1, MemorySegment.ofArray(value), 0);
        return value[0];
    }

    private static void set(VirtioBlkDevice device, int writeback) throws IOException {
        device.writeConfig(VirtioBlkConfig.WRITEBACK, MemorySegment.ofArray(new byte[] {(byte) 0x77, (byte) writeback}), 1, 1);
    }

    @Test
    void shouldOfferWhatTheDiskCan() {
        for (int bits = 0; bits < 16; bits++) {
            boolean readOnly = (bits & 1) != 0;
            boolean discard = (bits & 2) != 0;
            boolean writeZeroes = (bits & 4) != 0;
            int queues = (bits & 8) != 0 ? 2 : 1;
            for (CacheMode mode : CacheMode.values()) {
                VirtioBlkDevice device = new VirtioBlkDevice(() -> geometry(readOnly, discard, writeZeroes), queues, 30, mode, "");
                long expected = ALWAYS
                        | (readOnly ? VirtioFeatures.BLK_RO : 0)
                        | (discard && !readOnly ? VirtioFeatures.BLK_DISCARD : 0)
                        | (writeZeroes && !readOnly ? VirtioFeatures.BLK_WRITE_ZEROES : 0)
                        | (queues == 2 ? VirtioFeatures.BLK_MQ : 0)
                        | (mode == CacheMode.WRITETHROUGH ? 0 : VirtioFeatures.BLK_FLUSH)
                        | (mode == CacheMode.GUEST ? VirtioFeatures.BLK_CONFIG_WCE : 0);
                assertThat(device.offered()).as("%s, %d", mode, bits).isEqualTo(expected);
                assertThat(device.numQueues()).isEqualTo(queues);
                assertThat(device.segMax()).isEqualTo(30);
                assertThat(device.geometry()).isEqualTo(geometry(readOnly, discard, writeZeroes));
            }
        }
        assertThat(new VirtioBlkDevice(() -> geometry(false, false, false), 1, 30).offered())
                .isEqualTo(ALWAYS | VirtioFeatures.BLK_FLUSH | VirtioFeatures.BLK_CONFIG_WCE);
    }

    @Test
    void shouldAcceptWhatItOfferedAndNothingElse() {
        VirtioBlkDevice device = device(CacheMode.GUEST);
        assertThat(device.accepted()).isZero();
        device.accept(ALWAYS);
        assertThat(device.accepted()).isEqualTo(ALWAYS);
        assertThat(device.accepted(VirtioFeatures.EVENT_IDX)).isTrue();
        assertThat(device.accepted(VirtioFeatures.BLK_FLUSH)).isFalse();
        assertThatThrownBy(() -> device.accept(ALWAYS | VirtioFeatures.BLK_MQ | VirtioFeatures.RING_PACKED))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("VIRTIO 1.3 §2.2.1: driver accepts features 0x400001000 that were not offered");
        assertThat(device.accepted()).isEqualTo(ALWAYS);
        device.reset();
        assertThat(device.accepted()).isZero();
    }

    /** A guest that was started when it had the choice repeats that when the mode has been fixed meanwhile. */
    @ParameterizedTest
    @EnumSource
    void shouldAcceptTheCacheFeaturesOfAGuestThatWasOfferedThemBefore(CacheMode mode) {
        VirtioBlkDevice device = device(mode);
        device.accept(ALWAYS | VirtioFeatures.BLK_FLUSH | VirtioFeatures.BLK_CONFIG_WCE);
        assertThat(device.writeThrough()).isEqualTo(mode != CacheMode.GUEST);
        assertThatThrownBy(() -> device.accept(VirtioFeatures.BLK_MQ)).hasMessageContaining("0x1000");
        device.accept(ALWAYS | VirtioFeatures.BLK_FLUSH);
        assertThat(device.writeThrough()).isEqualTo(mode == CacheMode.WRITETHROUGH);
    }

    @Test
    void shouldNameItsModeAsOptionsHaveIt() {
        assertThat(CacheMode.values()).extracting(CacheMode::toString).containsExactly("guest", "writeback", "writethrough");
    }

    /** VIRTIO 1.3 §5.2.5.2: writes are durable where the driver does not flush. */
    @Test
    void shouldWriteThroughUntilADriverFlushes() {
        VirtioBlkDevice device = device(CacheMode.GUEST);
        assertThat(device.writeThrough()).isTrue();
        device.accept(ALWAYS);
        assertThat(device.writeThrough()).isTrue();
        device.accept(ALWAYS | VirtioFeatures.BLK_FLUSH);
        assertThat(device.writeThrough()).isFalse();
        device.reset();
        assertThat(device.writeThrough()).isTrue();
    }

    @Test
    void shouldKeepTheModeThatTheGuestHasSet() throws IOException {
        VirtioBlkDevice device = device(CacheMode.GUEST);
        device.accept(device.offered());
        assertThat(told(device)).isOne();
        set(device, 0);
        assertThat(told(device)).isZero();
        assertThat(device.writeThrough()).isTrue();
        device.reset();
        device.accept(device.offered());
        assertThat(told(device)).as("a front end that reconnects does not repeat it").isZero();
        assertThat(device.writeThrough()).isTrue();
        set(device, 1);
        assertThat(told(device)).isOne();
        assertThat(device.writeThrough()).isFalse();
    }

    @Test
    void shouldKeepTheModeInAFile() throws IOException {
        Path path = directory.resolve("s");
        VirtioBlkDevice device = device(CacheMode.GUEST);
        new DiskStateFile(path).save(false);
        device.accept(device.offered());
        assertThat(device.writeThrough()).isFalse();
        device.keepCacheModeIn(new DiskStateFile(path));
        assertThat(told(device)).isZero();
        assertThat(device.writeThrough()).isTrue();
        set(device, 1);
        assertThat(device.writeThrough()).isFalse();
        assertThat(new DiskStateFile(path).writeback()).isTrue();
        for (CacheMode fixed : List.of(CacheMode.WRITEBACK, CacheMode.WRITETHROUGH)) {
            VirtioBlkDevice other = device(fixed);
            other.keepCacheModeIn(new DiskStateFile(directory));
            other.accept(ALWAYS | VirtioFeatures.BLK_FLUSH);
            assertThat(other.writeThrough()).as("not read").isEqualTo(fixed == CacheMode.WRITETHROUGH);
            assertThat(told(other)).isEqualTo(fixed == CacheMode.WRITETHROUGH ? 0 : 1);
        }
    }

    /** Whatever becomes of the file, a guest that has asked for write-through may rely on it. */
    @Test
    void shouldBeAsDurableAsBeforeOrMoreSoWhenTheModeCannotBeSaved() throws IOException {
        Path path = directory.resolve("s");
        boolean[] fails = {true};
        VirtioBlkDevice device = device(CacheMode.GUEST);
        device.keepCacheModeIn(new DiskStateFile(path, (of, channel) -> {
            if (fails[0]) {
                throw new IOException("Input/output error");
            }
        }));
        device.accept(device.offered());
        assertThatThrownBy(() -> set(device, 1)).isInstanceOf(IOException.class);
        assertThat(device.writeThrough()).as("nothing has changed").isFalse();
        assertThatThrownBy(() -> set(device, 0)).isInstanceOf(IOException.class);
        assertThat(told(device)).isOne();
        assertThat(device.writeThrough()).isTrue();
        device.reset();
        device.accept(device.offered());
        assertThat(device.writeThrough()).as("it may believe in it all the same").isTrue();
        assertThatThrownBy(() -> set(device, 1)).isInstanceOf(IOException.class);
        assertThat(device.writeThrough()).isTrue();
        fails[0] = false;
        set(device, 1);
        assertThat(device.writeThrough()).isFalse();
        set(device, 0);
        fails[0] = true;
        assertThatThrownBy(() -> set(device, 1)).isInstanceOf(IOException.class);
        assertThat(told(device)).isZero();
        assertThat(device.writeThrough()).isTrue();
    }

    /** Only the last step fails: the name is there, and whether it is after a crash nobody knows. The next process must not find writeback. */
    @Test
    void shouldTakeBackWritebackWhenOnlyTheLastStepOfSavingItFails() throws IOException {
        Path path = directory.resolve("s");
        int[] syncs = {0};
        VirtioBlkDevice device = device(CacheMode.GUEST);
        device.keepCacheModeIn(new DiskStateFile(path, (of, channel) -> {
            if (++syncs[0] == 4) {
                throw new IOException("Input/output error");
            }
        }));
        device.accept(device.offered());
        set(device, 0);
        assertThat(new DiskStateFile(path).writeback()).isFalse();
        assertThatThrownBy(() -> set(device, 1)).isInstanceOf(IOException.class);
        assertThat(new DiskStateFile(path).writeback()).isFalse();
        assertThat(syncs[0]).isEqualTo(6);
        // Of a guest that flushes, writeback is what it knows of: nothing is written once more.
        syncs[0] = 7;
        set(device, 1);
        syncs[0] = 3;
        assertThatThrownBy(() -> set(device, 0)).isInstanceOf(IOException.class);
        assertThat(syncs[0]).isEqualTo(4);
        assertThat(told(device)).isOne();
        assertThat(Files.exists(path)).isTrue();
    }

    @Test
    void shouldRefuseWritesToAnythingButTheWritebackByte() throws IOException {
        VirtioBlkDevice device = device(CacheMode.GUEST);
        device.accept(device.offered());
        MemorySegment zeros = MemorySegment.ofArray(new byte[8]);
        for (int offset : new int[] {0, VirtioBlkConfig.WRITEBACK - 1, VirtioBlkConfig.WRITEBACK + 1}) {
            assertThatThrownBy(() -> device.writeConfig(offset, zeros, 0, 1))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("only the writeback byte at 32 can be written, not 1 bytes at " + offset);
        }
        for (int bytes : new int[] {0, 2}) {
            assertThatThrownBy(() -> device.writeConfig(VirtioBlkConfig.WRITEBACK, zeros, 0, bytes)).hasMessageContaining("not " + bytes + " bytes at 32");
        }
        for (int value : new int[] {2, 0x80, 0xFF}) {
            assertThatThrownBy(() -> set(device, value))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("VIRTIO 1.3 §5.2.6: writeback is 0 or 1, not " + value);
        }
        assertThat(device.writeThrough()).isFalse();
        for (CacheMode fixed : List.of(CacheMode.WRITEBACK, CacheMode.WRITETHROUGH)) {
            assertThatThrownBy(() -> set(device(fixed), 1))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("the cache mode of this disk is fixed to " + fixed + ": serve it with --cache guest for the guest to choose");
        }
    }

    @ParameterizedTest
    @CsvSource({"0, 256, true", "0, 257, false", "1, 256, false", "1, 255, true", "256, 0, true", "255, 1, true", "256, 1, false", "0, 0, true",
        "-1, 1, false", "-1, 0, false", "0, -1, false", "257, 0, false", "2147483647, 2147483647, false", "8, -2147483648, false"})
    void shouldReadPartsOfTheConfigurationSpaceOnly(int offset, int bytes, boolean inside) {
        VirtioBlkDevice device = device(CacheMode.GUEST);
        byte[] target = new byte[300];
        if (!inside) {
            assertThatThrownBy(() -> device.readConfig(offset, bytes, MemorySegment.ofArray(target), 0))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("configuration space has 256 bytes; " + bytes + " at " + offset + " are not in it");
            return;
        }
        byte[] whole = new byte[256];
        device.readConfig(0, 256, MemorySegment.ofArray(whole), 0);
        java.util.Arrays.fill(target, (byte) 0x77);
        device.readConfig(offset, bytes, MemorySegment.ofArray(target), 5);
        for (int i = 0; i < 280; i++) {
            assertThat(target[i]).as("byte " + i).isEqualTo(i < 5 || i >= 5 + bytes ? (byte) 0x77 : whole[offset + i - 5]);
        }
    }

    @Test
    void shouldSayAtMost65535BlocksForTheSmallestGoodRequest() {
        VirtioBlkDevice device = new VirtioBlkDevice(() -> new BlockGeometry(SIZE_BYTES, 512, 512 << 16, 0, false, false, false), 1, 126);
        byte[] config = new byte[64];
        device.readConfig(0, 64, MemorySegment.ofArray(config), 0);
        assertThat(MemorySegment.ofArray(config).get(ValueLayout.JAVA_SHORT_UNALIGNED, VirtioBlkConfig.MIN_IO_SIZE)).isEqualTo((short) 0xFFFF);
        assertThat(config[VirtioBlkConfig.PHYSICAL_BLOCK_EXP]).isEqualTo((byte) 16);
    }

    @Test
    void shouldLimitRangesToWholeBlocks() {
        assertThat(device(CacheMode.GUEST).maxRangeSectors()).isEqualTo(0x7FFF_F000L / 512);
        VirtioBlkDevice large = new VirtioBlkDevice(() -> new BlockGeometry(SIZE_BYTES, 65536, 65536, 0, false, true, true), 1, 126);
        assertThat(large.maxRangeSectors()).isEqualTo(0x7FFF_0000L / 512);
    }

    @Test
    void shouldNeedAResetUntilItComes() {
        VirtioBlkDevice device = device(CacheMode.GUEST);
        assertThat(device.needsReset()).isFalse();
        device.needReset();
        assertThat(device.needsReset()).isTrue();
        device.reset();
        assertThat(device.needsReset()).isFalse();
    }

    // ---- serial

    @Test
    void shouldHaveASerialOfAtMost20Bytes() {
        BlockGeometry geometry = geometry(false, false, false);
        assertThat(new VirtioBlkDevice(() -> geometry, 1, 126, CacheMode.GUEST, "").id()).isEqualTo(new byte[20]);
        assertThat(new VirtioBlkDevice(() -> geometry, 1, 126, CacheMode.GUEST, "unit-7").id())
                .isEqualTo("unit-7\0\0\0\0\0\0\0\0\0\0\0\0\0\0".getBytes(StandardCharsets.UTF_8));
        assertThat(new VirtioBlkDevice(() -> geometry, 1, 126, CacheMode.GUEST, "äöüäöüäöüä").id())
                .isEqualTo("äöüäöüäöüä".getBytes(StandardCharsets.UTF_8));
        assertThatThrownBy(() -> new VirtioBlkDevice(() -> geometry, 1, 126, CacheMode.GUEST, "äöüäöüäöüäx"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("serial 'äöüäöüäöüäx' has 21 bytes; the maximum is 20");
    }
}
