package dev.sluice.server;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Path;

/** A new file of a size that takes no space until it is written to. */
public final class SparseFile {
    private SparseFile() {}

    public static void create(Path path, long bytes) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
            file.setLength(bytes);
        }
    }
}
