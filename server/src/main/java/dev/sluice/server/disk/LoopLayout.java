package dev.sluice.server.disk;

import dev.sluice.linux.CallingThread;
import dev.sluice.linux.Errno;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.OnLoop;
import dev.sluice.server.cli.LaunchException;
import dev.sluice.virtio.vhostuser.VhostUserServer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Which queue is served by which loop, and which loop runs on which CPU, parsed from the command line. */
final class LoopLayout {
    private LoopLayout() {}

    /**
     * Parses {@code 0:0,1:1}: pairs of queue and loop.
     *
     * @throws LaunchException if the text is malformed, or names a queue twice
     */
    static Map<Integer, Integer> queueToLoop(String text) {
        Map<Integer, Integer> map = new LinkedHashMap<>();
        if (text.isEmpty()) {
            return map;
        }
        for (String pair : text.split(",", -1)) {
            int colon = pair.indexOf(':');
            if (colon < 0) {
                throw new LaunchException("--queue-loop-map: '" + pair + "' is not QUEUE:LOOP");
            }
            int queue = number("--queue-loop-map", "queue", pair.substring(0, colon), VhostUserServer.MAX_QUEUES);
            int loop = number("--queue-loop-map", "loop", pair.substring(colon + 1), LoopSpec.MAX_LOOPS);
            if (map.put(queue, loop) != null) {
                throw new LaunchException("--queue-loop-map names queue " + queue + " twice");
            }
        }
        return map;
    }

    /**
     * Parses {@code 0,2-3}: CPUs, one per loop, reused round-robin if there are more loops.
     *
     * @throws LaunchException if the text is malformed
     */
    static List<Integer> cpus(String text) {
        List<Integer> cpus = new ArrayList<>();
        if (text.isEmpty()) {
            return cpus;
        }
        for (String part : text.split(",", -1)) {
            int dash = part.indexOf('-');
            int first = number("--loop-cpus", "CPU", dash < 0 ? part : part.substring(0, dash), CallingThread.MAX_CPUS);
            int last = dash < 0 ? first : number("--loop-cpus", "CPU", part.substring(dash + 1), CallingThread.MAX_CPUS);
            if (last < first) {
                throw new LaunchException("--loop-cpus: '" + part + "' is an empty range");
            }
            for (int cpu = first; cpu <= last; cpu++) {
                cpus.add(cpu);
            }
        }
        return cpus;
    }

    /**
     * Pins each loop to its CPU.
     *
     * @throws LaunchException if a loop may not run on its CPU
     */
    static void pin(List<IoLoop> loops, List<Integer> cpus) {
        for (int i = 0; i < loops.size() && !cpus.isEmpty(); i++) {
            int cpu = cpus.get(i % cpus.size());
            int result = OnLoop.call(loops.get(i), () -> CallingThread.pin(cpu));
            if (result < 0) {
                throw new LaunchException(refused(loops.get(i).name(), cpu, result));
            }
        }
    }

    static String refused(String loop, int cpu, int result) {
        // A thread may always choose among its own CPUs: the kernel itself never returns EPERM for that.
        return result == -Errno.EPERM
                ? "--loop-cpus: " + loop + " may not be pinned (" + Errno.describe(result)
                        + "), because a seccomp filter denies sched_setaffinity: allow it, in a systemd unit with SystemCallFilter=sched_setaffinity after"
                        + " the other filters"
                : "--loop-cpus: " + loop + " may not run on CPU " + cpu + " (" + Errno.describe(result)
                        + "): use one that is online and allowed for this process (taskset -p)";
    }

    private static int number(String option, String what, String text, int limit) {
        int value = parsed(text);
        if (value >= 0 && value < limit) {
            return value;
        }
        throw new LaunchException(option + ": " + what + " '" + text + "' is not from 0 to " + (limit - 1));
    }

    /** A non-negative number, or -1 if the text is not one. */
    private static int parsed(String text) {
        try {
            return Integer.parseInt(text.strip());
        } catch (NumberFormatException notANumber) {
            return -1;
        }
    }
}
