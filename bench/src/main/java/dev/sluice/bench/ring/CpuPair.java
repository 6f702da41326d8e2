package dev.sluice.bench.ring;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The CPU of the back end and that of the load. Immutable.
 *
 * @param backend runs every thread of the back end
 * @param load runs the load
 */
public record CpuPair(int backend, int load) {
    private static final String ALLOWED = "Cpus_allowed_list:";

    public CpuPair {
        if (backend < 0 || load < 0 || backend == load) {
            throw new IllegalArgumentException("CPUs " + backend + "," + load + " are not two different CPUs");
        }
    }

    /**
     * Parses {@code 0,1}.
     *
     * @throws IllegalArgumentException if it is anything else; the message has the text
     */
    public static CpuPair parse(String text) {
        String[] parts = text.split(",", -1);
        try {
            if (parts.length == 2) {
                return new CpuPair(Integer.parseInt(parts[0].strip()), Integer.parseInt(parts[1].strip()));
            }
        } catch (NumberFormatException notNumbers) {
            throw new IllegalArgumentException("'" + text + "' is not two CPUs like 0,1", notNumbers);
        }
        throw new IllegalArgumentException("'" + text + "' is not two CPUs like 0,1");
    }

    /**
     * The first two CPUs that this process may use.
     *
     * @throws IOException if there is only one
     */
    public static CpuPair firstAllowed() throws IOException {
        String list = Files.readAllLines(Path.of("/proc/self/status")).stream()
                .filter(line -> line.startsWith(ALLOWED))
                .map(line -> line.substring(ALLOWED.length()).strip())
                .findFirst()
                .orElseThrow(() -> new IOException("/proc/self/status has no " + ALLOWED));
        List<Integer> allowed = allowed(list);
        if (allowed.size() < 2) {
            throw new IOException("a load and a back end need a CPU each, and this process may use only CPU " + list);
        }
        return new CpuPair(allowed.get(0), allowed.get(1));
    }

    /** Expands the kernel's notation: {@code 0-2,5}. */
    static List<Integer> allowed(String list) {
        List<Integer> cpus = new ArrayList<>();
        for (String range : list.split(",", -1)) {
            int dash = range.indexOf('-');
            int from = Integer.parseInt(dash < 0 ? range : range.substring(0, dash));
            int to = dash < 0 ? from : Integer.parseInt(range.substring(dash + 1));
            for (int cpu = from; cpu <= to; cpu++) {
                cpus.add(cpu);
            }
        }
        return cpus;
    }

    /** As {@link #parse} accepts it. */
    public String text() {
        return backend + "," + load;
    }
}
