package dev.sluice.bench.ring;

/** How near two CPUs are, by the round trip of a cache line between them. Figures of one placement are compared with each other, never with another's. */
public enum Placement {
    NEAR("near"),
    FAR("far"),
    /** Neither: the virtual CPUs moved, or something else ran. Shown and not compared. */
    BETWEEN("in between, moved or busy");

    /** Below this they are near. */
    public static final double NEAR_NANOS = 120;

    /** Above this they are far. */
    public static final double FAR_NANOS = 200;

    private final String text;

    Placement(String text) {
        this.text = text;
    }

    /** For people. */
    public String text() {
        return text;
    }

    /** Whether figures of this placement may be compared with others of it. */
    public boolean comparable() {
        return this != BETWEEN;
    }

    /** The placement of CPUs with this round trip. */
    public static Placement of(double roundTripNanos) {
        if (roundTripNanos < NEAR_NANOS) {
            return NEAR;
        }
        return roundTripNanos > FAR_NANOS ? FAR : BETWEEN;
    }
}
