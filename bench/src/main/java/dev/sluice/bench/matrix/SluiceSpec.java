package dev.sluice.bench.matrix;

import dev.sluice.bench.load.SluiceCommandLine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * {@code sluice serve} of this build.
 *
 * @param options besides socket, image and statistics
 * @param leftOut parts of the data path that it does without: of {@value #POOL} and {@value #BATCH}
 * @param counted whether it counts its requests and writes statistics
 * @param disks more than one are listed in a file, each with an image of its own
 */
record SluiceSpec(Medium medium, List<String> options, List<String> leftOut, boolean counted, int disks) implements BackendSpec {
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
        return new SluiceSpec(medium, List.of(options), List.of(), true, 1);
    }

    /** The same with more options appended. */
    SluiceSpec with(String... more) {
        List<String> all = new ArrayList<>(options);
        all.addAll(List.of(more));
        return new SluiceSpec(medium, all, leftOut, counted, disks);
    }

    /** The same without some parts of the data path. */
    SluiceSpec without(String... parts) {
        return new SluiceSpec(medium, options, List.of(parts), counted, disks);
    }

    /** The same without counting: only its CPU is known. */
    SluiceSpec uncounted() {
        return new SluiceSpec(medium, options, leftOut, false, disks);
    }

    /** The same with so many disks of one queue. */
    SluiceSpec withDisks(int count) {
        return new SluiceSpec(medium, options, leftOut, counted, count);
    }

    @Override
    public void prepare(Places places) throws IOException {
        if (disks > 1) {
            StringBuilder list = new StringBuilder("disks:\n");
            List<Path> images = places.images(disks);
            for (int i = 0; i < disks; i++) {
                list.append("  - image: ").append(images.get(i)).append("\n    name: disk").append(i).append("\n    socket: ")
                        .append(places.sockets(disks).get(i)).append("\n");
            }
            Path _ = Files.writeString(places.disksFile(), list);
        }
    }

    @Override
    public List<String> command(Places places) {
        return SluiceCommandLine.of(jvmOptions(), arguments(places));
    }

    private List<String> jvmOptions() {
        return leftOut.isEmpty() ? List.of() : List.of(ABLATION + String.join(",", leftOut));
    }

    private List<String> arguments(Places places) {
        List<String> arguments = new ArrayList<>(List.of("serve"));
        if (disks > 1) {
            arguments.addAll(List.of("--config", places.disksFile().toString()));
            arguments.addAll(options);
            return arguments;
        }
        arguments.addAll(List.of("--socket-path", places.socket().toString()));
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
    public String missing(MatrixSettings settings) {
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
