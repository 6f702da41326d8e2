package dev.sluice.examples.copy;

import dev.sluice.device.BlockBuffer;
import dev.sluice.device.BlockDevice;
import dev.sluice.device.BlockDeviceOptions;
import dev.sluice.examples.cli.LaunchException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/**
 * A copy of one image to another, chunk by chunk.
 *
 * <p>Within a chunk the source is read ahead by a few buffers and each write that is answered asks for the next read, so that memory is bounded
 * however the two disks differ in speed. A chunk is flushed before the journal says that it is done; its checksum is kept there. At the end the
 * target is read: data must have the checksums, holes must be zero. Whoever changes the source meanwhile makes the copy fail, when its chunk is done and at
 * the end, by the source's size and time of change; a block device has neither, so that one must not be written to while it is copied.
 *
 * <p><b>Threading:</b> one caller, who waits. <b>Ownership:</b> of both devices, which are locked as QEMU locks its images, and of the journal.
 * <b>Failure:</b> {@link IOException} or {@link LaunchException} in one line; what was copied stays, and the next copy goes on from there.
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
            Path journalPath = CopyJournal.beside(target);
            String fresh = CopyJournal.header(source, size, chunkBytes, false);
            String zeroing = CopyJournal.header(source, size, chunkBytes, true);
            boolean exists = Files.exists(target);
            boolean resumed = Files.exists(journalPath);
            if (resumed && !exists) {
                throw new LaunchException(journalPath + " is there, but its target is not: remove it to begin anew");
            }
            if (exists && !resumed && !overwrite) {
                throw new LaunchException(target + " exists: remove it, or say --overwrite");
            }
            boolean zeroes = exists && (!resumed || Files.readString(journalPath).startsWith(zeroing));
            if (!exists) {
                createSparse(target, size);
            }
            BlockDevice to = opened.add(BlockDevice.open(target, options(direct).build()));
            // Never made shorter or longer here: it may have been somebody else's until the lock was ours.
            if (Files.isRegularFile(target) ? to.sizeBytes() != size : to.sizeBytes() < size) {
                throw new LaunchException(target + " has " + to.sizeBytes() + " bytes, not the " + size + " of " + source + ": make it that size first (truncate -s)");
            }
            // Under the target's lock: nobody else is writing to it.
            CopyJournal journal = opened.add(
                    resumed ? CopyJournal.resume(journalPath, List.of(fresh, zeroing)) : CopyJournal.begin(journalPath, zeroes ? zeroing : fresh));
            Extents sourceExtents = opened.add(Extents.of(source));
            Extents targetExtents = opened.add(Extents.of(target));
            return new ImageCopy(source, target, chunkBytes, from, to, sourceExtents, targetExtents, journal, zeroes, chunks(size, chunkBytes), progress);
        } catch (Throwable failed) {
            opened.close();
            throw failed;
        }
    }

    private static BlockDeviceOptions.Builder options(boolean direct) {
        return BlockDeviceOptions.builder().direct(direct).buffers(BUFFERS, BUFFER_BYTES).readAhead(READ_AHEAD);
    }

    private static void createSparse(Path target, long sizeBytes) throws IOException {
        try {
            Files.createFile(target);
        } catch (FileSystemException refused) {
            throw new IOException("the target " + target + " cannot be made (" + refused.getClass().getSimpleName() + "): name a file in a directory that exists and is yours",
                    refused);
        }
        try (RandomAccessFile file = new RandomAccessFile(target.toFile(), "rw")) {
            file.setLength(sizeBytes);
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
        progress.begin("copying", data.stream().skip(resumedChunks).flatMap(List::stream).mapToLong(Extent::lengthBytes).sum());
        for (int chunk = resumedChunks; chunk < chunks.size(); chunk++) {
            copy(chunks.get(chunk), data.get(chunk));
        }
        long dataBytes = data.stream().flatMap(List::stream).mapToLong(Extent::lengthBytes).sum();
        progress.begin("verifying", dataBytes);
        for (int chunk = 0; chunk < chunks.size(); chunk++) {
            verify(chunk, chunks.get(chunk), data.get(chunk));
        }
        checkSourceUnchanged();
        journal.remove();
        return new Summary(source.sizeBytes(), dataBytes, chunks.size(), resumedChunks);
    }

    private void copy(Extent chunk, List<Extent> data) throws IOException {
        CRC32C checksum = new CRC32C();
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
        journal.chunkDone((int) checksum.getValue());
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
        CRC32C checksum = new CRC32C();
        await(Flux.fromIterable(data).concatMap(extent -> read(target, extent, checksum).doOnNext(BlockBuffer::close), 1).then());
        if ((int) checksum.getValue() != journal.checksum(index)) {
            throw new LaunchException("chunk " + index + " at byte " + chunk.offsetBytes() + " of the target is not what was read from the source: its CRC32C is "
                    + Long.toHexString(checksum.getValue()) + ": check the disks, then remove the target and its journal to begin anew");
        }
        for (Extent hole : Extents.holes(chunk, data)) {
            for (Extent unexpected : targetExtents.data(hole)) {
                verifyZero(unexpected);
            }
        }
    }

    private void verifyZero(Extent extent) throws IOException {
        await(target.readRange(extent.offsetBytes(), extent.lengthBytes())
                .doOnNext(buffer -> {
                    boolean zero = isZero(buffer.bytes());
                    buffer.close();
                    if (!zero) {
                        throw new LaunchException("the target has data near byte " + extent.offsetBytes() + ", where the source has a hole: was it written to meanwhile?");
                    }
                })
                .then());
    }

    private static boolean isZero(ByteBuffer bytes) {
        while (bytes.hasRemaining()) {
            if (bytes.get() != 0) {
                return false;
            }
        }
        return true;
    }

    /** The buffers of a range in order, each counted and taken into the checksum. */
    private Flux<BlockBuffer> read(BlockDevice device, Extent extent, CRC32C checksum) {
        return device.readRange(extent.offsetBytes(), extent.lengthBytes()).doOnNext(buffer -> {
            checksum.update(buffer.bytes().duplicate());
            progress.done(buffer.bytes().remaining());
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

    /** What is open so far, should the next step fail. */
    private static final class Opened {
        private final List<AutoCloseable> all = new ArrayList<>();

        <T extends AutoCloseable> T add(T opened) {
            all.add(opened);
            return opened;
        }

        void close() {
            for (AutoCloseable opened : all.reversed()) {
                try {
                    opened.close();
                } catch (IOException failed) {
                    throw new UncheckedIOException(failed);
                } catch (Exception failed) {
                    throw new IllegalStateException(failed);
                }
            }
        }
    }
}
