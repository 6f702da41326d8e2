package dev.sluice.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

@ExtendWith(FdLeakCheck.class)
class LinuxFileTest {
    private static final int CREATE = LinuxFile.O_RDWR | LinuxFile.O_CREAT | LinuxFile.O_EXCL | LinuxFile.O_CLOEXEC;
    private static final long PAGE = Mapping.pageBytes();

    @TempDir
    Path directory;
    private final NativeBlock memory = NativeMemory.allocate(4 * PAGE, PAGE);
    private final long buffer = memory.address();

    @AfterEach
    void free() {
        memory.close();
    }

    private Fd newFile() throws ErrnoException {
        return LinuxFile.openOrThrow(directory.resolve("file").toString(), CREATE, 0600);
    }

    @Test
    void shouldSayWhatToDoWhenAFileCannotBeOpened() {
        assertThat(LinuxFile.open("/nonexistent/disk", LinuxFile.O_RDONLY, 0)).isEqualTo(-Errno.ENOENT);
        assertThat(LinuxFile.open("a\0b", LinuxFile.O_RDONLY, 0)).isEqualTo(-Errno.EINVAL);
        assertThatExceptionOfType(ErrnoException.class)
                .isThrownBy(() -> LinuxFile.openOrThrow("/nonexistent/disk", LinuxFile.O_RDONLY, 0))
                .withMessage(
                        "open /nonexistent/disk: ENOENT (no such file or directory): create it first, or correct the path");
    }

    @Test
    void shouldReadBackWhatWasWritten() throws IOException {
        try (Fd file = newFile()) {
            int fd = file.number();
            NativeMemory.fill(buffer, 100, (byte) 7);
            assertThat(LinuxFile.pwrite(fd, buffer, 100, 1000)).isEqualTo(100);
            assertThat(LinuxFile.fdatasync(fd)).isZero();
            assertThat(LinuxFile.fsync(fd)).isZero();
            assertThat(LinuxFile.pread(fd, buffer + 200, 200, 1000)).isEqualTo(100);
            assertThat(NativeMemory.getByte(buffer + 299)).isEqualTo((byte) 7);
            assertThat(LinuxFile.pread(fd, buffer, 1, 5000)).isZero();
            assertThat(LinuxFile.pread(fd, 0, 1, 0)).isEqualTo(-Errno.EFAULT);
        }
    }

    @Test
    void shouldGatherAndScatterWhenGivenIovecs() throws IOException {
        try (Fd file = newFile();
                NativeBlock iovecs = NativeMemory.allocate(2 * Iovec.SIZE, 8)) {
            long array = iovecs.address();
            NativeMemory.putLong(buffer, 1);
            NativeMemory.putLong(buffer + 64, 2);
            Iovec.set(array, 0, buffer, 8);
            Iovec.set(array, 1, buffer + 64, 8);
            assertThat(Iovec.base(array, 1)).isEqualTo(buffer + 64);
            assertThat(Iovec.length(array, 1)).isEqualTo(8);
            assertThat(LinuxFile.pwritev2(file.number(), array, 2, 512, LinuxFile.RWF_DSYNC)).isEqualTo(16);
            Iovec.set(array, 0, buffer + 128, 16);
            assertThat(LinuxFile.preadv2(file.number(), array, 1, 512, 0)).isEqualTo(16);
            assertThat(NativeMemory.getLong(buffer + 128)).isEqualTo(1);
            assertThat(NativeMemory.getLong(buffer + 136)).isEqualTo(2);
            assertThat(LinuxFile.preadv2(file.number(), array, 1, -1, 0)).isEqualTo(-Errno.EINVAL);
            assertThat(LinuxFile.pwritev2(file.number(), array, 1, -1, 0)).isEqualTo(-Errno.EINVAL);
        }
    }

    @Test
    void shouldPunchAHoleThatSeekFinds() throws IOException {
        try (Fd file = Fd.adopt(Memfd.create("holes", Memfd.MFD_CLOEXEC))) {
            int fd = file.number();
            assertThat(LinuxFile.pwrite(fd, buffer, 4 * PAGE, 0)).isEqualTo(4 * PAGE);
            int punch = LinuxFile.FALLOC_FL_PUNCH_HOLE | LinuxFile.FALLOC_FL_KEEP_SIZE;
            assertThat(LinuxFile.fallocate(fd, punch, PAGE, PAGE)).isZero();
            assertThat(LinuxFile.lseek(fd, 0, LinuxFile.SEEK_HOLE)).isEqualTo(PAGE);
            assertThat(LinuxFile.lseek(fd, PAGE, LinuxFile.SEEK_DATA)).isEqualTo(2 * PAGE);
            assertThat(LinuxFile.lseek(fd, 4 * PAGE, LinuxFile.SEEK_DATA)).isEqualTo(-Errno.ENXIO);
            assertThat(LinuxFile.fallocate(fd, LinuxFile.FALLOC_FL_PUNCH_HOLE, 0, PAGE)).isEqualTo(-Errno.EOPNOTSUPP);
        }
    }

    @Test
    void shouldDescribeARegularFile() throws IOException {
        try (Fd file = newFile()) {
            assertThat(LinuxFile.ftruncate(file.number(), 12345)).isZero();
            FileStatus status = LinuxFile.status(file.number());
            assertThat(status.type()).isEqualTo(FileStatus.Type.REGULAR);
            assertThat(status.sizeBytes()).isEqualTo(12345);
            assertThat(status.permissions()).isEqualTo(0600);
            assertThat(status.allocatedBlocks()).isZero();
            assertThat(status.inode()).isEqualTo(Files.getAttribute(directory.resolve("file"), "unix:ino"));
            assertThat(status.dioMemoryAlign()).isNotNegative();
        }
    }

    @Test
    void shouldDescribeWhatIsNeitherFileNorDisk() throws IOException {
        try (Fd nothing = LinuxFile.openOrThrow("/dev/null", LinuxFile.O_RDONLY | LinuxFile.O_CLOEXEC, 0)) {
            FileStatus status = LinuxFile.status(nothing.number());
            assertThat(status.type()).isEqualTo(FileStatus.Type.OTHER);
            assertThat(status.specialDevice()).isEqualTo(1L << 32 | 3);
        }
        assertThatExceptionOfType(ErrnoException.class).isThrownBy(() -> LinuxFile.status(-1));
    }

    @Test
    void shouldReadWithODirectAtTheReportedAlignment() throws IOException {
        try (Fd file = newFile()) {
            assertThat(LinuxFile.pwrite(file.number(), buffer, PAGE, 0)).isEqualTo(PAGE);
            FileStatus status = LinuxFile.status(file.number());
            int direct = LinuxFile.open(directory.resolve("file").toString(), LinuxFile.O_RDONLY | LinuxFile.O_DIRECT, 0);
            // Where O_DIRECT cannot be had (tmpfs of old kernels) the open says so and statx reports nothing.
            if (direct == -Errno.EINVAL) {
                assertThat(status.dioOffsetAlign()).isZero();
                return;
            }
            try (Fd opened = Fd.adopt(direct)) {
                assertThat(LinuxFile.flags(opened.number()) & LinuxFile.O_DIRECT).isNotZero();
                int align = Math.max(status.dioOffsetAlign(), 512);
                assertThat(LinuxFile.pread(opened.number(), buffer, align, 0)).isEqualTo(align);
            }
        }
    }

    @Test
    void shouldNameTheFileSystem() {
        try (Fd memory = Fd.adopt(Memfd.create("tmpfs", Memfd.MFD_CLOEXEC))) {
            assertThat(LinuxFile.fileSystemType(memory.number())).isEqualTo(LinuxFile.TMPFS_MAGIC);
        }
        assertThat(LinuxFile.fileSystemType(-1)).isEqualTo(-Errno.EBADF);
    }

    @Test
    void shouldSwitchNonBlockingOnAndOff() {
        try (Fd event = Fd.adopt(EventFd.create(0, EventFd.EFD_CLOEXEC))) {
            assertThat(LinuxFile.setNonBlocking(event.number(), true)).isZero();
            assertThat(EventFd.drain(event.number())).isEqualTo(-Errno.EAGAIN);
            assertThat(LinuxFile.setNonBlocking(event.number(), false)).isZero();
            assertThat(LinuxFile.flags(event.number()) & LinuxFile.O_NONBLOCK).isZero();
        }
        assertThat(LinuxFile.setNonBlocking(-1, true)).isEqualTo(-Errno.EBADF);
    }

    @Test
    void shouldSwitchCloseOnExecOnAndOff() {
        try (Fd event = Fd.adopt(EventFd.create(0, 0))) {
            int getFd = 1;
            assertThat(LinuxFile.fcntl(event.number(), getFd, 0)).isZero();
            assertThat(LinuxFile.setCloseOnExec(event.number(), true)).isZero();
            assertThat(LinuxFile.fcntl(event.number(), getFd, 0)).isEqualTo(1);
            assertThat(LinuxFile.setCloseOnExec(event.number(), false)).isZero();
            assertThat(LinuxFile.fcntl(event.number(), getFd, 0)).isZero();
        }
    }

    @Test
    void shouldMakeAFileWithoutANameWhenOTmpfile() throws IOException {
        int flags = LinuxFile.O_TMPFILE | LinuxFile.O_RDWR | LinuxFile.O_CLOEXEC;
        try (Fd file = LinuxFile.openOrThrow(directory.toString(), flags, 0600)) {
            assertThat(LinuxFile.pwrite(file.number(), buffer, 10, 0)).isEqualTo(10);
            assertThat(directory).isEmptyDirectory();
        }
    }

    @Test
    void shouldRemoveAName() throws IOException {
        newFile().close();
        assertThat(LinuxFile.unlink(directory.resolve("file").toString())).isZero();
        assertThat(LinuxFile.unlink(directory.resolve("file").toString())).isEqualTo(-Errno.ENOENT);
    }

    @Test
    void shouldAnswerAsTheDiskDoesInSysfsWhenItIsABlockDevice() throws IOException {
        int found = 0;
        try (var disks = Files.list(Path.of("/sys/block"))) {
            for (Path disk : disks.toList()) {
                int number = LinuxFile.open("/dev/" + disk.getFileName(), LinuxFile.O_RDONLY | LinuxFile.O_CLOEXEC, 0);
                if (number < 0) {
                    continue;
                }
                found++;
                try (Fd device = Fd.adopt(number)) {
                    assertThat(LinuxFile.status(number).type()).isEqualTo(FileStatus.Type.BLOCK_DEVICE);
                    assertThat(BlockDeviceIoctl.sizeBytes(number)).isEqualTo(512 * sysfs(disk, "size"));
                    assertThat(BlockDeviceIoctl.logicalBlockBytes(number)).isEqualTo((int) sysfs(disk, "queue/logical_block_size"));
                    assertThat(BlockDeviceIoctl.physicalBlockBytes(number))
                            .isEqualTo((int) sysfs(disk, "queue/physical_block_size"));
                    assertThat(BlockDeviceIoctl.optimalIoBytes(number)).isEqualTo((int) sysfs(disk, "queue/optimal_io_size"));
                    assertThat(BlockDeviceIoctl.readOnly(number)).isEqualTo((int) sysfs(disk, "ro"));
                    assertThat(device.isOpen()).isTrue();
                }
            }
        }
        if (found == 0) {
            System.err.println("SKIPPED: no block device of this machine can be opened by this user");
        }
    }

    private static long sysfs(Path disk, String name) throws IOException {
        return Long.parseLong(Files.readString(disk.resolve(name)).strip());
    }

    @Test
    void shouldReturnEnottyWhenItIsNoBlockDevice() throws IOException {
        try (Fd file = newFile()) {
            assertThat(BlockDeviceIoctl.sizeBytes(file.number())).isEqualTo(-Errno.ENOTTY);
            assertThat(BlockDeviceIoctl.readOnly(file.number())).isEqualTo(-Errno.ENOTTY);
        }
    }
}
