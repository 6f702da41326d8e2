package dev.sluice.examples.copy;

import dev.sluice.examples.cli.LaunchException;
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
 * What of a copy is on stable storage, in a file beside the target: a line that says which source it is of, then a line with the checksum of each
 * chunk. A line that was being written when the process died has no end and does not count.
 *
 * <p>The first line is written before the target is made and gets its end once the target is this copy's. So whenever the process dies, what it
 * leaves is known: without the end of that line, nothing that has data; with it, a target that may be gone on with.
 *
 * <p><b>Threading:</b> one thread at a time; another process is kept out by a lock. <b>Ownership:</b> of the file's channel; {@link #remove} when
 * the copy is complete. <b>Failure:</b> {@link IOException} or {@link LaunchException} in one line.
 */
final class CopyJournal implements AutoCloseable {
    private static final String MAGIC = "sluice-copy ";
    /** 1 had checksums of the data only. */
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
     * What identifies a copy: its source unchanged, its chunks the same.
     *
     * @param zeroing whether holes are zeroed, because the target held something else before
     */
    static String header(Path source, long sizeBytes, long chunkBytes, boolean zeroing) throws IOException {
        FileTime changed = Files.getLastModifiedTime(source);
        Object inode = Files.getAttribute(source, "unix:ino");
        return MAGIC + VERSION + " source-inode " + inode + " bytes " + sizeBytes + " changed " + changed.to(TimeUnit.NANOSECONDS) + " chunk " + chunkBytes
                + " " + (zeroing ? "zeroing" : "fresh");
    }

    /** Opens the journal beside a target, or makes it. It has {@linkplain #isBegun begun} where an earlier run has left it so. */
    static CopyJournal beside(Path target, boolean targetExists) throws IOException {
        Path path = beside(target);
        if (!Files.exists(path)) {
            FileAccess.create(path, (targetExists ? "" : "the target " + target + " cannot be made, as ") + "the journal " + path + " cannot be made");
        } else if (!Files.isRegularFile(path)) {
            throw new LaunchException(path + " is no file, and the journal of the copy belongs there: move it away, or give the target another name");
        } else {
            FileAccess.assertWritable(path, "the journal " + path + " of an earlier run cannot be written");
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
            throw new LaunchException(path + " is locked: another process copies to the same target; wait for its end");
        }
    }

    private void read() throws IOException {
        // First its beginning: whose name it has may be any file, of any size.
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
        // Any byte is a character, so that a file of something else is told as that.
        return new String(read.array(), 0, read.position(), StandardCharsets.ISO_8859_1);
    }

    private LaunchException notAJournal() {
        return new LaunchException(path + " is not the journal of a copy, which belongs there: move it away, or give the target another name");
    }

    private LaunchException isDamaged() {
        return new LaunchException(path + " is damaged: remove it and the target to begin anew");
    }

    /** Whether a target that is there is this copy's. */
    boolean isBegun() {
        return !header.isEmpty();
    }

    /** Whether it was left by a copy with one of these headers, of so many chunks. */
    void assertIsOf(List<String> headers, long chunks) {
        if (!headers.contains(header)) {
            throw new LaunchException(path + " belongs to a copy of another source, or its source has changed since, or --chunk-mib was another,"
                    + " or the version of sluice: remove it and the target to begin anew");
        }
        if (checksums.size() > chunks) {
            throw isDamaged();
        }
    }

    /** Begins anew; {@link #targetIsReady} is to follow. */
    void begin(String header) throws IOException {
        this.header = header;
        file.truncate(0);
        append(header);
    }

    /** From now on the target is this copy's, to be gone on with. */
    void targetIsReady() throws IOException {
        append("\n");
    }

    /** The header that it began with; empty where it has not. */
    String header() {
        return header;
    }

    /** Chunks that are done, from the first one on. */
    int chunks() {
        return checksums.size();
    }

    int checksum(int chunk) {
        return checksums.get(chunk);
    }

    /** The next chunk is on stable storage; when this returns, so is that fact. */
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
            throw new IOException("the journal " + path + " cannot be written (" + failed.getMessage() + "): make room, or check the disk, and copy again", failed);
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
