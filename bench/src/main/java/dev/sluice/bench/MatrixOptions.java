package dev.sluice.bench;

import dev.sluice.bench.matrix.MatrixSettings;
import dev.sluice.bench.matrix.Section;
import dev.sluice.bench.ring.CpuPair;
import dev.sluice.server.disk.ByteSize;
import java.nio.file.Path;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options of {@code sluice bench --matrix}. Filled by picocli, then read. */
final class MatrixOptions {
    /** With these, the default section takes less than half an hour. */
    private static final double SECONDS = 2;

    private static final double WARM_UP_SECONDS = 2;
    private static final int ROUNDS = 3;

    @Option(
            names = "--matrix",
            paramLabel = "SECTIONS",
            arity = "0..1",
            fallbackValue = "placed",
            description = "No SOCKET: measure Sluice and its peers on backends that this command starts and stops: placed (default: a list of at most 60"
                    + " loads, pinned and calibrated, in less than 30 minutes), ablation, peers, scaling, guest, product (every load: hours), several"
                    + " separated by commas, or all. It accepts --rounds, --seconds (default here: 2) and --warm-up.")
    private @Nullable String sections;

    @Option(names = "--rows", paramLabel = "REGEX", defaultValue = "", description = "Only rows of the matrix whose 'title / name' matches.")
    private String rows;

    @Option(
            names = "--out",
            paramLabel = "DIR",
            defaultValue = "docs/benchmarks",
            description = "Directory for the matrix's table (.md), figures (.json) and plot (.svg) (default: ${DEFAULT-VALUE}).")
    private Path out;

    @Option(names = "--dir", paramLabel = "DIR", defaultValue = "/var/tmp",
            description = "Directory for the matrix's image on a disk (default: ${DEFAULT-VALUE}).")
    private Path diskDirectory;

    @Option(names = "--ram-dir", paramLabel = "DIR", defaultValue = "/dev/shm",
            description = "Directory for the matrix's image in memory (default: ${DEFAULT-VALUE}).")
    private Path ramDirectory;

    @Option(names = "--image-size", paramLabel = "BYTES", defaultValue = "1g", description = "Size of each of these images (default: ${DEFAULT-VALUE}).")
    private String imageSize;

    @Option(names = "--cpus", paramLabel = "A,B",
            description = "CPUs of backend and load in the sections placed and product (default: the first two that this process may use).")
    private @Nullable String cpus;

    @Option(names = "--spdk", paramLabel = "DIR", description = "A build of SPDK, to measure its vhost target in the sections placed and product.")
    private @Nullable Path spdk;

    @SuppressWarnings("NullAway.Init") // picocli sets the fields
    MatrixOptions() {}

    boolean wanted() {
        return sections != null;
    }

    /**
     * Builds the settings of the matrix.
     *
     * @param rounds null for the matrix's default
     * @param seconds null for the matrix's default
     * @param warmUpSeconds null for the matrix's default
     * @param command as typed
     * @throws IllegalArgumentException if a value is out of range; the message names the value and its bounds
     */
    MatrixSettings settings(@Nullable Integer rounds, @Nullable Double seconds, @Nullable Double warmUpSeconds, String command) {
        return new MatrixSettings(
                Section.parse(sections == null ? "placed" : sections),
                pattern(),
                rounds == null ? ROUNDS : rounds,
                seconds == null ? SECONDS : seconds,
                warmUpSeconds == null ? WARM_UP_SECONDS : warmUpSeconds,
                diskDirectory,
                ramDirectory,
                ByteSize.parse("--image-size", imageSize),
                out,
                cpus == null ? null : CpuPair.parse(cpus),
                spdk,
                command);
    }

    private Pattern pattern() {
        try {
            return Pattern.compile(rows);
        } catch (PatternSyntaxException wrong) {
            throw new IllegalArgumentException("--rows '" + rows + "' is not a regular expression: " + wrong.getDescription(), wrong);
        }
    }
}
