package dev.sluice.aio.raw;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.testing.LoopDevice;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the kernel reports of a block device, opened for writing and for reading alone. */
class DeviceGeometryTest {
    private static final long SIZE = 4 << 20;

    private Path file = Path.of("/");

    @BeforeEach
    void make() throws IOException {
        file = LoopDevice.sparse(Files.createTempFile("sluice-geometry", ".raw"), SIZE);
    }

    @AfterEach
    void remove() throws IOException {
        Files.delete(file);
    }

    private static BlockGeometry geometry(Path image, boolean readOnly) throws IOException {
        try (RawImage opened = RawImage.open(new BackendOptions(image, readOnly, true, 8))) {
            return opened.geometry();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {512, 4096})
    void shouldSayWhatTheDeviceIsAndOfferNothingThatWritesWhenItIsReadOnly(int blockBytes) throws IOException {
        try (LoopDevice device = LoopDevice.attach(file, "-b", Integer.toString(blockBytes))) {
            BlockGeometry writable = geometry(device.path(), false);
            assertThat(writable.sizeBytes()).isEqualTo(SIZE);
            assertThat(writable.logicalBlockBytes()).isEqualTo(blockBytes);
            assertThat(writable.physicalBlockBytes()).isGreaterThanOrEqualTo(blockBytes);
            assertThat(writable.optimalIoBytes()).isNotNegative();
            assertThat(writable.readOnly()).isFalse();
            assertThat(writable.writeZeroes()).isTrue();
            BlockGeometry readOnly = geometry(device.path(), true);
            assertThat(readOnly.readOnly()).isTrue();
            assertThat(readOnly.discard()).isFalse();
            assertThat(readOnly.writeZeroes()).isFalse();
            assertThat(readOnly.sizeBytes()).isEqualTo(SIZE);
            assertThat(readOnly.logicalBlockBytes()).isEqualTo(blockBytes);
        }
    }

    @Test
    void shouldOfferNothingThatWritesOfAFileThatIsReadOnly() throws IOException {
        assertThat(geometry(file, false).writeZeroes()).isTrue();
        BlockGeometry readOnly = geometry(file, true);
        assertThat(readOnly.readOnly()).isTrue();
        assertThat(readOnly.discard()).isFalse();
        assertThat(readOnly.writeZeroes()).isFalse();
    }
}
