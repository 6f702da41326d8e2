package dev.sluice.bench.jmh;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.SplittableRandom;

/** The file that is read: the one that {@code -p image=PATH} names, or one of 256 MiB in the temporary directory, made once. */
final class Image {
    private static final int MADE_BYTES = 256 << 20;
    private static final int PIECE_BYTES = 4 << 20;

    private Image() {}

    static Path of(String named) throws IOException {
        if (!named.isEmpty()) {
            return Path.of(named);
        }
        Path made = Path.of(System.getProperty("java.io.tmpdir"), "sluice-jmh.raw");
        if (!Files.exists(made) || Files.size(made) != MADE_BYTES) {
            byte[] piece = new byte[PIECE_BYTES];
            SplittableRandom random = new SplittableRandom(1);
            try (FileChannel file = FileChannel.open(made, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING)) {
                for (int done = 0; done < MADE_BYTES; done += PIECE_BYTES) {
                    random.nextBytes(piece);
                    ByteBuffer rest = ByteBuffer.wrap(piece);
                    while (rest.hasRemaining()) {
                        file.write(rest);
                    }
                }
                file.force(true);
            }
        }
        return made;
    }
}
