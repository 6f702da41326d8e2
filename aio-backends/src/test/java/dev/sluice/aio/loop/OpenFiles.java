package dev.sluice.aio.loop;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** What this process has open: leak tests compare before and after. */
public final class OpenFiles {
    private OpenFiles() {}

    public static long count() throws IOException {
        try (Stream<Path> files = Files.list(Path.of("/proc/self/fd"))) {
            return files.count();
        }
    }
}
