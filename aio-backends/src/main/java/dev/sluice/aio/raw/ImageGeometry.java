package dev.sluice.aio.raw;

import dev.sluice.linux.BlockDeviceIoctl;
import dev.sluice.linux.Errno;
import dev.sluice.linux.ErrnoException;
import dev.sluice.linux.FileStatus;
import dev.sluice.linux.LinuxFile;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockRequest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Measures an open image. Any thread; set-up only. */
final class ImageGeometry {
    private static final int PUNCH_HOLE = LinuxFile.FALLOC_FL_PUNCH_HOLE | LinuxFile.FALLOC_FL_KEEP_SIZE;

    private ImageGeometry() {}

    static BlockGeometry of(int fd, String path, FileStatus status, DirectAlignment alignment, boolean readOnly) throws IOException {
        return switch (status.type()) {
            case REGULAR -> ofFile(fd, path, status, alignment, readOnly);
            case BLOCK_DEVICE -> ofDevice(fd, path, status, readOnly);
            case OTHER -> throw new IOException("open " + path + ": neither a regular file nor a block device: name a raw image");
        };
    }

    private static BlockGeometry ofFile(int fd, String path, FileStatus status, DirectAlignment alignment, boolean readOnly) throws IOException {
        long size = checkedSize(path, status.sizeBytes());
        int physical = Math.max(BlockRequest.SECTOR_BYTES, alignment.offsetBytes());
        boolean discard = !readOnly && punchesHoles(fd, size);
        return new BlockGeometry(size, BlockRequest.SECTOR_BYTES, physical, 0, readOnly, discard, !readOnly);
    }

    private static BlockGeometry ofDevice(int fd, String path, FileStatus status, boolean readOnly) throws IOException {
        long size = deviceSize(fd, path);
        int logical = (int) asked("BLKSSZGET", path, BlockDeviceIoctl.logicalBlockBytes(fd));
        int physical = (int) asked("BLKPBSZGET", path, BlockDeviceIoctl.physicalBlockBytes(fd));
        int optimal = Math.max(0, BlockDeviceIoctl.optimalIoBytes(fd));
        if (!readOnly && BlockDeviceIoctl.readOnly(fd) == 1) {
            throw new ErrnoException("open", path, Errno.EROFS, "the device is read-only: open it read-only");
        }
        boolean discard = !readOnly && devicePunchesHoles(status.specialDevice());
        return new BlockGeometry(size, logical, Math.max(logical, physical), optimal, readOnly, discard, !readOnly);
    }

    /** How large a block device is now. */
    static long deviceSize(int fd, String path) throws IOException {
        return checkedSize(path, asked("BLKGETSIZE64", path, BlockDeviceIoctl.sizeBytes(fd)));
    }

    private static long asked(String ioctl, String path, long result) throws IOException {
        if (result < 0) {
            throw new ErrnoException("ioctl(" + ioctl + ")", path, (int) result, "is the device there?");
        }
        return result;
    }

    private static long checkedSize(String path, long sizeBytes) throws IOException {
        if (sizeBytes == 0) {
            throw new IOException("open " + path + ": the image is empty: give it its size first, for instance with 'truncate -s 10G'");
        }
        if (sizeBytes % BlockRequest.SECTOR_BYTES != 0) {
            long rounded = (sizeBytes / BlockRequest.SECTOR_BYTES + 1) * BlockRequest.SECTOR_BYTES;
            throw new IOException("open " + path + ": its size of " + sizeBytes + " bytes is not a multiple of 512: is it a raw image? 'truncate -s " + rounded
                    + "' rounds it up");
        }
        return sizeBytes;
    }

    /** Punches behind the end, where there is nothing to lose: the file system reports all the same whether it can. */
    private static boolean punchesHoles(int fd, long sizeBytes) {
        return LinuxFile.fallocate(fd, PUNCH_HOLE, sizeBytes, BlockRequest.SECTOR_BYTES) == 0;
    }

    /** A device punches a hole by writing zeroes with leave to unmap (fallocate(2) on a block device). */
    private static boolean devicePunchesHoles(long device) {
        Path limit = Path.of("/sys/dev/block/" + (device >>> 32) + ":" + (int) device + "/queue/write_zeroes_max_bytes");
        // A partition has no queue directory of its own; its disk has it.
        Path ofDisk = Path.of("/sys/dev/block/" + (device >>> 32) + ":" + (int) device + "/../queue/write_zeroes_max_bytes");
        return positive(limit) || positive(ofDisk);
    }

    private static boolean positive(Path file) {
        try {
            return Long.parseLong(Files.readString(file).strip()) > 0;
        } catch (IOException | NumberFormatException unknown) {
            return false;
        }
    }
}
