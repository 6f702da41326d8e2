package dev.sluice.aio.raw;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import dev.sluice.aio.loop.OpenFiles;
import dev.sluice.linux.LinuxFile;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockGeometry;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.assertj.core.api.AbstractThrowableAssert;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What an image is, and the one line that says why it can't be opened. */
class RawImageTest {
    private static final long SIZE = 1 << 20;

    @TempDir
    Path directory = Path.of("/");

    private Path image(long size) throws IOException {
        Path path = directory.resolve("disk.raw");
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
            file.setLength(size);
        }
        return path;
    }

    private static AbstractThrowableAssert<?, ? extends Throwable> assertRefused(BackendOptions options) {
        return assertThatThrownBy(() -> RawImage.open(options).close())
                .isInstanceOf(IOException.class)
                .hasMessageContaining(options.image() + ": ")
                .hasMessageNotContaining("\n");
    }

    @Test
    void shouldMeasureAFile() throws IOException {
        try (RawImage image = RawImage.open(BackendOptions.of(image(SIZE)))) {
            BlockGeometry geometry = image.geometry();
            assertThat(geometry.sizeBytes()).isEqualTo(SIZE);
            assertThat(geometry.logicalBlockBytes()).isEqualTo(512);
            assertThat(geometry.physicalBlockBytes()).isGreaterThanOrEqualTo(512);
            assertThat(geometry.readOnly()).isFalse();
            assertThat(geometry.writeZeroes()).isTrue();
            assertThat(image.direct()).isTrue();
            assertThat(image.bufferedFd()).isNotEqualTo(image.fd());
            assertThat(LinuxFile.flags(image.fd()) & (LinuxFile.O_DIRECT | LinuxFile.O_NONBLOCK)).isEqualTo(LinuxFile.O_DIRECT);
            assertThat(LinuxFile.flags(image.bufferedFd()) & (LinuxFile.O_DIRECT | LinuxFile.O_NONBLOCK)).isZero();
        }
    }

    @Test
    void shouldKeepOneDescriptorWhenNotDirect() throws IOException {
        try (RawImage image = RawImage.open(BackendOptions.of(image(SIZE)).withDirect(false))) {
            assertThat(image.alignment()).isEqualTo(DirectAlignment.NONE);
            assertThat(image.bufferedFd()).isEqualTo(image.fd());
        }
    }

    @Test
    void shouldOfferNothingThatModifiesWhenReadOnly() throws IOException {
        try (RawImage image = RawImage.open(BackendOptions.of(image(SIZE)).withReadOnly(true))) {
            assertThat(image.geometry().readOnly()).isTrue();
            assertThat(image.geometry().discard()).isFalse();
            assertThat(image.geometry().writeZeroes()).isFalse();
        }
    }

    @Test
    void shouldNotChangeTheFileWhenAskingWhetherItPunchesHoles() throws IOException {
        Path path = image(SIZE);
        Files.write(path, new byte[(int) SIZE]);
        RawImage.open(BackendOptions.of(path)).close();
        assertThat(Files.size(path)).isEqualTo(SIZE);
    }

    @Test
    void shouldSayWhatToDoWhenTheFileIsMissing() {
        assertRefused(BackendOptions.of(directory.resolve("none.raw"))).hasMessageContaining("ENOENT").hasMessageContaining("truncate -s");
    }

    @Test
    void shouldSayWhatToDoWhenItIsADirectory() {
        assertRefused(BackendOptions.of(directory)).hasMessageContaining("directory");
        assertRefused(BackendOptions.of(directory).withReadOnly(true).withDirect(false)).hasMessageContaining("neither a regular file nor a block device");
    }

    @Test
    void shouldSayWhatToDoWhenItIsADeviceOfAnotherKind() {
        assertRefused(BackendOptions.of(Path.of("/dev/null")).withDirect(false)).hasMessageContaining("neither a regular file nor a block device");
        // It cannot do O_DIRECT either, but that is not what is wrong.
        assertRefused(BackendOptions.of(Path.of("/dev/null"))).hasMessageContaining("neither a regular file nor a block device");
    }

    @Test
    void shouldSayWhatToDoWhenTheSizeIsOddOrNothing() throws IOException {
        assertRefused(BackendOptions.of(image(1000))).hasMessageContaining("1000 bytes is not a multiple of 512").hasMessageContaining("truncate -s 1024");
        assertRefused(BackendOptions.of(image(0))).hasMessageContaining("empty");
    }

    @Test
    void shouldSayWhatToDoWhenAccessIsDenied() throws IOException {
        if ("root".equals(System.getProperty("user.name"))) {
            System.out.println("SKIPPED: an image without permission: root is never denied access to a file");
        }
        assumeFalse("root".equals(System.getProperty("user.name")), "SKIPPED: root is never denied access to a file");
        Path path = image(SIZE);
        Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("r--r--r--"));
        assertRefused(BackendOptions.of(path)).hasMessageContaining("EACCES").hasMessageContaining("open it read-only");
    }

    @Test
    void shouldExcludeAnotherWriterAndReaderOfThisProcess() throws IOException {
        BackendOptions options = BackendOptions.of(image(SIZE));
        try (RawImage writer = RawImage.open(options)) {
            assertThat(writer.geometry().sizeBytes()).isEqualTo(SIZE);
            assertRefused(options).hasMessageContaining("EAGAIN").hasMessageContaining("in use");
            assertRefused(options.withReadOnly(true)).hasMessageContaining("in use");
        }
        RawImage.open(options).close();
    }

    @Test
    void shouldShareAmongReaders() throws IOException {
        BackendOptions readOnly = BackendOptions.of(image(SIZE)).withReadOnly(true);
        try (RawImage one = RawImage.open(readOnly);
                RawImage other = RawImage.open(readOnly)) {
            assertThat(one.fd()).isNotEqualTo(other.fd());
            assertRefused(readOnly.withReadOnly(false)).hasMessageContaining("in use");
        }
    }

    @Test
    void shouldLeaveNoDescriptorBehind() throws IOException {
        Path path = image(SIZE);
        RawImage.open(BackendOptions.of(path)).close();
        long before = OpenFiles.count();
        for (int i = 0; i < 50; i++) {
            RawImage.open(BackendOptions.of(path)).close();
            assertRefused(BackendOptions.of(directory)).hasMessageContaining("directory");
        }
        assertThat(OpenFiles.count()).isLessThanOrEqualTo(before);
    }

    @Test
    void shouldGrowAndShrinkAFile() throws IOException {
        Path path = image(SIZE);
        try (RawImage image = RawImage.open(BackendOptions.of(path))) {
            image.resize(2 * SIZE);
            assertThat(image.geometry().sizeBytes()).isEqualTo(2 * SIZE);
            assertThat(Files.size(path)).isEqualTo(2 * SIZE);
            image.resize(4096);
            assertThat(image.geometry().sectors()).isEqualTo(8);
            assertThat(Files.size(path)).isEqualTo(4096);
            assertThatThrownBy(() -> image.resize(1000)).isInstanceOf(IllegalArgumentException.class);
            assertThat(Files.size(path)).isEqualTo(4096);
        }
        try (RawImage image = RawImage.open(BackendOptions.of(path).withReadOnly(true))) {
            assertThatThrownBy(() -> image.resize(SIZE)).isInstanceOf(IOException.class).hasMessageContaining("EROFS");
        }
    }
}
