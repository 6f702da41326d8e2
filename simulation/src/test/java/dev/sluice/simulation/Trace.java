package dev.sluice.simulation;

import java.util.ArrayDeque;

/** What happened last, for whoever reads why a seed failed. */
final class Trace {
    private static final int KEPT = Integer.getInteger("simulation.trace", 120);
    private final ArrayDeque<String> events = new ArrayDeque<>();
    private long step;
    private long hash = 1;

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

    /** The same for the same events: a seed replays exactly. */
    long hash() {
        return hash;
    }

    String text() {
        return String.join("\n", events);
    }
}
