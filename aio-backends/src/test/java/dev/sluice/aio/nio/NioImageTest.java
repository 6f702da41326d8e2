package dev.sluice.aio.nio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.aio.raw.RawImage;
import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BackendOptions;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class NioImageTest {
    private static final int SIZE = 1 << 20;

    private Path path = Path.of("not made yet");

    @BeforeEach
    void makeImage() throws IOException {
        path = Files.createTempFile(Path.of("target"), "sluice-nio", ".raw");
        size(SIZE);
    }

    private void size(long bytes) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
            file.setLength(bytes);
        }
    }

    @AfterEach
    void deleteImage() throws IOException {
        Files.deleteIfExists(path);
    }

    @Test
    void shouldTellWhatItCannotDo() throws IOException {
        try (NioImage image = NioImage.open(BackendOptions.of(path))) {
            assertThat(image.geometry().sizeBytes()).isEqualTo(SIZE);
            assertThat(image.geometry().discard()).isFalse();
            assertThat(image.geometry().writeZeroes()).isTrue();
            assertThat(image.direct()).as("ext4, as every disk that these tests run on, has O_DIRECT").isTrue();
        }
    }

    @Test
    void shouldUseThePageCacheForWhatIsNotAligned() throws IOException {
        try (NioImage image = NioImage.open(BackendOptions.of(path))) {
            assertThat(image.channel(65536, 65536, 65536)).isNotSameAs(image.channel(65536, 65536, 512));
            assertThat(image.channel(65536, 512, 65536)).isSameAs(image.channel(65537, 65536, 65536));
        }
    }

    @Test
    void shouldBeAloneWhenItWrites() throws IOException {
        try (NioImage _ = NioImage.open(BackendOptions.of(path))) {
            assertThatThrownBy(() -> NioImage.open(BackendOptions.of(path))).isInstanceOf(IOException.class).hasMessageContaining("open already");
        }
        NioImage.open(BackendOptions.of(path).withReadOnly(true)).close();
        NioImage.open(BackendOptions.of(path)).close();
    }

    /** A POSIX lock goes when the process closes any descriptor of the file, one that was opened in vain too. */
    @Test
    void shouldKeepItsLockWhenTheImageIsOpenedAgainInVain() throws IOException {
        try (NioImage _ = NioImage.open(BackendOptions.of(path))) {
            assertThat(locks()).isEqualTo(1);
            for (boolean readOnly : new boolean[] {false, true}) {
                BackendOptions again = BackendOptions.of(path).withReadOnly(readOnly);
                assertThatThrownBy(() -> NioImage.open(again)).isInstanceOf(IOException.class).hasMessageContaining("open already");
                assertThatThrownBy(() -> RawImage.open(again)).isInstanceOf(IOException.class).hasMessageContaining("open already");
            }
            assertThat(locks()).isEqualTo(1);
        }
        assertThat(locks()).isZero();
        RawImage.open(BackendOptions.of(path)).close();
    }

    /** POSIX locks of this process on the image. */
    private long locks() throws IOException {
        String owner = " " + ProcessHandle.current().pid() + " ";
        String inode = ":" + Files.getAttribute(path, "unix:ino") + " ";
        try (Stream<String> lines = Files.lines(Path.of("/proc/locks"))) {
            return lines.filter(line -> line.contains(" POSIX ") && line.contains(owner) && line.contains(inode)).count();
        }
    }

    @Test
    void shouldGrowAndShrink() throws IOException {
        try (NioImage image = NioImage.open(BackendOptions.of(path))) {
            image.resize(2 * SIZE);
            assertThat(image.geometry().sizeBytes()).isEqualTo(2 * SIZE);
            assertThat(Files.size(path)).isEqualTo(2 * SIZE);
            image.resize(4096);
            assertThat(image.geometry().sizeBytes()).isEqualTo(4096);
            assertThat(Files.size(path)).isEqualTo(4096);
        }
        try (NioImage image = NioImage.open(BackendOptions.of(path).withReadOnly(true))) {
            assertThatThrownBy(() -> image.resize(SIZE)).isInstanceOf(IOException.class).hasMessageContaining("for reading only");
        }
    }

    @Test
    void shouldSayWhatIsWrongWithAnImageAndWhatToDo() throws IOException {
        size(1000);
        assertThatThrownBy(() -> NioImage.open(BackendOptions.of(path))).hasMessageContaining("multiple of 512");
        size(0);
        assertThatThrownBy(() -> NioImage.open(BackendOptions.of(path))).hasMessageContaining("truncate");
        Files.delete(path);
        assertThatThrownBy(() -> NioImage.open(BackendOptions.of(path))).hasMessageContaining("create the image first");
        assertThatThrownBy(() -> NioImage.open(BackendOptions.of(Path.of("target")))).hasMessageContaining("directory");
    }

    @Test
    void shouldKnowTheErrorsThatAGuestTellsApart() {
        assertThat(FileErrors.errno(new IOException("No space left on device"))).isEqualTo(-Errno.ENOSPC);
        assertThat(FileErrors.errno(new IOException("Disk quota exceeded"))).isEqualTo(-Errno.EDQUOT);
        assertThat(FileErrors.errno(new IOException("Read-only file system"))).isEqualTo(-Errno.EROFS);
        assertThat(FileErrors.errno(new IOException("Bad address"))).isEqualTo(-Errno.EFAULT);
        assertThat(FileErrors.errno(new IOException("File too large"))).isEqualTo(-Errno.EFBIG);
        assertThat(FileErrors.errno(new IOException("Cannot allocate memory"))).isEqualTo(-Errno.ENOMEM);
        assertThat(FileErrors.errno(new IOException("Input/output error"))).isEqualTo(-Errno.EIO);
        assertThat(FileErrors.errno(new IOException("in another tongue"))).isEqualTo(-Errno.EIO);
        assertThat(FileErrors.errno(new ClosedChannelException())).isEqualTo(-Errno.EBADF);
        assertThat(FileErrors.errno(new InternalError("a fault occurred"))).isEqualTo(-Errno.EFAULT);
    }
}
