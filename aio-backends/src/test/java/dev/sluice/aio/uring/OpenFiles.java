package dev.sluice.aio.uring;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** What this process has open: leak tests compare before and after. */
final class OpenFiles {
    private OpenFiles() {}

    static long count() throws IOException {
        try (Stream<Path> files = Files.list(Path.of("/proc/self/fd"))) {
            return files.count();
        }
    }
}
