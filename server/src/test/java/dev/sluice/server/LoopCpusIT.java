package dev.sluice.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.CallingThread;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code serve --loop-cpus}: where the kernel lets the loops run. */
class LoopCpusIT {
    private static final String ALLOWED = "Cpus_allowed_list:";

    @TempDir
    Path directory;

    Path image;
    Path socket;

    @BeforeEach
    void makeImage() throws Exception {
        image = directory.resolve("disk.img");
        socket = directory.resolve("disk.sock");
        SparseFile.create(image, 1 << 20);
    }

    @Test
    void shouldPinEachLoopToItsCpu() throws Exception {
        String own = allowed(Path.of("/proc/self/status"));
        // The first and the last that this process may use: two where there are two.
        String first = own.split("[-,]", 2)[0];
        String last = own.substring(Math.max(own.lastIndexOf('-'), own.lastIndexOf(',')) + 1);
        try (SluiceProcess serve = serve("--loops", 2, "--loop-cpus", first + "," + last)) {
            assertThat(loops(serve)).isEqualTo(Map.of("sluice-loop-0", first, "sluice-loop-1", last));
            assertThat(serve.terminate().status()).isZero();
        }
        try (SluiceProcess serve = serve("--loops", 3, "--loop-cpus", last)) {
            assertThat(loops(serve)).isEqualTo(Map.of("sluice-loop-0", last, "sluice-loop-1", last, "sluice-loop-2", last));
        }
        try (SluiceProcess serve = serve("--loops", 2)) {
            assertThat(loops(serve)).isEqualTo(Map.of("sluice-loop-0", own, "sluice-loop-1", own));
        }
    }

    @Test
    void shouldSayInOneLineWhatIsWrongWithTheList() throws Exception {
        refused("9999", "CPU '9999' is not from 0 to " + (CallingThread.MAX_CPUS - 1));
        // In range, and on no machine of those that run this.
        refused(Integer.toString(CallingThread.MAX_CPUS - 1), "sluice-loop-0 may not run on CPU " + (CallingThread.MAX_CPUS - 1) + " (EINVAL");
        refused("zero", "CPU 'zero' is not from 0 to ");
        refused("0,", "CPU '' is not from 0 to ");
        refused("0,,1", "CPU '' is not from 0 to ");
        refused("-1", "CPU '' is not from 0 to ");
        refused("1-0", "'1-0' is an empty range");
        refused("0-1,0", "names 3 CPUs for 2 loops: name one for each, or use --loops 3");
    }

    private void refused(String list, String said) throws Exception {
        SluiceProcess.Ended ended = SluiceProcess.run("serve", "--blk-file", image, "--socket-path", socket, "--loops", 2, "--loop-cpus", list);
        assertThat(ended.status()).as(ended.err()).isEqualTo(1);
        assertThat(ended.err().lines()).as(ended.err()).hasSize(1);
        assertThat(ended.err()).startsWith("sluice: error: --loop-cpus").contains(said);
        assertThat(ended.out()).isEmpty();
        assertThat(socket).doesNotExist();
    }

    private SluiceProcess serve(Object... loops) throws Exception {
        return SluiceProcess.serve(Stream.concat(Stream.of("--blk-file", image, "--socket-path", socket), Stream.of(loops)).toArray());
    }

    /** The CPUs of each loop's thread, as the kernel lists them. */
    private static Map<String, String> loops(SluiceProcess serve) throws IOException {
        Map<String, String> found = new TreeMap<>();
        List<Path> threads;
        try (Stream<Path> tasks = Files.list(Path.of("/proc", Long.toString(serve.pid()), "task"))) {
            threads = tasks.toList();
        }
        for (Path thread : threads) {
            try {
                String name = Files.readString(thread.resolve("comm")).strip();
                if (name.startsWith("sluice-loop-")) {
                    found.put(name, allowed(thread.resolve("status")));
                }
            } catch (IOException ended) {
                // Threads of the JVM come and go; a loop that has gone is missed below.
            }
        }
        return found;
    }

    private static String allowed(Path status) throws IOException {
        String line = Files.readAllLines(status).stream().filter(each -> each.startsWith(ALLOWED)).findFirst().orElseThrow();
        return line.substring(ALLOWED.length()).strip();
    }
}
