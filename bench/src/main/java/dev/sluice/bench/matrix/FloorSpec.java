package dev.sluice.bench.matrix;

import dev.sluice.bench.ring.CPrograms;
import java.util.List;

/**
 * The floor: a backend in C that completes requests and does nothing else, neither validation nor data. What it costs is the ring itself.
 *
 * @param poll whether it never sleeps
 */
record FloorSpec(int queues, boolean poll) implements BackendSpec {
    @Override
    public Medium medium() {
        return Medium.NULL;
    }

    @Override
    public List<String> command(Places places) {
        return List.of(
                new CPrograms(places.tools().programs()).floor().toString(), places.socket().toString(), poll ? "poll" : "sleep", Integer.toString(queues));
    }

    @Override
    public String display() {
        return String.join(" ", command(Places.WORDS));
    }

    @Override
    public String missing(MatrixSettings settings) {
        return CPrograms.missing();
    }

    @Override
    public double startAndStopSeconds() {
        return 0.1;
    }
}
