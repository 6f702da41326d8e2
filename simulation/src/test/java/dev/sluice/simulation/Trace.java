package dev.sluice.simulation;

import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/** What happened last, for whoever reads why a seed failed. */
final class Trace {
    private static final int KEPT = Integer.getInteger("simulation.trace", 120);
    private final ArrayDeque<String> events = new ArrayDeque<>();
    private long step;
    private long hash = 1;
    private @Nullable String violation;

    void step() {
        step++;
    }

    long steps() {
        return step;
    }

    void add(String event) {
        if (events.size() == KEPT) {
            events.removeFirst();
        }
        hash = hash * 31 + event.hashCode();
        events.add(step + " " + event);
    }

    /** For what is found where an exception would be somebody else's to catch. */
    void violation(String what) {
        if (violation == null) {
            violation = what;
        }
    }

    void check() {
        String found = violation;
        if (found != null) {
            throw new Violation(found);
        }
    }

    /** The same for the same events: a seed replays exactly. */
    long hash() {
        return hash;
    }

    String text() {
        return String.join("\n", events);
    }
}
