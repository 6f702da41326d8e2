package dev.sluice.bench;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.server.HttpOnSocket;
import dev.sluice.server.SluiceProcess;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code sluice bench} with what it cannot do: one line that says why and what to do, and the right exit status. */
class BenchIT {
    private static final int FAILED = 1;
    private static final int WRONG_USAGE = 2;

    @TempDir
    Path directory;

    @Test
    void shouldSayWhyADiskCannotBearALoad() throws Exception {
        Path socket = directory.resolve("disk.sock");
        try (SluiceProcess serve = nullDisk(socket, "--num-queues", 2, "--queue-size", 128, "--read-only")) {
            refused(FAILED, List.of(socket, "--queues", 3), "offers 2 queues, not 3", "--queues");
            refused(FAILED, List.of(socket, "--depth", 200), "queues of 256", "--depth");
            refused(FAILED, List.of(socket, "--rw", "randwrite"), "read-only", "--rw randread");
            refused(FAILED, List.of(socket, "--queues", 2, "--depth", 32768, "--bs", "4m"), "MiB of memory", "less depth");
            refused(FAILED, List.of(socket, "--pid", Integer.MAX_VALUE), "--pid", "no such process");
            refused(FAILED, List.of(socket, "--stats", directory.resolve("none")), "statistics", "serve --stats");
            assertThat(serve.isAlive()).isTrue();
        }
    }

    @Test
    void shouldSayWhichOptionsMakeNoLoad() throws Exception {
        Path socket = directory.resolve("disk.sock");
        refused(WRONG_USAGE, List.of(socket, "--queues", 2, "--jobs", 3), "jobs 3 exceed queues 2");
        refused(WRONG_USAGE, List.of(socket, "--bs", "1000"), "1000 is not a multiple of 512");
        refused(WRONG_USAGE, List.of(socket, "--bs", "8m"), "not from 512 to 4194304");
        refused(WRONG_USAGE, List.of(socket, "--verify"), "nothing to verify");
        refused(WRONG_USAGE, List.of(socket, "--read-percent", 10), "--read-percent requires");
        refused(WRONG_USAGE, List.of("--device", socket, "--rw", "randrw", "--verify"), "--verify does not apply to --device");
        for (List<Object> option : List.<List<Object>>of(List.of("--queues", 2), List.of("--jobs", 2), List.of("--poll"), List.of("--pid", 1),
                List.of("--stats", socket))) {
            List<Object> arguments = new ArrayList<>(List.of("--device", socket));
            arguments.addAll(option);
            refused(WRONG_USAGE, arguments, option.getFirst() + " does not apply to --device");
        }
        refused(WRONG_USAGE, List.of(socket, "--backend", "nio"), "--backend requires --device");
        refused(WRONG_USAGE, List.of(), "Missing required parameter: one of 'SOCKET', '--device=PATH' and '--matrix'");
    }

    @Test
    void shouldQuoteACommandAsAShellTakesItBack() throws Exception {
        List<String> words = List.of("--rows", "null / sluice|it's", "", "--dir=/var/tmp", "$HOME");
        String command = "printf '%s\\n' " + words.stream().map(BenchCommand::quoted).collect(Collectors.joining(" "));
        Process shell = new ProcessBuilder("sh", "-c", command).start();
        assertThat(shell.inputReader().lines().toList()).isEqualTo(words);
        assertThat(BenchCommand.quoted("--dir=/var/tmp")).isEqualTo("--dir=/var/tmp");
    }

    @Test
    void shouldEndSoonWhenTheBackendDiesUnderLoad() throws Exception {
        Path socket = directory.resolve("disk.sock");
        Path json = directory.resolve("stats.json");
        try (SluiceProcess serve = nullDisk(socket, "--stats", json, "--stats-interval", 0.1);
                SluiceProcess bench = SluiceProcess.start("bench", socket, "--seconds", 3600)) {
            long start = System.nanoTime();
            while (!Files.readString(json).matches("(?s).*\"requests\":[1-9].*")) {
                assertThat(System.nanoTime() - start).as("nanoseconds without a request").isLessThan(TimeUnit.SECONDS.toNanos(60));
                LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(50));
            }
            serve.kill();
            SluiceProcess.Ended ended = bench.await();
            assertThat(ended.status()).isEqualTo(FAILED);
            assertThat(ended.err()).contains("the backend has closed the connection");
        }
    }

    @Test
    void shouldSayThatAnHttpServerIsNoDisk() throws Exception {
        Path socket = directory.resolve("http.sock");
        try (HttpOnSocket _ = HttpOnSocket.start(socket)) {
            refused(FAILED, List.of(socket, "--seconds", 1), "does not speak vhost-user");
        }
    }

    private static SluiceProcess nullDisk(Path socket, Object... more) throws Exception {
        List<Object> arguments = new ArrayList<>(List.of("--backend", "null", "--size", "2G", "--socket-path", socket));
        arguments.addAll(Arrays.asList(more));
        return SluiceProcess.serve(arguments.toArray());
    }

    private static void refused(int status, List<Object> arguments, String... named) throws Exception {
        List<Object> all = new ArrayList<>(List.of("bench"));
        all.addAll(arguments);
        SluiceProcess.Ended ended = SluiceProcess.run(all.toArray());
        assertThat(ended.status()).as(ended.out() + ended.err()).isEqualTo(status);
        assertThat(ended.err()).contains(named);
        assertThat(ended.err().lines().filter(line -> line.contains(named[0])).count()).as(ended.err()).isEqualTo(1);
    }
}
