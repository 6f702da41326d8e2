package dev.sluice.server.disk;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * How many more tasks (threads) this process may start: pids.max of its control groups, which systemd calls TasksMax, and RLIMIT_NPROC of its user.
 *
 * <p><b>Threading:</b> any thread; set-up only, it reads some files of /proc and /sys. <b>Failure:</b> a limit that cannot be read counts as unlimited. Source:
 * cgroup-v2.rst "PID", proc_pid_limits(5).
 */
final class TaskLimit {
    /**
     * How many tasks a serving process should have left: io_uring's workers (at least one per loop and kind of file), one or two compiler threads of the JVM
     * and a thread for each page of metrics requested. Everything works with none left; requests that wait for the kernel's workers then share the few existing
     * threads.
     */
    static final int COMFORTABLE = 16;

    /** Counting a user's threads scans every process, so it is only done for a limit low enough to matter. */
    private static final long COUNTED_UP_TO = 16384;

    private final Path proc;
    private final Path cgroups;

    TaskLimit(Path proc, Path cgroups) {
        this.proc = proc;
        this.cgroups = cgroups;
    }

    /** A limit, how much of it is used, and where it comes from. */
    record Limit(long most, long used, String source) {
        long left() {
            return Math.max(0, most - used);
        }
    }

    /** One line if fewer tasks are left than is comfortable. */
    static Optional<String> warning() {
        return new TaskLimit(Path.of("/proc"), Path.of("/sys/fs/cgroup")).line();
    }

    Optional<String> line() {
        Limit tightest = tightest();
        if (tightest == null || tightest.left() >= COMFORTABLE) {
            return Optional.empty();
        }
        return Optional.of("only " + tightest.left() + " more tasks can be started (" + tightest.source() + " = " + tightest.most() + ", " + tightest.used()
                + " in use): serving continues, but slower when the kernel needs threads of its own; raise it to " + (tightest.used() + COMFORTABLE)
                + " or more");
    }

    private @Nullable Limit tightest() {
        Limit tightest = ofUser();
        for (String line : lines(proc.resolve("self/cgroup"))) {
            String[] parts = line.split(":", 3);
            if (parts.length == 3 && parts[1].isEmpty()) {
                tightest = tighter(tightest, ofGroups(cgroups, parts[2]));
            } else if (parts.length == 3 && List.of(parts[1].split(",")).contains("pids")) {
                tightest = tighter(tightest, ofGroups(cgroups.resolve("pids"), parts[2]));
            }
        }
        return tightest;
    }

    private static @Nullable Limit tighter(@Nullable Limit one, @Nullable Limit other) {
        if (one == null || other == null) {
            return one == null ? other : one;
        }
        return one.left() <= other.left() ? one : other;
    }

    /** Of a control group and its ancestors. */
    private static @Nullable Limit ofGroups(Path root, String group) {
        Limit tightest = null;
        Path top = root.normalize();
        for (Path at = top.resolve(group.substring(1)).normalize(); at != null && at.startsWith(top); at = at.getParent()) {
            long most = number(at.resolve("pids.max"));
            long used = number(at.resolve("pids.current"));
            if (most >= 0 && used >= 0) {
                tightest = tighter(tightest, new Limit(most, used, "TasksMax= or " + at.resolve("pids.max")));
            }
        }
        return tightest;
    }

    /** RLIMIT_NPROC does not apply to root. */
    private @Nullable Limit ofUser() {
        long user = field(proc.resolve("self/status"), "Uid:");
        long most = field(proc.resolve("self/limits"), "Max processes");
        if (user <= 0 || most < 0 || most > COUNTED_UP_TO) {
            return null;
        }
        try (Stream<Path> processes = Files.list(proc)) {
            long used = processes
                    .map(process -> process.resolve("status"))
                    .filter(status -> status.getName(status.getNameCount() - 2).toString().chars().allMatch(Character::isDigit))
                    .filter(status -> field(status, "Uid:") == user)
                    .mapToLong(status -> Math.max(0, field(status, "Threads:")))
                    .sum();
            return new Limit(most, used, "LimitNPROC= or ulimit -u");
        } catch (IOException | UncheckedIOException unreadable) {
            return null;
        }
    }

    /** The first number after a name, -1 if there is none. */
    private static long field(Path file, String name) {
        for (String line : lines(file)) {
            if (line.startsWith(name)) {
                return parsed(line.substring(name.length()).strip().split("\\s+", 2)[0]);
            }
        }
        return -1;
    }

    private static long number(Path file) {
        List<String> lines = lines(file);
        return lines.isEmpty() ? -1 : parsed(lines.getFirst().strip());
    }

    private static long parsed(String text) {
        return text.isEmpty() || text.length() > 18 || !text.chars().allMatch(c -> c >= '0' && c <= '9') ? -1 : Long.parseLong(text);
    }

    private static List<String> lines(Path file) {
        try {
            return Files.readAllLines(file);
        } catch (IOException unreadable) {
            return List.of();
        }
    }
}
