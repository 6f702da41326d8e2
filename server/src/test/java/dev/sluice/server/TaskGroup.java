package dev.sluice.server;

import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** A control group that limits the number of tasks, as a container or a unit of systemd does. */
final class TaskGroup implements AutoCloseable {
    private final Path directory;

    private TaskGroup(Path directory) {
        this.directory = directory;
    }

    /** Where none can be made the test is skipped, loudly. */
    static TaskGroup create() {
        for (Path parent : new Path[] {Path.of("/sys/fs/cgroup/pids"), Path.of("/sys/fs/cgroup")}) {
            Path made = parent.resolve("sluice-test-" + ProcessHandle.current().pid() + "-" + System.nanoTime());
            try {
                Files.createDirectory(made);
                if (Files.exists(made.resolve("pids.max"))) {
                    return new TaskGroup(made);
                }
                Files.delete(made);
            } catch (IOException refused) {
                // The next one.
            }
        }
        System.err.println("SKIPPED: no control group with pids.max can be made here (needs root and /sys/fs/cgroup writable): limits of tasks are not tried");
        return abort("no control group with pids.max can be made here");
    }

    void add(long pid) throws IOException {
        Files.writeString(directory.resolve("cgroup.procs"), Long.toString(pid));
    }

    long tasks() throws IOException {
        return Long.parseLong(Files.readString(directory.resolve("pids.current")).strip());
    }

    /** From now on not one task more than there are. */
    void freeze() throws IOException {
        limit(tasks());
    }

    /** No limit any more. */
    void thaw() throws IOException {
        Files.writeString(directory.resolve("pids.max"), "max");
    }

    void limit(long most) throws IOException {
        Files.writeString(directory.resolve("pids.max"), Long.toString(most));
    }

    Path pidsMax() {
        return directory.resolve("pids.max");
    }

    @Override
    public void close() throws IOException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (!deleted()) {
            if (System.nanoTime() > end) {
                throw new IOException(directory + " is still in use");
            }
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(10));
        }
    }

    private boolean deleted() {
        try {
            Files.delete(directory);
            return true;
        } catch (IOException stillInUse) {
            return false;
        }
    }
}
