package dev.sluice.server.disk;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is left of a limit of tasks, from files as the kernel has them. */
class TaskLimitTest {
    @TempDir
    Path root;

    private Path proc;
    private Path cgroups;

    @BeforeEach
    void makeTree() throws IOException {
        proc = Files.createDirectories(root.resolve("proc"));
        cgroups = Files.createDirectories(root.resolve("cgroup"));
        write(proc.resolve("self/status"), "Name:\tjava\nUid:\t0\t0\t0\t0\nThreads:\t20\n");
        write(proc.resolve("self/limits"),
                "Limit                     Soft Limit           Hard Limit           Units     \nMax processes             unlimited            unlimited            processes \n");
        write(proc.resolve("self/cgroup"), "0::/system.slice/sluice.service\n");
    }

    private static void write(Path file, String text) throws IOException {
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }

    private void group(String path, String most, int used) throws IOException {
        write(cgroups.resolve(path).resolve("pids.max"), most + "\n");
        write(cgroups.resolve(path).resolve("pids.current"), used + "\n");
    }

    private String line() {
        return new TaskLimit(proc, cgroups).line().orElse("");
    }

    @Test
    void shouldSayNothingWhenNothingIsLimitedOrEnoughIsLeft() throws IOException {
        assertThat(line()).isEmpty();
        group("system.slice/sluice.service", "max", 20);
        assertThat(line()).isEmpty();
        group("system.slice/sluice.service", "36", 20);
        assertThat(line()).isEmpty();
    }

    @Test
    void shouldNameTheGroupWhenFewAreLeft() throws IOException {
        group("system.slice/sluice.service", "35", 20);
        assertThat(line()).startsWith("only 15 more tasks").contains("system.slice/sluice.service/pids.max = 35, 20 in use").contains("raise it to 36");
    }

    @Test
    void shouldTakeTheTightestOfTheGroupsThatItLiesIn() throws IOException {
        group("system.slice/sluice.service", "35", 20);
        group("system.slice", "100", 99);
        assertThat(line()).startsWith("only 1 more tasks").contains("system.slice/pids.max = 100");
    }

    @Test
    void shouldFindTheGroupOfTheOldHierarchy() throws IOException {
        write(proc.resolve("self/cgroup"), "9:cpu:/x\n8:pids:/box\n0::/\n");
        group("pids/box", "20", 20);
        assertThat(line()).startsWith("only 0 more tasks").contains("pids/box/pids.max = 20");
    }

    @Test
    void shouldCountTheThreadsOfTheUserWhoIsNotRoot() throws IOException {
        write(proc.resolve("self/status"), "Name:\tjava\nUid:\t1000\t1000\t1000\t1000\nThreads:\t20\n");
        write(proc.resolve("self/limits"), "Limit\nMax processes             30                   100                  processes \n");
        write(proc.resolve("11/status"), "Uid:\t1000\t1000\t1000\t1000\nThreads:\t20\n");
        write(proc.resolve("12/status"), "Uid:\t1000\t1000\t1000\t1000\nThreads:\t3\n");
        write(proc.resolve("13/status"), "Uid:\t0\t0\t0\t0\nThreads:\t30\n");
        assertThat(line()).startsWith("only 7 more tasks").contains("ulimit -u = 30, 23 in use");
    }
}
