package dev.sluice.virtio.blk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.virtio.layout.VirtioFeatures;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Each field of the configuration space against what the geometry says. Offsets as VIRTIO 1.3 §5.2.4 has them, written out here once more. */
final class ConfigurationSpaceTest {
    private static final int QUEUES = 3;
    private static final int SEG_MAX = 126;

    private static ByteBuffer read(VirtioBlkDevice device) {
        byte[] config = new byte[256];
        device.readConfig(0, config.length, MemorySegment.ofArray(config), 0);
        return ByteBuffer.wrap(config).order(ByteOrder.LITTLE_ENDIAN);
    }

    @ParameterizedTest
    @CsvSource({
        "1048576, 512, 512, 0, true, true",
        "1048576, 512, 4096, 0, true, false",
        "3145728, 512, 4096, 65536, false, true",
        "4194304, 4096, 4096, 1048576, true, true",
        "8589934592, 512, 16384, 0, false, false"
    })
    void shouldSayWhatTheGeometrySays(long bytes, int logical, int physical, int optimal, boolean discard, boolean writeZeroes) {
        ByteBuffer config = read(new VirtioBlkDevice(() -> new BlockGeometry(bytes, logical, physical, optimal, false, discard, writeZeroes), QUEUES, SEG_MAX));
        int mostSectors = 0x7FFF_F000 / logical * (logical / 512);
        assertThat(config.getLong(0)).as("capacity").isEqualTo(bytes / 512);
        assertThat(config.getInt(8)).as("size_max").isZero();
        assertThat(config.getInt(12)).as("seg_max").isEqualTo(SEG_MAX);
        assertThat(config.getInt(16)).as("geometry").isZero();
        assertThat(config.getInt(20)).as("blk_size").isEqualTo(logical);
        assertThat(1 << config.get(24)).as("physical_block_exp").isEqualTo(physical / logical);
        assertThat(config.get(25)).as("alignment_offset").isZero();
        assertThat(config.getShort(26)).as("min_io_size").isEqualTo((short) (physical / logical));
        assertThat(config.getInt(28)).as("opt_io_size").isEqualTo(optimal / logical);
        assertThat(config.get(32)).as("writeback").isEqualTo((byte) 1);
        assertThat(config.getShort(34)).as("num_queues").isEqualTo((short) QUEUES);
        assertThat(config.getInt(36)).as("max_discard_sectors").isEqualTo(discard ? mostSectors : 0);
        assertThat(config.getInt(40)).as("max_discard_seg").isEqualTo(discard ? 1 : 0);
        assertThat(config.getInt(44)).as("discard_sector_alignment").isEqualTo(discard ? logical / 512 : 0);
        assertThat(config.getInt(48)).as("max_write_zeroes_sectors").isEqualTo(writeZeroes ? mostSectors : 0);
        assertThat(config.getInt(52)).as("max_write_zeroes_seg").isEqualTo(writeZeroes ? 1 : 0);
        assertThat(config.get(56)).as("write_zeroes_may_unmap").isEqualTo((byte) (writeZeroes && discard ? 1 : 0));
        for (int i = 57; i < 256; i++) {
            assertThat(config.get(i)).as("byte " + i).isZero();
        }
    }

    @Test
    void shouldSayWhatTheSizeIsNow() {
        BlockGeometry small = new BlockGeometry(1 << 20, 512, 4096, 0, false, true, true);
        BlockGeometry large = new BlockGeometry(1 << 21, 512, 4096, 0, false, true, true);
        BlockGeometry[] now = {small};
        VirtioBlkDevice device = new VirtioBlkDevice(() -> now[0], 1, SEG_MAX);
        assertThat(read(device).getLong(0)).isEqualTo(small.sectors());
        long offered = device.offered();
        now[0] = large;
        assertThat(read(device).getLong(0)).isEqualTo(large.sectors());
        assertThat(device.geometry()).isSameAs(large);
        assertThat(device.offered()).isEqualTo(offered);
    }

    /** VIRTIO 1.3 §5.2.5.2. */
    @Test
    void shouldSayWriteThroughWhenTheDriverNeverFlushes() {
        VirtioBlkDevice device = new VirtioBlkDevice(() -> new BlockGeometry(1 << 20, 512, 512, 0, false, true, true), 1, SEG_MAX);
        device.accept(VirtioFeatures.VERSION_1 | VirtioFeatures.BLK_CONFIG_WCE);
        assertThat(read(device).get(32)).isZero();
        device.accept(VirtioFeatures.VERSION_1 | VirtioFeatures.BLK_CONFIG_WCE | VirtioFeatures.BLK_FLUSH);
        assertThat(read(device).get(32)).isEqualTo((byte) 1);
    }
}
