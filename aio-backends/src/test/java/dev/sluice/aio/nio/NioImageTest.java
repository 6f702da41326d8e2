package dev.sluice.aio.nio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.aio.loop.OpenFiles;
import dev.sluice.aio.raw.RawImage;
import dev.sluice.linux.Errno;
import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.OfdLock;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.testing.LoopDevice;
import dev.sluice.pipeline.testing.Patience;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.channels.NonWritableChannelException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

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
            FileChannel buffered = image.channel(1, 1, 1);
            assertThat(image.channel(65536, 65536, 65536)).isNotSameAs(buffered);
            assertThat(image.channel(65536, 65536, 512)).isSameAs(buffered);
            assertThat(image.channel(65536, 512, 65536)).isSameAs(buffered);
            assertThat(image.channel(65537, 65536, 65536)).isSameAs(buffered);
            // Direct it is: such a write would have to go through the page cache.
            assertThatThrownBy(() -> image.channel(65536, 65536, 65536).write(ByteBuffer.allocate(1), 1)).isInstanceOf(IOException.class);
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
        assertThatThrownBy(() -> NioImage.open(BackendOptions.of(path))).hasMessageContaining("is it a raw image?");
        size(0);
        assertThatThrownBy(() -> NioImage.open(BackendOptions.of(path))).hasMessageContaining("truncate");
        Files.delete(path);
        assertThatThrownBy(() -> NioImage.open(BackendOptions.of(path))).hasMessageContaining("create the image first");
        assertThatThrownBy(() -> NioImage.open(BackendOptions.of(Path.of("target")))).hasMessageContaining("that is a directory: name a raw image");
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
        assertThat(FileErrors.errno(new NonWritableChannelException())).isEqualTo(-Errno.EROFS);
        assertThat(FileErrors.errno(new IllegalStateException("a bug"))).isEqualTo(-Errno.EIO);
        assertThat(FileErrors.errno(new ClosedChannelException())).isEqualTo(-Errno.EBADF);
        assertThat(FileErrors.errno(new InternalError("a fault occurred"))).isEqualTo(-Errno.EFAULT);
    }

    @Test
    void shouldGoThroughThePageCacheAloneWhereItIsAskedTo() throws IOException {
        try (NioImage image = NioImage.open(new BackendOptions(path, false, false, 4))) {
            assertThat(image.direct()).isFalse();
            assertThat(image.channel(65536, 65536, 65536)).isSameAs(image.channel(1, 1, 1));
            assertThat(image.geometry().physicalBlockBytes()).isEqualTo(512);
            assertThat(image).hasToString("NioImage[" + path + ", buffered]");
        }
        try (NioImage image = NioImage.open(BackendOptions.of(path).withReadOnly(true))) {
            assertThat(image.geometry().physicalBlockBytes()).as("the file system's").isGreaterThan(512);
            assertThat(image).hasToString("NioImage[" + path + ", direct, read-only]");
        }
    }

    @Test
    void shouldNotOpenForWritingWhatIsToBeReadOnly() throws IOException {
        try (NioImage image = NioImage.open(BackendOptions.of(path).withReadOnly(true))) {
            assertThat(image.geometry().readOnly()).isTrue();
            assertThatThrownBy(() -> image.channel(1, 1, 1).write(ByteBuffer.allocate(1), 1)).isInstanceOf(NonWritableChannelException.class);
        }
    }

    /** Another process, whose locks are a RawImage's here: those of an open file, which those of a process respect. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldNotWriteWhatSomebodyElseReadsOrWrites(boolean othersRead) throws IOException {
        try (RawImage _ = RawImage.open(BackendOptions.of(path).withReadOnly(othersRead))) {
            assertThatThrownBy(() -> NioImage.open(BackendOptions.of(path)))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("in use by another process");
        }
        NioImage.open(BackendOptions.of(path)).close();
    }

    /** QEMU's bytes: who reads, who forbids writing, who forbids resizing. Each alone is in the way of someone. */
    @ParameterizedTest
    @ValueSource(longs = {100, 201, 203})
    void shouldRespectEachOfTheLocksThatAReaderTakes(long lockedByte) throws IOException {
        try (Fd other = LinuxFile.openOrThrow(path.toString(), LinuxFile.O_RDWR | LinuxFile.O_CLOEXEC, 0)) {
            assertThat(OfdLock.exclusive(other.number(), lockedByte, 1)).isZero();
            assertThatThrownBy(() -> NioImage.open(BackendOptions.of(path).withReadOnly(true)))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("in use by another process");
            assertThat(OfdLock.unlock(other.number(), lockedByte, 1)).isZero();
            NioImage.open(BackendOptions.of(path).withReadOnly(true)).close();
        }
    }

    /** What closes it a second time must not take the image from whoever has opened it since. */
    @Test
    void shouldReleaseItsImageOnceHoweverOftenItIsClosed() throws IOException {
        NioImage first = NioImage.open(BackendOptions.of(path));
        first.close();
        try (NioImage _ = NioImage.open(BackendOptions.of(path))) {
            first.close();
            assertThatThrownBy(() -> OpenImages.requireNotHeld(path)).isInstanceOf(IOException.class).hasMessageContaining("open already");
        }
        OpenImages.requireNotHeld(path);
        OpenImages.requireNotHeld(Path.of("target", "no-such-image"));
    }

    @Test
    void shouldKeepItsDataWhenItGetsTheSizeThatItHas() throws IOException {
        try (NioImage image = NioImage.open(BackendOptions.of(path))) {
            ByteBuffer last = ByteBuffer.wrap(new byte[] {42});
            assertThat(image.channel(1, 1, 1).write(last, SIZE - 1)).isEqualTo(1);
            image.resize(SIZE);
            assertThat(Files.readAllBytes(path)[SIZE - 1]).isEqualTo((byte) 42);
        }
    }

    @Test
    void shouldMissWhatIsCutOffWithoutItsDoing() throws IOException {
        try (NioImage image = NioImage.open(BackendOptions.of(path))) {
            image.resize(2 * SIZE);
            assertThat(image.size().missingBytes()).isZero();
            size(SIZE);
            image.size().look();
            assertThat(image.size().missingBytes()).as("of the size that it has been given").isEqualTo(SIZE);
            image.resize(SIZE / 2);
            assertThat(image.size().missingBytes()).isZero();
        }
    }

    @Test
    void shouldFailTheSyncOfAClosedImage() throws IOException {
        NioImage image = NioImage.open(BackendOptions.of(path));
        image.sync();
        image.close();
        assertThatThrownBy(image::sync).isInstanceOf(ClosedChannelException.class);
    }

    @Test
    void shouldHaveTheSizeOfABlockDeviceWhateverIsAskedFor() throws IOException {
        try (LoopDevice device = LoopDevice.attach(path);
                NioImage image = NioImage.open(BackendOptions.of(device.path()))) {
            assertThatThrownBy(() -> image.resize(2 * SIZE)).isInstanceOf(IOException.class).hasMessageContaining("the block device has " + SIZE + " bytes");
            assertThat(image.geometry().sizeBytes()).isEqualTo(SIZE);
            size(2 * SIZE);
            LoopDevice.require("a loop device follows its file", List.of("losetup", "--set-capacity", device.path().toString()));
            image.resize(2 * SIZE);
            assertThat(image.geometry().sizeBytes()).isEqualTo(2 * SIZE);
            assertThat(image.size().reachesTo(2 * SIZE)).as("what has grown is served").isTrue();
            image.cutBack();
        }
    }

    /** Neither a descriptor nor the look at its size once a second. */
    @Test
    void shouldLeaveNothingBehindWhenItIsClosed() throws IOException, InterruptedException {
        NioImage.open(BackendOptions.of(path)).close();
        long files = OpenFiles.count();
        for (int i = 0; i < 20; i++) {
            NioImage.open(BackendOptions.of(path)).close();
        }
        assertThat(OpenFiles.count()).isLessThan(files + 20);
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(Patience.seconds(30));
        while (Thread.getAllStackTraces().keySet().stream().anyMatch(thread -> thread.getName().equals("sluice-image-sizes"))) {
            assertThat(System.nanoTime() - end).as("the thread of open images ends with the last").isNegative();
            TimeUnit.MILLISECONDS.sleep(10);
        }
    }
}
