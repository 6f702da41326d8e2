package dev.sluice.bench.ring;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** The directories that a shell looks in for programs. Any thread. */
public final class ProgramPath {
    private ProgramPath() {}

    /** Whether a program is installed. */
    public static boolean has(String program) {
        String path = System.getenv("PATH");
        return path != null
                && Stream.of(path.split(File.pathSeparator, -1))
                        .filter(directory -> !directory.isEmpty())
                        .anyMatch(directory -> Files.isExecutable(Path.of(directory, program)));
    }
}
