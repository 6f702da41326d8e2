package dev.sluice.bench.matrix;

import dev.sluice.bench.load.SluiceCommandLine;
import java.util.ArrayList;
import java.util.List;

/**
 * {@code sluice serve} of this build.
 *
 * @param options besides socket, image and statistics
 * @param leftOut parts of the data path that it does without: of {@value #POOL} and {@value #BATCH}
 * @param counted whether it counts its requests and writes statistics
 */
record SluiceSpec(Medium medium, List<String> options, List<String> leftOut, boolean counted) implements BackendSpec {
    /** Requests and their iovecs are used again. */
    static final String POOL = "pool";

    /** A tick takes many requests and publishes their completions together. */
    static final String BATCH = "batch";

    /** The system property that leaves parts out of a server, for measurements. */
    private static final String ABLATION = "-Ddev.sluice.ablation=";

    /** Frequent enough that a window of a second or two does not include what was before it. */
    private static final String STATS_SECONDS = "0.25";

    SluiceSpec {
        options = List.copyOf(options);
        leftOut = List.copyOf(leftOut);
    }

    static SluiceSpec on(Medium medium, String... options) {
        return new SluiceSpec(medium, List.of(options), List.of(), true);
    }

    /** The same with more options appended. */
    SluiceSpec with(String... more) {
        List<String> all = new ArrayList<>(options);
        all.addAll(List.of(more));
        return new SluiceSpec(medium, all, leftOut, counted);
    }

    /** The same without some parts of the data path. */
    SluiceSpec without(String... parts) {
        return new SluiceSpec(medium, options, List.of(parts), counted);
    }

    /** The same without counting: only its CPU is known. */
    SluiceSpec uncounted() {
        return new SluiceSpec(medium, options, leftOut, false);
    }

    @Override
    public List<String> command(Places places) {
        return SluiceCommandLine.of(jvmOptions(), arguments(places));
    }

    private List<String> jvmOptions() {
        return leftOut.isEmpty() ? List.of() : List.of(ABLATION + String.join(",", leftOut));
    }

    private List<String> arguments(Places places) {
        List<String> arguments = new ArrayList<>(List.of("serve", "--socket-path", places.socket().toString()));
        arguments.addAll(medium.hasImage()
                ? List.of("--blk-file", places.image().toString())
                : List.of("--backend", "null", "--size", NULL_SIZE_BYTES));
        arguments.addAll(options);
        if (counted) {
            arguments.addAll(List.of("--stats", places.stats().toString(), "--stats-interval", STATS_SECONDS));
        }
        return arguments;
    }

    @Override
    public String display() {
        String environment = leftOut.isEmpty() ? "" : "SLUICE_JAVA_OPTS=" + String.join(" ", jvmOptions()) + " ";
        return environment + "./sluice " + String.join(" ", arguments(Places.WORDS));
    }

    @Override
    public String missing() {
        return "";
    }

    @Override
    public boolean hasStats() {
        return counted;
    }

    @Override
    public boolean compilesWhileRunning() {
        return true;
    }

    @Override
    public double startAndStopSeconds() {
        return 1.5;
    }
}
