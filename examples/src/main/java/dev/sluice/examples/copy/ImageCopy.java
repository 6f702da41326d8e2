package dev.sluice.examples.copy;

import dev.sluice.device.BlockBuffer;
import dev.sluice.device.BlockDevice;
import dev.sluice.device.BlockDeviceOptions;
import dev.sluice.examples.cli.LaunchException;
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
 * <p>Within a chunk the source is read ahead by a few buffers and each write that is answered asks for the next read, so that memory is bounded
 * however the two disks differ in speed. A chunk is flushed before the journal says that it is done; its checksum is kept there. At the end the
 * target is read and must have the checksums, in which holes are zeroes. Whoever changes the source meanwhile makes the copy fail, when its chunk is done and at
 * the end, by the source's size and time of change; a block device has neither, so that one must not be written to while it is copied.
 *
 * <p><b>Threading:</b> one caller, who waits. <b>Ownership:</b> of both devices, which are locked as QEMU locks its images, and of the journal.
 * <b>Failure:</b> {@link IOException} or {@link LaunchException} in one line; what was copied stays, and the next copy goes on from there. Where it
 * could not begin, neither a target nor a journal of its making stays.
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
     * What was done.
     *
     * @param dataBytes bytes that were data, holes not counted, in this and in earlier runs
     * @param resumedChunks chunks that an earlier run had done already
     */
    public record Summary(long sizeBytes, long dataBytes, int chunks, int resumedChunks) {}

    private ImageCopy(
            Path sourcePath, Path targetPath, long chunkBytes, BlockDevice source, BlockDevice target, Extents sourceExtents, Extents targetExtents, CopyJournal journal, boolean zeroing, List<Extent> chunks,
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
     * Opens everything.
     *
     * @param overwrite whether a target may be overwritten that no unfinished copy has left
     * @param direct whether the page cache is bypassed, which not every file system can
     * @throws LaunchException where the target is there already and is neither
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
                // Killed before the journal knew that it has a target: one that has nothing yet may be taken, as nothing is lost.
                boolean takes = exists && unfinished && isBlank(target, size);
                if (exists && !takes && !overwrite) {
                    throw isThere(target);
                }
                if (!takes) {
                    opened.add(journal::remove);
                }
                journal.begin(exists && !takes ? zeroing : fresh);
                if (!exists) {
                    FileAccess.create(target, "the target " + target + " cannot be made");
                    opened.add(() -> Files.deleteIfExists(target));
                }
                journal.targetIsReady();
            } else if (exists) {
                journal.assertIsOf(List.of(fresh, zeroing), Math.ceilDiv(size, chunkBytes));
            } else {
                throw new LaunchException(CopyJournal.beside(target) + " is there, but its target is not: bring it back, or remove the journal to begin anew");
            }
            boolean zeroes = journal.header().equals(zeroing);
            if (!zeroes && journal.chunks() == 0 && Files.isRegularFile(target) && Files.size(target) == 0) {
                makeSparse(target, size);
            }
            BlockDevice to = opened.add(BlockDevice.open(target, options(direct).build()));
            // Never made shorter or longer here: it may have been somebody else's until the lock was ours.
            if (Files.isRegularFile(target) ? to.sizeBytes() != size : to.sizeBytes() < size) {
                throw new LaunchException(target + " has " + to.sizeBytes() + " bytes, not the " + size + " of " + source + ": make it that size first (truncate -s)");
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
        return new LaunchException(target + " exists: remove it, or say --overwrite");
    }

    /** Whether a target is a file as a copy makes it, with nothing in it. */
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
            throw new IOException("the target " + target + " cannot be made " + sizeBytes + " bytes long (" + refused.getMessage() + "): name a file on another file system",
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

    /** Copies what is not copied yet, checks all of it and removes the journal. */
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
            // As a source that was made shorter: say that and not what came of it.
            checkSourceUnchanged();
            throw failed;
        }
        checkSourceUnchanged();
        checksum.holeUpTo(chunk.endBytes());
        journal.chunkDone(checksum.value());
    }

    /** What has been read may be of no moment, half before a change and half after it. The journal stays, so that nobody takes the target for a copy. */
    private void checkSourceUnchanged() throws IOException {
        long size = Files.isRegularFile(sourcePath) ? Files.size(sourcePath) : source.sizeBytes();
        if (!CopyJournal.header(sourcePath, size, chunkBytes, zeroing).equals(journal.header())) {
            throw new LaunchException(sourcePath + " has changed while it was copied, so that " + targetPath + " is no copy of it: end what writes to it, remove "
                    + targetPath + " and " + CopyJournal.beside(targetPath) + ", and copy again");
        }
    }

    private void verify(int index, Extent chunk, List<Extent> data) throws IOException {
        ChunkChecksum checksum = new ChunkChecksum(chunk.offsetBytes());
        await(Flux.fromIterable(data).concatMap(extent -> read(target, extent, checksum).doOnNext(BlockBuffer::close), 1).then());
        checksum.holeUpTo(chunk.endBytes());
        if (checksum.value() != journal.checksum(index)) {
            throw new LaunchException("chunk " + index + " at byte " + chunk.offsetBytes() + " of the target is not what was read from the source: its CRC32C is "
                    + HexFormat.of().toHexDigits(checksum.value()) + " and not " + HexFormat.of().toHexDigits(journal.checksum(index))
                    + ": check the disks and that nobody else has written to it, then remove the target and its journal to begin anew");
        }
    }

    /** The buffers of a range in order, each counted and taken into the checksum, as is the hole before them. */
    private Flux<BlockBuffer> read(BlockDevice device, Extent extent, ChunkChecksum checksum) {
        return Flux.defer(() -> {
            checksum.holeUpTo(extent.offsetBytes());
            return device.readRange(extent.offsetBytes(), extent.lengthBytes()).doOnNext(buffer -> {
                checksum.data(buffer.bytes().duplicate());
                progress.done(buffer.bytes().remaining());
            });
        });
    }

    /** Waits, and throws what has failed as what it is. */
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

    /** What is open so far and what is to be undone, should the next step fail. */
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
