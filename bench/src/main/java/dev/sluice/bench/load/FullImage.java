package dev.sluice.bench.load;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.SplittableRandom;

/**
 * An image to put a load on: without holes, and full of random bytes. A hole is read without the disk. And if the load fills a sparse image block by block,
 * the file system allocates an extent per block, and takes up to a minute to free them when the image is removed.
 */
public final class FullImage {
    private static final int CHUNK_BYTES = 1 << 20;

    private FullImage() {}

    /**
     * Creates the image. The bytes are the same each time.
     *
     * @throws IOException if it exists already, or cannot be written
     */
    public static void create(Path image, long bytes) throws IOException {
        SplittableRandom random = new SplittableRandom(1);
        byte[] content = new byte[CHUNK_BYTES];
        try (FileChannel file = FileChannel.open(image, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            for (long at = 0; at < bytes; at += CHUNK_BYTES) {
                random.nextBytes(content);
                ByteBuffer chunk = ByteBuffer.wrap(content, 0, (int) Math.min(CHUNK_BYTES, bytes - at));
                while (chunk.hasRemaining()) {
                    int _ = file.write(chunk);
                }
            }
            file.force(true);
        }
    }
}
