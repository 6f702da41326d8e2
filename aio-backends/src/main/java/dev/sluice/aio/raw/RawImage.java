package dev.sluice.aio.raw;

import dev.sluice.aio.image.ImageSize;
import dev.sluice.aio.image.OpenImage;
import dev.sluice.aio.image.WritebackState;
import dev.sluice.aio.nio.OpenImages;
import dev.sluice.linux.Errno;
import dev.sluice.linux.ErrnoException;
import dev.sluice.linux.Fd;
import dev.sluice.linux.FileStatus;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.OpenFileLimit;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockGeometry;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An opened raw image: its descriptors, its lock and what it is.
 *
 * <p>With O_DIRECT there are two open files. Nearly everything goes through the direct one; what O_DIRECT cannot do (512 bytes on a disk of
 * 4096-byte blocks, the rest of a read that stopped at an odd byte) goes through the buffered one. The two agree: a direct read
 * first writes back what the page cache holds dirty in its range, a direct write drops its range from the cache, and fdatasync on either
 * covers the file. Only requests that overlap <em>and</em> are in flight at the same time may see each other's pages half; a disk promises
 * them nothing either.
 *
 * <p>What is to be synced goes through open files of their own, one for each sink ({@link #takeSyncFd}), as {@link WritebackState} explains.
 *
 * <p><b>Threading:</b> any; only {@link #resize} changes something, the geometry; {@link #close} once, from any thread, after the last use of the descriptors.
 * <b>Ownership:</b> both descriptors and the lock are this object's. <b>Failure:</b> {@link #open} says in one line which call failed on which path, the errno
 * and what to do. <b>Allocation:</b> set-up only.
 */
public final class RawImage implements OpenImage {
    private static final Logger LOG = LoggerFactory.getLogger(RawImage.class);

    private final String path;
    private final Fd main;
    private final Fd buffered;
    private final DirectAlignment alignment;
    private volatile BlockGeometry geometry;
    private final boolean direct;
    private final boolean inMemory;
    private final WritebackState writeback;
    private final ImageSize size;

    /** Open files for syncs: all there are, and those that no sink has at present. */
    private final List<Fd> syncs = new ArrayList<>();

    private final Deque<Fd> freeSyncs = new ArrayDeque<>();

    private RawImage(
            String path, Fd main, Fd buffered, DirectAlignment alignment, BlockGeometry geometry, boolean direct, boolean inMemory) {
        this.path = path;
        this.main = main;
        this.buffered = buffered;
        this.alignment = alignment;
        this.geometry = geometry;
        this.direct = direct;
        this.inMemory = inMemory;
        this.writeback = new WritebackState(path);
        this.size = ImageSize.watch(path, geometry.sizeBytes(), () -> endOf(main.number()));
    }

    /**
     * Opens, locks and measures an image.
     *
     * @throws IOException where it is missing, forbidden, busy, no image, empty, of an odd size or on a read-only medium
     */
    public static RawImage open(BackendOptions options) throws IOException {
        String path = options.image().toString();
        OpenImages.requireNotHeld(options.image());
        int access = options.readOnly() ? LinuxFile.O_RDONLY : LinuxFile.O_RDWR;
        Fd main = openFile(path, access | (options.direct() ? LinuxFile.O_DIRECT : 0));
        Fd buffered = main;
        try {
            FileStatus status = LinuxFile.status(main.number());
            requireImage(path, status);
            ImageLock.acquire(main.number(), path, options.readOnly());
            DirectAlignment alignment = options.direct() ? DirectAlignment.of(main.number(), status) : DirectAlignment.NONE;
            BlockGeometry geometry = ImageGeometry.of(main.number(), path, status, alignment, options.readOnly());
            if (options.direct()) {
                // Through /proc: the very file that is locked, whatever has happened to its name since.
                buffered = openFile("/proc/self/fd/" + main.number(), access);
            }
            boolean inMemory = status.type() == FileStatus.Type.REGULAR && LinuxFile.fileSystemType(main.number()) == LinuxFile.TMPFS_MAGIC;
            return new RawImage(path, main, buffered, alignment, geometry, options.direct(), inMemory);
        } catch (Throwable failed) {
            main.close();
            buffered.close();
            throw failed;
        }
    }

    private static void requireImage(String path, FileStatus status) throws IOException {
        if (status.type() == FileStatus.Type.OTHER) {
            throw new IOException("open " + path + ": neither a regular file nor a block device: name a raw image");
        }
    }

    private static Fd openFile(String path, int flags) throws IOException {
        // O_NONBLOCK, as opening a FIFO would wait for its other end.
        int number = LinuxFile.open(path, flags | LinuxFile.O_CLOEXEC | LinuxFile.O_NONBLOCK, 0);
        if (number == -Errno.EINVAL && (flags & LinuxFile.O_DIRECT) != 0) {
            // What is no image cannot do O_DIRECT either.
            try (Fd withoutDirect = openFile(path, flags & ~LinuxFile.O_DIRECT)) {
                requireImage(path, LinuxFile.status(withoutDirect.number()));
            }
        }
        if (number < 0) {
            throw new ErrnoException("open", path, number, advice(-number, flags));
        }
        Fd fd = Fd.adopt(number);
        // Off again: io_uring would return -EAGAIN instead of waiting for the disk.
        int result = LinuxFile.setNonBlocking(number, false);
        if (result < 0) {
            fd.close();
            throw new ErrnoException("fcntl(F_SETFL)", path, result, "");
        }
        return fd;
    }

    private static String advice(int errno, int flags) {
        boolean writing = (flags & LinuxFile.O_ACCMODE) != LinuxFile.O_RDONLY;
        return switch (errno) {
            case Errno.ENOENT, Errno.ENOTDIR -> "create the image first, for instance with 'truncate -s 10G', or correct the path";
            case Errno.EACCES, Errno.EPERM -> writing
                    ? "give the user of this process read and write access, or open it read-only"
                    : "give the user of this process read access";
            case Errno.EROFS -> "the medium is read-only: open it read-only";
            case Errno.EISDIR -> "that is a directory: name a raw image";
            case Errno.ENXIO, Errno.ENODEV, Errno.ENOMEDIUM -> "that is no image, or its device is not there";
            case Errno.ETXTBSY -> "the file is being executed: name a raw image";
            case Errno.EBUSY -> "the device is in use (mounted, or part of a RAID or LVM volume): release it first";
            case Errno.EINVAL ->
                    (flags & LinuxFile.O_DIRECT) != 0 ? "this file system does not do O_DIRECT: turn direct I/O off (--buffered)" : "is it a file?";
            case Errno.EMFILE -> OpenFileLimit.advice();
            case Errno.ENFILE -> "raise fs.file-max of this machine";
            default -> "check the file system";
        };
    }

    /** Where a file or a block device ends. */
    private long endOf(int fd) throws IOException {
        long end = LinuxFile.lseek(fd, 0, LinuxFile.SEEK_END);
        if (end < 0) {
            throw new ErrnoException("lseek", path, (int) end, "");
        }
        return end;
    }

    /** As it was given. */
    public String path() {
        return path;
    }

    @Override
    public BlockGeometry geometry() {
        return geometry;
    }

    /**
     * Changes the size of a regular file, where what is added reads as zeroes. The size of a block device is its own: it is read again, and must be
     * what is asked for. Any thread; may block.
     *
     * @param sizeBytes a positive multiple of 512
     * @throws IOException where the file was opened for reading, the file system refuses, or the device has another size
     */
    @Override
    public synchronized void resize(long sizeBytes) throws IOException {
        if (LinuxFile.status(main.number()).type() == FileStatus.Type.BLOCK_DEVICE) {
            followDevice(sizeBytes);
            return;
        }
        if (geometry.readOnly()) {
            throw new ErrnoException("ftruncate", path, Errno.EROFS, "open the image for writing");
        }
        BlockGeometry before = geometry;
        BlockGeometry after = sized(sizeBytes);
        if (sizeBytes < before.sizeBytes()) {
            // First, so that no more requests behind the new end begin; cutBack undoes what those under way do.
            geometry = after;
            size.resized(sizeBytes);
        }
        int result = LinuxFile.ftruncate(main.number(), sizeBytes);
        if (result < 0) {
            geometry = before;
            size.resized(before.sizeBytes());
            throw new ErrnoException("ftruncate", path, result, "is there room for " + sizeBytes + " bytes, and may a file here be so large?");
        }
        geometry = after;
        size.resized(sizeBytes);
    }

    /** Takes off again what a write that was under way while the disk shrank has put behind its new end. */
    public synchronized void cutBack() {
        try {
            FileStatus status = LinuxFile.status(main.number());
            if (status.type() == FileStatus.Type.REGULAR && status.sizeBytes() > geometry.sizeBytes()) {
                int result = LinuxFile.ftruncate(main.number(), geometry.sizeBytes());
                if (result < 0) {
                    throw new ErrnoException("ftruncate", path, result, "cut it to the size of the disk, " + geometry.sizeBytes() + " bytes");
                }
            }
        } catch (ErrnoException longer) {
            LOG.error("the image is longer than the disk: {}", longer.getMessage());
        }
    }

    /** The geometry has the device's size afterwards, wanted or not: requests behind the end of a device that has shrunk must not reach it. */
    private void followDevice(long wantedBytes) throws IOException {
        long actualBytes = ImageGeometry.deviceSize(main.number(), path);
        geometry = sized(actualBytes);
        size.resized(actualBytes);
        if (actualBytes != wantedBytes) {
            throw new IOException("resize " + path + ": the block device has " + actualBytes + " bytes, not " + wantedBytes
                    + ": resize the device itself first (lvresize, 'losetup -c'), then ask for the size that it has");
        }
    }

    private BlockGeometry sized(long sizeBytes) {
        BlockGeometry before = geometry;
        return new BlockGeometry(sizeBytes, before.logicalBlockBytes(), before.physicalBlockBytes(), before.optimalIoBytes(), before.readOnly(),
                before.discard(), before.writeZeroes());
    }

    /** What {@link #fd} wants of offsets, lengths and buffers. */
    public DirectAlignment alignment() {
        return alignment;
    }

    /** Whether {@link #fd} bypasses the page cache. */
    public boolean direct() {
        return direct;
    }

    /** Whether the image is kept in memory (tmpfs), so that reading and writing wait for no device, short of swapping. */
    public boolean inMemory() {
        return inMemory;
    }

    @Override
    public WritebackState writeback() {
        return writeback;
    }

    @Override
    public ImageSize size() {
        return size;
    }

    /**
     * An open file of its own for the syncs of one sink, until {@link #releaseSyncFd}.
     *
     * @throws IllegalStateException where it cannot be opened, in one line that says what to do
     */
    public synchronized Fd takeSyncFd() {
        Fd free = freeSyncs.poll();
        if (free != null) {
            return free;
        }
        try {
            Fd opened = openFile("/proc/self/fd/" + main.number(), geometry.readOnly() ? LinuxFile.O_RDONLY : LinuxFile.O_RDWR);
            syncs.add(opened);
            return opened;
        } catch (IOException refused) {
            throw new IllegalStateException("image " + path + ": an open file for its syncs: " + refused.getMessage(), refused);
        }
    }

    public synchronized void releaseSyncFd(Fd fd) {
        freeSyncs.add(fd);
    }

    /** The descriptor for everything that is aligned; it carries the lock. */
    public int fd() {
        return main.number();
    }

    /** The descriptor for what is not; the same one where the image is not opened for direct I/O. */
    public int bufferedFd() {
        return buffered.number();
    }

    /** Closes the descriptors and gives the lock up. Idempotent. */
    @Override
    public synchronized void close() {
        size.close();
        syncs.forEach(Fd::close);
        buffered.close();
        main.close();
    }

    @Override
    public String toString() {
        return "RawImage[" + path + (direct ? ", direct" : ", buffered") + (geometry.readOnly() ? ", read-only]" : "]");
    }
}
