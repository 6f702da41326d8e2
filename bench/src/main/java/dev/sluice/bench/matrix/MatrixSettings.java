package dev.sluice.bench.matrix;

import dev.sluice.bench.ring.CpuPair;
import dev.sluice.pipeline.Ranges;
import java.nio.file.Path;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The settings of a matrix. Immutable.
 *
 * @param sections which parts
 * @param rows only rows whose "title / name" matches
 * @param rounds how often all rows are measured, round-robin
 * @param seconds length of each measurement
 * @param warmUpSeconds load on a new process that compiles while it runs, before its first measurement
 * @param diskDirectory directory of the image on the disk
 * @param ramDirectory directory of the image in memory, on tmpfs
 * @param imageBytes size of each image, a multiple of a MiB
 * @param out directory of the results
 * @param cpus of back end and load where they are pinned; null for the first two that there are
 * @param spdk directory of a build of SPDK; null if there is none
 * @param command as it was typed, for the report
 */
public record MatrixSettings(
        Set<Section> sections,
        Pattern rows,
        int rounds,
        double seconds,
        double warmUpSeconds,
        Path diskDirectory,
        Path ramDirectory,
        long imageBytes,
        Path out,
        @Nullable CpuPair cpus,
        @Nullable Path spdk,
        String command) {

    private static final int MOST_ROUNDS = 1000;
    private static final int MIB = 1 << 20;
    private static final int LEAST_IMAGE_MIB = 64;

    public MatrixSettings {
        sections = Set.copyOf(sections);
        Ranges.require("rounds", rounds, 1, MOST_ROUNDS);
        if (!(seconds >= 0.5 && seconds <= 3600)) {
            throw new IllegalArgumentException("seconds " + seconds + " is not from 0.5 to 3600: shorter than that, the backend's CPU time is too coarse");
        }
        if (!(warmUpSeconds >= 0 && warmUpSeconds <= 3600)) {
            throw new IllegalArgumentException("warm-up " + warmUpSeconds + " is not from 0 to 3600");
        }
        if (imageBytes < (long) LEAST_IMAGE_MIB * MIB || imageBytes % MIB != 0) {
            throw new IllegalArgumentException("image size " + imageBytes + " is not a number of MiB from " + LEAST_IMAGE_MIB);
        }
    }

    /** Whether a row is selected. */
    boolean wants(Experiment experiment, Row row) {
        return rows.matcher(experiment.title() + " / " + row.name()).find();
    }
}
