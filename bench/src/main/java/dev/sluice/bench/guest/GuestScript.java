package dev.sluice.bench.guest;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;

/**
 * What a guest runs: text for busybox's {@code sh}, with the disk at {@code /dev/vda}, the programs of the host
 * ({@code fio}, {@code mkfs.ext4}, {@code blkdiscard}) in {@code /bin}, and busybox's applets. The shell prefers its
 * own applets: a host program of the same name is called by its path.
 *
 * @param text the script; its exit status becomes that of the guest
 */
public record GuestScript(String text) {

    /**
     * The script behind {@code sluice demo --guest}: a file system with verified writes, then random reads.
     *
     * @param jobs fio jobs; as many as the disk has queues
     * @param secondsOfReads how long the reads run
     * @param seed fio's seed, so that a run can be repeated
     */
    public static GuestScript demo(int jobs, int secondsOfReads, long seed) {
        return resource(GuestScript.class, "demo.sh")
                .with("JOBS", jobs)
                .with("SECONDS_OF_READS", secondsOfReads)
                .with("SEED", seed);
    }

    /**
     * Reads a script from the class path, from the package of a class.
     *
     * @throws IllegalArgumentException if there is none of that name
     */
    public static GuestScript resource(Class<?> beside, String name) {
        try (InputStream in = beside.getResourceAsStream(name)) {
            if (in == null) {
                throw new IllegalArgumentException("no script " + name + " next to " + beside.getName());
            }
            return new GuestScript(new String(in.readAllBytes(), StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new IllegalArgumentException("cannot read the script " + name + " next to " + beside.getName(), e);
        }
    }

    /** The same script with a shell variable set before its first line. */
    public GuestScript with(String name, Object value) {
        if (!name.matches("[A-Z][A-Z0-9_]*")) {
            throw new IllegalArgumentException("not a valid name for a shell variable: " + name);
        }
        String quoted = value.toString().replace("'", "'\\''");
        return new GuestScript(name + "='" + quoted + "'\n" + text);
    }
}
