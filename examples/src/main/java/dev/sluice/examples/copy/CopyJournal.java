package dev.sluice.examples.copy;

import dev.sluice.server.cli.LaunchException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Which part of a copy is on stable storage, in a file next to the target: a line that identifies the source, then a line with the checksum of each
 * chunk. A line that was being written when the process died has no line end and does not count.
 *
 * <p>The first line is written before the target is created and gets its line end once the target belongs to this copy. So the state that a killed process
 * leaves is known: without that line end, a target without data; with it, a target that can be resumed.
 *
 * <p><b>Threading:</b> one thread at a time; a lock keeps other processes out. <b>Ownership:</b> of the file's channel; {@link #remove} when
 * the copy is complete. <b>Failure:</b> {@link IOException} or {@link LaunchException} in one line.
 */
final class CopyJournal implements AutoCloseable {
    private static final String MAGIC = "sluice-copy ";
    /** Version 1 had checksums of the data only. */
    private static final int VERSION = 2;

    private final Path path;
    private final FileChannel file;
    private final List<Integer> checksums = new ArrayList<>();
    private String header = "";

    private CopyJournal(Path path, FileChannel file) {
        this.path = path;
        this.file = file;
    }

    static Path beside(Path target) {
        return target.resolveSibling(target.getFileName() + ".copying");
    }

    /**
     * What identifies a copy: an unchanged source and the same chunk size.
     *
     * @param zeroing whether holes are zeroed, because the target had other content before
     */
    static String header(Path source, long sizeBytes, long chunkBytes, boolean zeroing) throws IOException {
        FileTime changed = Files.getLastModifiedTime(source);
        Object inode = Files.getAttribute(source, "unix:ino");
        return MAGIC + VERSION + " source-inode " + inode + " bytes " + sizeBytes + " changed " + changed.to(TimeUnit.NANOSECONDS) + " chunk " + chunkBytes
                + " " + (zeroing ? "zeroing" : "fresh");
    }

    /** Opens the journal next to a target, or creates it. It has {@linkplain #isBegun begun} if an earlier run has left it so. */
    static CopyJournal beside(Path target, boolean targetExists) throws IOException {
        Path path = beside(target);
        if (!Files.exists(path)) {
            FileAccess.create(path, (targetExists ? "" : "cannot create the target " + target + ": ") + "cannot create the journal " + path);
        } else if (!Files.isRegularFile(path)) {
            throw new LaunchException(path + " is not a file, and the journal of the copy belongs there: move it away, or rename the target");
        } else {
            FileAccess.assertWritable(path, "cannot write the journal " + path + " of an earlier run");
        }
        CopyJournal journal = new CopyJournal(path, FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE));
        try {
            journal.lock();
            journal.read();
            return journal;
        } catch (Throwable failed) {
            journal.close();
            throw failed;
        }
    }

    private void lock() throws IOException {
        // Until the channel is closed.
        if (file.tryLock() == null) {
            throw new LaunchException(path + " is locked: another process copies to the same target; wait until it is done");
        }
    }

    private void read() throws IOException {
        // Only the beginning first: a file of this name may be anything, of any size.
        String start = text((int) Math.min(file.size(), MAGIC.length()));
        if (!MAGIC.startsWith(start)) {
            throw notAJournal();
        }
        String text = text(Math.toIntExact(file.size()));
        String whole = text.substring(0, text.lastIndexOf('\n') + 1);
        if (whole.isEmpty()) {
            return;
        }
        List<String> lines = whole.lines().toList();
        header = lines.getFirst();
        for (String line : lines.subList(1, lines.size())) {
            try {
                checksums.add(HexFormat.fromHexDigits(line));
            } catch (IllegalArgumentException noChecksum) {
                throw isDamaged();
            }
        }
        file.truncate(whole.length());
        file.position(whole.length());
    }

    private String text(int bytes) throws IOException {
        ByteBuffer read = ByteBuffer.allocate(bytes);
        while (read.hasRemaining() && file.read(read, read.position()) >= 0) {}
        // Every byte is a character in this charset, so that a foreign file is detected by its content.
        return new String(read.array(), 0, read.position(), StandardCharsets.ISO_8859_1);
    }

    private LaunchException notAJournal() {
        return new LaunchException(path + " is not the journal of a copy, which belongs there: move it away, or rename the target");
    }

    private LaunchException isDamaged() {
        return new LaunchException(path + " is damaged: remove it and the target to start again");
    }

    /** Whether an existing target belongs to this copy. */
    boolean isBegun() {
        return !header.isEmpty();
    }

    /** Whether a copy with one of these headers, of this many chunks, has left it. */
    void assertIsOf(List<String> headers, long chunks) {
        if (!headers.contains(header)) {
            throw new LaunchException(path + " belongs to a copy of another source, or its source has changed since, or --chunk-mib was different,"
                    + " or the version of sluice: remove it and the target to start again");
        }
        if (checksums.size() > chunks) {
            throw isDamaged();
        }
    }

    /** Starts again; {@link #targetIsReady} follows. */
    void begin(String header) throws IOException {
        this.header = header;
        file.truncate(0);
        append(header);
    }

    /** From now on the target belongs to this copy and can be resumed. */
    void targetIsReady() throws IOException {
        append("\n");
    }

    /** The header that it began with; empty if it has not begun. */
    String header() {
        return header;
    }

    /** Chunks that are done, counted from the first. */
    int chunks() {
        return checksums.size();
    }

    int checksum(int chunk) {
        return checksums.get(chunk);
    }

    /** Records that the next chunk is on stable storage; when this returns, the record is as well. */
    void chunkDone(int checksum) throws IOException {
        append(HexFormat.of().toHexDigits(checksum) + "\n");
        checksums.add(checksum);
    }

    private void append(String text) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII));
        try {
            while (bytes.hasRemaining()) {
                int _ = file.write(bytes);
            }
            file.force(false);
        } catch (IOException failed) {
            throw new IOException("cannot write the journal " + path + " (" + failed.getMessage() + "): free some space, or check the disk, and copy"
                    + " again", failed);
        }
    }

    void remove() throws IOException {
        Files.deleteIfExists(path);
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
