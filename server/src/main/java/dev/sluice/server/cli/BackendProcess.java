package dev.sluice.server.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalDouble;

/**
 * The process at the other end of the socket, as /proc shows it. Its CPU time is that of all its threads, including those that the kernel created
 * for its io_uring. Any thread.
 *
 * @param pid process id, 0 if unknown
 */
public record BackendProcess(int pid) {
    /** USER_HZ: what /proc/PID/stat counts in is 1/100 s on every architecture here (proc(5)). */
    private static final double TICKS_PER_SECOND = 100.0;

    /** User and system time since the process started, in seconds; empty if it has terminated or cannot be read. */
    public OptionalDouble cpuSeconds() {
        if (pid <= 0) {
            return OptionalDouble.empty();
        }
        try {
            String stat = Files.readString(Path.of("/proc/" + pid + "/stat"));
            // The name in parentheses may contain anything; the fields after the last parenthesis begin with "state", number 3.
            String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
            double ticks = Double.parseDouble(fields[14 - 3]) + Double.parseDouble(fields[15 - 3]);
            return OptionalDouble.of(ticks / TICKS_PER_SECOND);
        } catch (IOException gone) {
            return OptionalDouble.empty();
        }
    }

    /** The command's name, for reports. */
    public String command() {
        try {
            return pid <= 0 ? "?" : Files.readString(Path.of("/proc/" + pid + "/comm")).strip();
        } catch (IOException gone) {
            return "?";
        }
    }
}
