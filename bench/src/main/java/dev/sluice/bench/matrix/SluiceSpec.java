package dev.sluice.bench.matrix;

import dev.sluice.bench.load.SluiceCommandLine;
import java.util.ArrayList;
import java.util.List;

/**
 * {@code sluice serve} of this build.
 *
 * @param options besides socket, image and statistics
 * @param counted whether it counts its requests and writes statistics
 */
record SluiceSpec(Medium medium, List<String> options, boolean counted) implements BackendSpec {
    /** Frequent enough that a window of a second or two does not include what was before it. */
    private static final String STATS_SECONDS = "0.25";

    SluiceSpec {
        options = List.copyOf(options);
    }

    static SluiceSpec on(Medium medium, String... options) {
        return new SluiceSpec(medium, List.of(options), true);
    }

    /** The same with more options appended. */
    SluiceSpec with(String... more) {
        List<String> all = new ArrayList<>(options);
        all.addAll(List.of(more));
        return new SluiceSpec(medium, all, counted);
    }

    /** The same without counting: only its CPU is known. */
    SluiceSpec uncounted() {
        return new SluiceSpec(medium, options, false);
    }

    @Override
    public List<String> command(Places places) {
        return SluiceCommandLine.of(arguments(places));
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
        return "./sluice " + String.join(" ", arguments(Places.WORDS));
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
