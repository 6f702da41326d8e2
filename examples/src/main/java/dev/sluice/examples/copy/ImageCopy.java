package dev.sluice.examples.copy;

import dev.sluice.device.BlockBuffer;
import dev.sluice.device.BlockDevice;
import dev.sluice.device.BlockDeviceOptions;
import dev.sluice.server.cli.LaunchException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/**
 * A copy of one image to another, chunk by chunk.
 *
 * <p>Within a chunk the source is read ahead by a few buffers and each completed write requests the next read, so that memory is bounded
 * however the two disks differ in speed. A chunk is flushed before the journal records it as done, with its checksum. At the end the
 * target is read and must match the checksums, in which holes are zeroes. If somebody changes the source in the meantime, the copy fails, when its chunk is
 * done and at the end, based on the source's size and modification time; a block device has neither, so it must not be written to while it is copied.
 *
 * <p><b>Threading:</b> one caller, which blocks. <b>Ownership:</b> of both devices, which are locked as QEMU locks its images, and of the journal.
 * <b>Failure:</b> {@link IOException} or {@link LaunchException} in one line; what was copied stays, and the next copy continues from there. If the copy
 * could not begin, it leaves neither a target nor a journal that it created.
 */
public final class ImageCopy implements AutoCloseable {
    private static final int BUFFER_BYTES = 256 << 10;
    private static final int BUFFERS = 32;
    private static final int READ_AHEAD = 8;

    private final Path sourcePath;
    private final Path targetPath;
    private final long chunkBytes;
    private final BlockDevice source;
    private final BlockDevice target;
    private final Extents sourceExtents;
    private final Extents targetExtents;
    private final CopyJournal journal;
    private final boolean zeroing;
    private final List<Extent> chunks;
    private final CopyProgress progress;
    private final int resumedChunks;

    /**
     * The result of a copy.
     *
     * @param dataBytes bytes that were data, holes not counted, in this and in earlier runs
     * @param resumedChunks chunks that an earlier run had completed
     */
    public record Summary(long sizeBytes, long dataBytes, int chunks, int resumedChunks) {}

    private ImageCopy(
            Path sourcePath, Path targetPath, long chunkBytes, BlockDevice source, BlockDevice target, Extents sourceExtents, Extents targetExtents,
            CopyJournal journal, boolean zeroing, List<Extent> chunks,
            CopyProgress progress) {
        this.sourcePath = sourcePath;
        this.targetPath = targetPath;
        this.chunkBytes = chunkBytes;
        this.source = source;
        this.target = target;
        this.sourceExtents = sourceExtents;
        this.targetExtents = targetExtents;
        this.journal = journal;
        this.resumedChunks = journal.chunks();
        this.zeroing = zeroing;
        this.chunks = chunks;
        this.progress = progress;
    }

    /**
     * Opens source, target and journal.
     *
     * @param overwrite whether a target may be overwritten that is not from an unfinished copy
     * @param direct whether the page cache is bypassed, which not every file system supports
     * @throws LaunchException if the target exists and is neither
     */
    public static ImageCopy open(Path source, Path target, boolean overwrite, boolean direct, long chunkBytes, CopyProgress progress) throws IOException {
        Opened opened = new Opened();
        try {
            BlockDevice from = opened.add(BlockDevice.open(source, options(direct).readOnly(true).build()));
            long size = from.sizeBytes();
            String fresh = CopyJournal.header(source, size, chunkBytes, false);
            String zeroing = CopyJournal.header(source, size, chunkBytes, true);
            boolean exists = Files.exists(target);
            boolean unfinished = Files.exists(CopyJournal.beside(target));
            if (exists && !unfinished && !overwrite) {
                throw isThere(target);
            }
            CopyJournal journal = opened.add(CopyJournal.beside(target, exists));
            if (!journal.isBegun() || (!exists && journal.chunks() == 0)) {
                // Killed before the journal recorded its target: an empty file may be taken, because nothing is lost.
                boolean takes = exists && unfinished && isBlank(target, size);
                if (exists && !takes && !overwrite) {
                    throw isThere(target);
                }
                if (!takes) {
                    opened.add(journal::remove);
                }
                journal.begin(exists && !takes ? zeroing : fresh);
                if (!exists) {
                    FileAccess.create(target, "cannot create the target " + target);
                    opened.add(() -> Files.deleteIfExists(target));
                }
                journal.targetIsReady();
            } else if (exists) {
                journal.assertIsOf(List.of(fresh, zeroing), Math.ceilDiv(size, chunkBytes));
            } else {
                throw new LaunchException(CopyJournal.beside(target) + " exists, but its target does not: restore it, or remove the journal to start again");
            }
            boolean zeroes = journal.header().equals(zeroing);
            if (!zeroes && journal.chunks() == 0 && Files.isRegularFile(target) && Files.size(target) == 0) {
                makeSparse(target, size);
            }
            BlockDevice to = opened.add(BlockDevice.open(target, options(direct).build()));
            // Never truncated nor extended here: until the lock was ours it may have been somebody else's.
            if (Files.isRegularFile(target) ? to.sizeBytes() != size : to.sizeBytes() < size) {
                throw new LaunchException(target + " has " + to.sizeBytes() + " bytes, not the " + size + " of " + source + ": resize it first (truncate -s)");
            }
            Extents sourceExtents = opened.add(Extents.of(source));
            Extents targetExtents = opened.add(Extents.of(target));
            return new ImageCopy(source, target, chunkBytes, from, to, sourceExtents, targetExtents, journal, zeroes, chunks(size, chunkBytes), progress);
        } catch (Throwable failed) {
            opened.closeAfter(failed);
            throw failed;
        }
    }

    private static BlockDeviceOptions.Builder options(boolean direct) {
        return BlockDeviceOptions.builder().direct(direct).buffers(BUFFERS, BUFFER_BYTES).readAhead(READ_AHEAD);
    }

    private static LaunchException isThere(Path target) {
        return new LaunchException(target + " exists: remove it, or use --overwrite");
    }

    /** Whether a target is a file as a copy creates it, with nothing in it. */
    private static boolean isBlank(Path target, long sizeBytes) throws IOException {
        if (!Files.isRegularFile(target)) {
            return false;
        }
        long is = Files.size(target);
        if (is != 0 && is != sizeBytes) {
            return false;
        }
        try (Extents extents = Extents.of(target)) {
            return extents.data(new Extent(0, is)).isEmpty();
        }
    }

    private static void makeSparse(Path target, long sizeBytes) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(target.toFile(), "rw")) {
            file.setLength(sizeBytes);
        } catch (IOException refused) {
            throw new IOException("cannot extend the target " + target + " to " + sizeBytes + " bytes (" + refused.getMessage() + "): use a file on another"
                    + " file system",
                    refused);
        }
    }

    private static List<Extent> chunks(long sizeBytes, long chunkBytes) {
        List<Extent> chunks = new ArrayList<>();
        for (long at = 0; at < sizeBytes; at += chunkBytes) {
            chunks.add(new Extent(at, Math.min(chunkBytes, sizeBytes - at)));
        }
        return chunks;
    }

    /** Copies the remaining chunks, verifies all of it and removes the journal. */
    public Summary run() throws IOException {
        List<List<Extent>> data = new ArrayList<>();
        for (Extent chunk : chunks) {
            data.add(sourceExtents.data(chunk));
        }
        progress.begin("copying", bytes(data.subList(resumedChunks, data.size())));
        for (int chunk = resumedChunks; chunk < chunks.size(); chunk++) {
            copy(chunks.get(chunk), data.get(chunk));
        }
        List<List<Extent>> copied = new ArrayList<>();
        for (Extent chunk : chunks) {
            copied.add(targetExtents.data(chunk));
        }
        progress.begin("verifying", bytes(copied));
        for (int chunk = 0; chunk < chunks.size(); chunk++) {
            verify(chunk, chunks.get(chunk), copied.get(chunk));
        }
        checkSourceUnchanged();
        journal.remove();
        return new Summary(source.sizeBytes(), bytes(data), chunks.size(), resumedChunks);
    }

    private static long bytes(List<List<Extent>> extents) {
        return extents.stream().flatMap(List::stream).mapToLong(Extent::lengthBytes).sum();
    }

    private void copy(Extent chunk, List<Extent> data) throws IOException {
        ChunkChecksum checksum = new ChunkChecksum(chunk.offsetBytes());
        Mono<Void> dataCopied = Flux.fromIterable(data)
                .concatMap(extent -> target.writeRange(extent.offsetBytes(), read(source, extent, checksum)), 1)
                .then();
        Mono<Void> holesMade = zeroing
                ? Flux.fromIterable(Extents.holes(chunk, data)).concatMap(hole -> target.writeZeroes(hole.offsetBytes(), hole.lengthBytes(), true), 1).then()
                : Mono.empty();
        try {
            await(dataCopied.then(holesMade).then(Mono.defer(target::flush)));
        } catch (IOException failed) {
            // Probably the source was truncated: report that and not its consequence.
            checkSourceUnchanged();
            throw failed;
        }
        checkSourceUnchanged();
        checksum.holeUpTo(chunk.endBytes());
        journal.chunkDone(checksum.value());
    }

    /** The data read may mix states before and after a change. The journal stays, so that nobody mistakes the target for a copy. */
    private void checkSourceUnchanged() throws IOException {
        long size = Files.isRegularFile(sourcePath) ? Files.size(sourcePath) : source.sizeBytes();
        if (!CopyJournal.header(sourcePath, size, chunkBytes, zeroing).equals(journal.header())) {
            throw new LaunchException(sourcePath + " has changed while it was copied, so " + targetPath + " is not a copy of it: stop the program that writes"
                    + " to it, remove "
                    + targetPath + " and " + CopyJournal.beside(targetPath) + ", and copy again");
        }
    }

    private void verify(int index, Extent chunk, List<Extent> data) throws IOException {
        ChunkChecksum checksum = new ChunkChecksum(chunk.offsetBytes());
        await(Flux.fromIterable(data).concatMap(extent -> read(target, extent, checksum).doOnNext(BlockBuffer::close), 1).then());
        checksum.holeUpTo(chunk.endBytes());
        if (checksum.value() != journal.checksum(index)) {
            throw new LaunchException("chunk " + index + " at byte " + chunk.offsetBytes() + " of the target differs from the source: its CRC32C is "
                    + HexFormat.of().toHexDigits(checksum.value()) + " and not " + HexFormat.of().toHexDigits(journal.checksum(index))
                    + ": check the disks and that nobody else has written to it, then remove the target and its journal to start again");
        }
    }

    /** The buffers of a range in order, each counted and added to the checksum, as is the hole before them. */
    private Flux<BlockBuffer> read(BlockDevice device, Extent extent, ChunkChecksum checksum) {
        return Flux.defer(() -> {
            checksum.holeUpTo(extent.offsetBytes());
            return device.readRange(extent.offsetBytes(), extent.lengthBytes()).doOnNext(buffer -> {
                checksum.data(buffer.bytes().duplicate());
                progress.done(buffer.bytes().remaining());
            });
        });
    }

    /** Blocks, and rethrows the failure with its own type. */
    private static void await(Mono<Void> work) throws IOException {
        try {
            work.block();
        } catch (RuntimeException failed) {
            if (failed.getCause() instanceof IOException io) {
                throw io;
            }
            throw failed;
        }
    }

    @Override
    public void close() throws IOException {
        journal.close();
        sourceExtents.close();
        targetExtents.close();
        source.close();
        target.close();
    }

    /** What is open so far and has to be undone if the next step fails. */
    private static final class Opened {
        private final List<AutoCloseable> all = new ArrayList<>();

        <T extends AutoCloseable> T add(T opened) {
            all.add(opened);
            return opened;
        }

        void closeAfter(Throwable failed) {
            for (AutoCloseable opened : all.reversed()) {
                try {
                    opened.close();
                } catch (Exception another) {
                    failed.addSuppressed(another);
                }
            }
        }
    }
}
