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
 * <p><b>Threading:</b> one thread at a time. <b>Ownership:</b> of the file's channel; {@link #remove} when the copy is complete.
 * <b>Failure:</b> {@link IOException} or {@link LaunchException} in one line.
 */
final class CopyJournal implements AutoCloseable {
    private final Path path;
    private final FileChannel file;
    private final String header;
    private final List<Integer> checksums;

    private CopyJournal(Path path, FileChannel file, String header, List<Integer> checksums) {
        this.path = path;
        this.file = file;
        this.header = header;
        this.checksums = checksums;
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
        return "sluice-copy 1 source-inode " + inode + " bytes " + sizeBytes + " changed " + changed.to(TimeUnit.NANOSECONDS) + " chunk " + chunkBytes
                + " " + (zeroing ? "zeroing" : "fresh");
    }

    /** Begins a journal; there must be none. */
    static CopyJournal begin(Path path, String header) throws IOException {
        FileChannel file = FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        CopyJournal journal = new CopyJournal(path, file, header, new ArrayList<>());
        journal.append(header);
        return journal;
    }

    /** Goes on with a journal that a copy with one of these headers has left. */
    static CopyJournal resume(Path path, List<String> headers) throws IOException {
        String text = Files.readString(path, StandardCharsets.US_ASCII);
        String whole = text.substring(0, text.lastIndexOf('\n') + 1);
        List<String> lines = whole.lines().toList();
        if (lines.isEmpty() || !headers.contains(lines.getFirst())) {
            throw new LaunchException(path + " belongs to a copy of another source, or its source has changed since, or --chunk-mib was another:"
                    + " remove it and the target to begin anew");
        }
        List<Integer> checksums = new ArrayList<>();
        for (String line : lines.subList(1, lines.size())) {
            try {
                checksums.add(HexFormat.fromHexDigits(line));
            } catch (IllegalArgumentException damaged) {
                throw new LaunchException(path + " is damaged: remove it and the target to begin anew", damaged);
            }
        }
        FileChannel file = FileChannel.open(path, StandardOpenOption.WRITE);
        file.truncate(whole.length());
        file.position(whole.length());
        return new CopyJournal(path, file, lines.getFirst(), checksums);
    }

    /** The header that it began with. */
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
        append(HexFormat.of().toHexDigits(checksum));
        checksums.add(checksum);
    }

    private void append(String line) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap((line + "\n").getBytes(StandardCharsets.US_ASCII));
        while (bytes.hasRemaining()) {
            int _ = file.write(bytes);
        }
        file.force(false);
    }

    void remove() throws IOException {
        Files.delete(path);
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
