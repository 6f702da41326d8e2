package dev.sluice.bench.ring;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * The programs in C of this module, compiled where they run: the load, the floor, and the one that pins and calibrates.
 *
 * <p><b>Threading:</b> any. <b>Ownership:</b> the files belong to the directory's owner. <b>Failure:</b> without a compiler {@link #missing} has one line that says so.
 *
 * @param directory of the programs
 */
public record CPrograms(Path directory) {
    private static final String SOURCES = "/dev/sluice/bench/ring/";
    private static final List<String> HEADERS = List.of("vhost-user.h", "front-end.h");
    private static final List<String> NAMES = List.of("ring-load", "floor", "place");
    private static final List<String> COMPILERS = List.of("cc", "gcc", "clang");

    /** What this machine lacks to compile them, with the remedy; empty if nothing is missing. */
    public static String missing() {
        return compiler().isPresent() ? "" : "there is no C compiler for the load (Debian: apt-get install gcc libc6-dev)";
    }

    private static Optional<String> compiler() {
        return COMPILERS.stream().filter(ProgramPath::has).findFirst();
    }

    /**
     * Compiles all of them.
     *
     * @param directory exists
     * @throws IOException if one does not compile; the message has the compiler's words
     */
    public static CPrograms compile(Path directory) throws IOException, InterruptedException {
        String compiler = compiler().orElseThrow(() -> new IOException(missing()));
        for (String header : HEADERS) {
            Path _ = copy(header, directory);
        }
        for (String name : NAMES) {
            Path source = copy(name + ".c", directory);
            Process process = new ProcessBuilder(compiler, "-O2", "-pthread", "-o", directory.resolve(name).toString(), source.toString())
                    .redirectErrorStream(true)
                    .start();
            process.getOutputStream().close();
            String words = new String(process.getInputStream().readAllBytes(), UTF_8);
            if (process.waitFor() != 0) {
                throw new IOException(compiler + " does not compile " + name + ".c: " + words.strip());
            }
        }
        return new CPrograms(directory);
    }

    private static Path copy(String name, Path directory) throws IOException {
        try (InputStream in = CPrograms.class.getResourceAsStream(SOURCES + name)) {
            if (in == null) {
                throw new IllegalStateException(name + " is missing from the class path");
            }
            return Files.write(directory.resolve(name), in.readAllBytes());
        }
    }

    /** The load. */
    public Path ringLoad() {
        return directory.resolve("ring-load");
    }

    /** The back end that does nothing but complete. */
    public Path floor() {
        return directory.resolve("floor");
    }

    /** Pins and calibrates. */
    public Path place() {
        return directory.resolve("place");
    }
}
