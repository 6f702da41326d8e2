package dev.sluice.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * What disks that nobody is connected to cost: no thread each, and little memory. The figures of the product are those of the archive
 * (docs/benchmarks/2026-11-29-footprint.md); here the classes come from directories, and what is compared is one disk with many.
 */
@Timeout(300)
class FootprintIT {
    private static final int DISKS = 100;
    private static final int QUEUES = 8;

    /** A disk takes about 140 KiB with its image, its socket and its share of the start; with threads of its own it took three times that. */
    private static final long MOST_KIB_PER_DISK = 300;

    private static final List<String> OPTIONS =
            List.of("--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow", "-Xms16m", "-Xmn8m", "-XX:SurvivorRatio=2");

    @TempDir
    Path directory;

    private record Cost(long residentKib, int threads) {}

    @Test
    void shouldTakeNoThreadAndLittleMemoryForADiskThatNobodyIsConnectedTo() throws Exception {
        Cost one = cost(1);
        Cost many = cost(DISKS);
        assertThat(many.threads()).as("threads with %s disks and with one", DISKS).isEqualTo(one.threads());
        // Fewer than this leave some for the virtual machine: 24 in all.
        assertThat(many.threads()).isLessThanOrEqualTo(9);
        assertThat((many.residentKib() - one.residentKib()) / (DISKS - 1)).as("KiB of resident memory a disk").isLessThan(MOST_KIB_PER_DISK);
    }

    private Cost cost(int disks) throws Exception {
        Path config = directory.resolve(disks + ".yaml");
        StringBuilder text = new StringBuilder("disks:\n");
        for (int i = 0; i < disks; i++) {
            Path image = directory.resolve(i + ".img");
            SparseFile.create(image, 1 << 20);
            text.append("  - name: d").append(i).append("\n    image: ").append(image).append("\n    socket: ").append(directory.resolve(i + ".sock"))
                    .append("\n    queues: ").append(QUEUES).append('\n');
        }
        Files.writeString(config, text);
        List<Object> arguments = new ArrayList<>(List.of("serve", "--config", config));
        try (SluiceProcess serve = SluiceProcess.startWith(OPTIONS, arguments.toArray()).ready()) {
            Cost cost = new Cost(residentKib(serve.pid()), threads(serve.pid()));
            assertThat(serve.terminate().status()).isZero();
            return cost;
        }
    }

    private static long residentKib(long pid) throws IOException {
        return Files.readAllLines(Path.of("/proc", Long.toString(pid), "status")).stream()
                .filter(line -> line.startsWith("VmRSS:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                .sum();
    }

    /** Those of Sluice: how many the virtual machine has depends on the machine. */
    private static int threads(long pid) throws IOException {
        int count = 0;
        try (Stream<Path> tasks = Files.list(Path.of("/proc", Long.toString(pid), "task"))) {
            for (Path task : tasks.toList()) {
                if (Files.readString(task.resolve("comm")).startsWith("sluice-")) {
                    count++;
                }
            }
        }
        return count;
    }
}
