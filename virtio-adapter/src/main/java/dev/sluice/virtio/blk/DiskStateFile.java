package dev.sluice.virtio.blk;

import dev.sluice.pipeline.LogText;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Objects;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a guest has set on its disk and relies on after this process has ended: the cache mode. Two lines of text:
 *
 * <pre>
 * sluice-disk-state 1
 * cache writethrough
 * </pre>
 *
 * <p>Written to a temporary file beside it, synced, renamed and the directory synced, so that after a crash there is the old state or the new one.
 *
 * <p><b>Threading:</b> one thread at a time. <b>Ownership:</b> the path is the disk's alone; nothing but a regular file of at most {@value #MAX_BYTES}
 * bytes is ever replaced. <b>Failure:</b> reading never throws: what cannot be understood is the safe state, and one log line; {@link #save} throws one
 * line that names the file and what to do. <b>Allocation:</b> none on the data path.
 */
public final class DiskStateFile {
    /** The largest file that is read or replaced. */
    static final int MAX_BYTES = 4096;

    private static final Logger LOG = LoggerFactory.getLogger(DiskStateFile.class);
    private static final String HEADER = "sluice-disk-state 1\n";
    private static final String WRITEBACK = HEADER + "cache writeback\n";
    private static final String WRITETHROUGH = HEADER + "cache writethrough\n";

    /** fsync(2), or what a test has in its place. */
    @FunctionalInterface
    interface Sync {
        void force(Path file, FileChannel channel) throws IOException;
    }

    private final Path path;
    private final Path temporary;
    private final Path directory;
    private final Sync sync;

    public DiskStateFile(Path path) {
        this(path, (file, channel) -> channel.force(true));
    }

    DiskStateFile(Path path, Sync sync) {
        this.sync = sync;
        this.path = path.toAbsolutePath();
        this.temporary = this.path.resolveSibling(this.path.getFileName() + ".tmp");
        this.directory = Objects.requireNonNullElse(this.path.getParent(), this.path);
    }

    /** Whether the guest last left its disk in writeback mode; true where it has never said, false where the file cannot be understood. */
    boolean writeback() {
        String problem;
        try {
            switch (read()) {
                case WRITEBACK -> {
                    return true;
                }
                case WRITETHROUGH -> {
                    return false;
                }
                default -> problem = "is not a state file of this version";
            }
        } catch (NoSuchFileException never) {
            return true;
        } catch (IOException unreadable) {
            problem = reason(unreadable);
        }
        LOG.warn(
                "state file {}: {}; the disk is write-through until the guest sets its cache mode: remove the file for writeback",
                LogText.escaped(path.toString()),
                LogText.escaped(problem));
        return false;
    }

    private String read() throws IOException {
        requireReplaceable(Files.readAttributes(path, BasicFileAttributes.class));
        try (InputStream in = Files.newInputStream(path)) {
            return new String(in.readNBytes(MAX_BYTES), StandardCharsets.ISO_8859_1);
        }
    }

    /** A FIFO would hold who opens it, and an image must survive being named here by mistake. */
    private static void requireReplaceable(BasicFileAttributes found) throws IOException {
        if (!found.isRegularFile()) {
            throw new IOException("is not a regular file");
        }
        if (found.size() > MAX_BYTES) {
            throw new IOException("has " + found.size() + " bytes, which no state file has");
        }
    }

    /**
     * Makes the mode outlive this process and this machine's power.
     *
     * @throws IOException where that is not certain; then the file holds the old state or the new one
     */
    void save(boolean writeback) throws IOException {
        try {
            if (Files.exists(path, LinkOption.NOFOLLOW_LINKS) && !Files.isSymbolicLink(path)) {
                requireReplaceable(Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS));
            }
            // Left behind by a crash, if at all.
            Files.deleteIfExists(temporary);
            try (FileChannel file = FileChannel.open(
                    temporary,
                    Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS),
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
                ByteBuffer text = ByteBuffer.wrap((writeback ? WRITEBACK : WRITETHROUGH).getBytes(StandardCharsets.ISO_8859_1));
                while (text.hasRemaining()) {
                    int _ = file.write(text);
                }
                sync.force(temporary, file);
            }
            Files.move(temporary, path, StandardCopyOption.ATOMIC_MOVE);
            try (FileChannel entries = FileChannel.open(directory, StandardOpenOption.READ)) {
                sync.force(directory, entries);
            }
        } catch (IOException failed) {
            throw new IOException("state file " + path + ": " + reason(failed) + ": make room for it, or name another one (--state-file)", failed);
        }
    }

    /** The same where there is a failure to be reported already. */
    void trySave(boolean writeback) {
        try {
            save(writeback);
        } catch (IOException alsoFailed) {
            LOG.warn("{}", LogText.escaped(String.valueOf(alsoFailed.getMessage())));
        }
    }

    private static String reason(IOException failed) {
        return switch (failed) {
            case NoSuchFileException missing -> "there is no such directory as that of " + missing.getFile();
            case AccessDeniedException denied -> "permission denied for " + denied.getFile();
            case FileSystemException known when known.getReason() != null -> known.getReason();
            default -> failed.getMessage() == null ? failed.toString() : failed.getMessage();
        };
    }

    @Override
    public String toString() {
        return path.toString();
    }
}
