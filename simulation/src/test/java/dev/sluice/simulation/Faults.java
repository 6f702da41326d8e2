package dev.sluice.simulation;

import java.util.SplittableRandom;

/**
 * How unreliable everything is under a seed: chances out of 1024, some of them none.
 *
 * @param strictDirect O_DIRECT is refused for some sectors although the file system says that it takes them
 */
record Faults(
        int refuseSubmission,
        int refuseCall,
        int stopShort,
        int fail,
        int failSync,
        int spuriousKick,
        int lateKick,
        int hostile,
        int control,
        int refuseInterrupt,
        int observer,
        int hold,
        boolean strictDirect) {
    static final Faults NONE = new Faults(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, false);

    static Faults of(SplittableRandom random) {
        return new Faults(
                some(random, 200),
                some(random, 150),
                some(random, 400),
                some(random, 40),
                some(random, 60),
                some(random, 100),
                some(random, 700),
                some(random, 12),
                some(random, 40),
                some(random, 200),
                some(random, 8),
                some(random, 120),
                random.nextInt(3) == 0);
    }

    /** Without the ones that come and go, but on the same file system. */
    Faults quiet() {
        return new Faults(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, strictDirect);
    }

    private static int some(SplittableRandom random, int most) {
        return random.nextInt(3) == 0 ? 0 : random.nextInt(most + 1);
    }

    static boolean happens(SplittableRandom random, int chance) {
        return chance > 0 && random.nextInt(1024) < chance;
    }
}
