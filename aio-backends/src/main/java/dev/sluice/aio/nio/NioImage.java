package dev.sluice.aio.nio;

import dev.sluice.aio.image.ImageSize;
import dev.sluice.aio.image.OpenImage;
import dev.sluice.aio.image.WritebackState;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockRequest;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An image as channels: one that bypasses the page cache, where that was asked for and the JDK can, and one that does not.
 *
 * <p>The two agree as those of the other backends do: the kernel writes back or drops the cached part of a range before it is read or written directly.
 *
 * <p>The lock uses the bytes that QEMU and the other backends lock (100 to 299): who writes is alone, and nobody begins to write what is read here. A
 * channel for reading cannot try whether QEMU or another backend is writing already. The lock is the process's: while an image is open here no backend of
 * this process opens it again ({@link OpenImages}), and nothing else in the process must open and close the file, as that drops the lock.
 *
 * <p><b>Threading:</b> any. <b>Failure:</b> {@link #open} says in one line what failed on which path and what to do.
 */
final class NioImage implements OpenImage {
    private static final Logger LOG = LoggerFactory.getLogger(NioImage.class);
    private static final int SECTOR_BYTES = BlockRequest.SECTOR_BYTES;

    private static final long USES_READ = 100;
    private static final long FORBIDS_WRITE = 201;
    private static final long FORBIDS_RESIZE = 203;
    private static final long LOCK_BYTES = 200;

    private final Path path;
    private final FileChannel buffered;
    private final @Nullable FileChannel direct;
    private final int directAlignment;
    private final boolean readOnly;
    private final @Nullable Object held;
    private final WritebackState writeback;
    private final ImageSize size;
    private final SharedSync syncs = new SharedSync();
    private volatile BlockGeometry geometry;

    private NioImage(
            Path path, @Nullable Object held, FileChannel buffered, @Nullable FileChannel direct, int directAlignment, BlockGeometry geometry) {
        this.held = held;
        this.path = path;
        this.buffered = buffered;
        this.direct = direct;
        this.directAlignment = directAlignment;
        this.readOnly = geometry.readOnly();
        this.geometry = geometry;
        this.writeback = new WritebackState(path.toString());
        this.size = ImageSize.watch(path.toString(), geometry.sizeBytes(), buffered::size);
    }

    static NioImage open(BackendOptions options) throws IOException {
        Path path = options.image();
        if (Files.isDirectory(path)) {
            throw new IOException("open " + path + ": that is a directory: name a raw image");
        }
        Set<OpenOption> access = new HashSet<>(List.of(StandardOpenOption.READ));
        if (!options.readOnly()) {
            access.add(StandardOpenOption.WRITE);
        }
        // Before the file is opened: closing it again would drop the lock of whoever holds it.
        Object held = OpenImages.hold(path);
        List<FileChannel> opened = new ArrayList<>();
        try {
            FileChannel buffered = openChannel(path, access, options.readOnly());
            opened.add(buffered);
            lock(buffered, path, options.readOnly());
            long sizeBytes = checkedSize(path, buffered.size());
            int blockBytes = Math.clamp(Files.getFileStore(path).getBlockSize(), SECTOR_BYTES, 65536);
            FileChannel direct = options.direct() ? openDirect(path, access) : null;
            if (direct != null) {
                opened.add(direct);
            }
            int physical = direct == null ? SECTOR_BYTES : blockBytes;
            return new NioImage(path, held, buffered, direct, blockBytes, sized(sizeBytes, physical, options.readOnly()));
        } catch (Throwable failed) {
            for (FileChannel channel : opened) {
                channel.close();
            }
            OpenImages.release(held);
            throw failed;
        }
    }

    private static FileChannel openChannel(Path path, Set<OpenOption> access, boolean readOnly) throws IOException {
        try {
            return FileChannel.open(path, access);
        } catch (NoSuchFileException missing) {
            throw new IOException("open " + path + ": there is no such file: create the image first, for instance with 'truncate -s 10G', or correct the path",
                    missing);
        } catch (AccessDeniedException denied) {
            throw new IOException("open " + path + ": access denied: give the user of this process read "
                    + (readOnly ? "access" : "and write access, or open it read-only"), denied);
        }
    }

    /** Null where the JDK or the file system has no such thing: the page cache does as well, and nothing else depends on it. */
    private static @Nullable FileChannel openDirect(Path path, Set<OpenOption> access) throws IOException {
        try {
            Set<OpenOption> options = new HashSet<>(access);
            // By its name: it is not of Java's standard, and a JDK may be without it.
            for (Object option : Class.forName("com.sun.nio.file.ExtendedOpenOption").getEnumConstants()) {
                if (option.toString().equals("DIRECT")) {
                    options.add((OpenOption) option);
                }
            }
            return FileChannel.open(path, options);
        } catch (ClassNotFoundException | UnsupportedOperationException | IOException refused) {
            LOG.warn("{}: no direct I/O ({}); it goes through the page cache", path, refused.getMessage());
            return null;
        }
    }

    private static void lock(FileChannel channel, Path path, boolean readOnly) throws IOException {
        try {
            if (!readOnly) {
                keep(channel.tryLock(USES_READ, LOCK_BYTES, false), path);
                return;
            }
            keep(channel.tryLock(USES_READ, 1, true), path);
            keep(channel.tryLock(FORBIDS_WRITE, 1, true), path);
            keep(channel.tryLock(FORBIDS_RESIZE, 1, true), path);
        } catch (OverlappingFileLockException here) {
            throw new IOException("lock " + path + ": this process has the image open already: close that one first", here);
        }
    }

    private static void keep(@Nullable FileLock lock, Path path) throws IOException {
        if (lock == null) {
            throw new IOException("lock " + path + ": the image is in use by another process: end that one first, or open it read-only on both sides");
        }
    }

    private static long checkedSize(Path path, long sizeBytes) throws IOException {
        if (sizeBytes <= 0) {
            throw new IOException("open " + path + ": the image is empty: give it its size first, for instance with 'truncate -s 10G'");
        }
        if (sizeBytes % SECTOR_BYTES != 0) {
            throw new IOException("open " + path + ": its size of " + sizeBytes + " bytes is not a multiple of 512: is it a raw image?");
        }
        return sizeBytes;
    }

    private static BlockGeometry sized(long sizeBytes, int physicalBytes, boolean readOnly) {
        return new BlockGeometry(sizeBytes, SECTOR_BYTES, Integer.highestOneBit(physicalBytes), 0, readOnly, false, !readOnly);
    }

    @Override
    public BlockGeometry geometry() {
        return geometry;
    }

    /** Whether requests that are aligned bypass the page cache. */
    boolean direct() {
        return direct != null;
    }

    /** The channel for a piece of memory at a place in the file. */
    FileChannel channel(long address, long offsetBytes, long lengthBytes) {
        FileChannel bypassing = direct;
        return bypassing != null && ((address | offsetBytes | lengthBytes) & (directAlignment - 1)) == 0 ? bypassing : buffered;
    }

    @Override
    public WritebackState writeback() {
        return writeback;
    }

    @Override
    public ImageSize size() {
        return size;
    }

    /** One sync at a time, as there is one open file for the syncs of all loops ({@link WritebackState}). */
    SharedSync syncs() {
        return syncs;
    }

    /** fdatasync(2), which covers what went through either channel. Inside {@link #syncs} alone. */
    void sync() throws IOException {
        buffered.force(false);
    }

    @Override
    public synchronized void resize(long sizeBytes) throws IOException {
        BlockGeometry before = geometry;
        if (!Files.isRegularFile(path)) {
            followDevice(sizeBytes);
            return;
        }
        if (readOnly) {
            throw new IOException("resize " + path + ": it is open for reading only");
        }
        if (sizeBytes < before.sizeBytes()) {
            // First, so that no more requests behind the new end begin; cutBack undoes what those under way do.
            geometry = sized(sizeBytes, before.physicalBlockBytes(), false);
            size.resized(sizeBytes);
            buffered.truncate(sizeBytes);
        } else if (sizeBytes > before.sizeBytes()) {
            // A byte at the new end: the channel has no other way to grow a file without writing all of it.
            ByteBuffer last = ByteBuffer.allocate(1);
            while (last.hasRemaining()) {
                int _ = buffered.write(last, sizeBytes - 1);
            }
        }
        geometry = sized(sizeBytes, before.physicalBlockBytes(), false);
        size.resized(sizeBytes);
    }

    /** Takes off again what a write that was under way while the disk shrank has put behind its new end. */
    synchronized void cutBack() throws IOException {
        if (Files.isRegularFile(path)) {
            buffered.truncate(geometry.sizeBytes());
        }
    }

    /** A block device has a size of its own, which the geometry has afterwards, wanted or not. */
    private void followDevice(long wantedBytes) throws IOException {
        long actualBytes = checkedSize(path, buffered.size());
        geometry = sized(actualBytes, geometry.physicalBlockBytes(), readOnly);
        size.resized(actualBytes);
        if (actualBytes != wantedBytes) {
            throw new IOException("resize " + path + ": the block device has " + actualBytes + " bytes, not " + wantedBytes
                    + ": resize the device itself first, then ask for the size that it has");
        }
    }

    @Override
    public void close() {
        if (!buffered.isOpen()) {
            return;
        }
        size.close();
        close(direct);
        close(buffered);
        OpenImages.release(held);
    }

    private void close(@Nullable FileChannel channel) {
        try {
            if (channel != null) {
                channel.close();
            }
        } catch (IOException failed) {
            LOG.warn("{}: closing failed", path, failed);
        }
    }

    @Override
    public String toString() {
        return "NioImage[" + path + (direct == null ? ", buffered" : ", direct") + (readOnly ? ", read-only]" : "]");
    }
}
