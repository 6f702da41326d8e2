package dev.sluice.bench.guest;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A real Linux guest on a disk that Sluice serves from another process. {@code SLUICE_GUEST_BACKEND=storage-daemon}
 * runs the same on QEMU's backend instead.
 */
class GuestIT {
    private static final int QUEUES = 4;
    private static final int SECTOR_BYTES = 512;
    private static final int MIB = 1 << 20;
    private static final int KNOWN_LINES = 200_000;
    private static final String SERIAL = "sluice-guest-it";
    private static final Duration TIME_LIMIT = Duration.ofMinutes(3);
    static final DiskServer.Kind KIND =
            "storage-daemon".equals(System.getenv("SLUICE_GUEST_BACKEND")) ? DiskServer.Kind.STORAGE_DAEMON : DiskServer.Kind.SLUICE;

    private final long seed = Long.getLong("sluice.seed", System.nanoTime() & Integer.MAX_VALUE);
    @TempDir
    Path directory;

    private static GuestTools tools;

    @BeforeAll
    static void requireGuest() {
        tools = GuestRequirement.orSkip(GuestIT.class, HostProgram.E2FSCK, HostProgram.DEBUGFS, HostProgram.QEMU_IMG, HostProgram.QEMU_STORAGE_DAEMON);
        System.out.println("[guest] backend: " + KIND);
    }

    @Test
    void shouldKeepWhatAGuestWritesAndDropWhatItDiscards() throws Exception {
        DiskServer.Disk disk = disk(512L * MIB, QUEUES, false);
        GuestScript script = script("file-system.sh", disk).with("WRITE_CACHE", KIND.writeCache()).with("KNOWN_LINES", KNOWN_LINES);
        try (DiskServer server = DiskServer.start(KIND, disk);
                Guest guest = boot(disk, script)) {
            assertSuccess(guest.await());
            server.terminate();
        }
        String image = disk.image().toString();
        HostProgram.E2FSCK.run("-fn", image);
        String known = IntStream.rangeClosed(1, KNOWN_LINES).mapToObj(line -> line + "\n").collect(Collectors.joining());
        assertThat(HostProgram.DEBUGFS.run("-R", "cat /known", image)).isEqualTo(known.getBytes(StandardCharsets.UTF_8));

        for (int mib = 384; mib < 408; mib++) {
            boolean zero = (mib >= 388 && mib < 392) || (mib >= 396 && mib < 400);
            byte[] expected = new byte[MIB];
            Arrays.fill(expected, (byte) (zero ? 0 : 'S'));
            int mismatch = Arrays.mismatch(read(disk.image(), mib), expected);
            assertThat(mismatch).as("first byte in MiB %d that is not as expected", mib).isEqualTo(-1);
        }
        assertThat(allocatedBytes(disk.image(), 388, 392)).as("bytes allocated where the guest discarded").isZero();
        // two journals' worth beyond the known file and fio's four; the trash that was trimmed would be another 64 MiB
        assertThat(allocatedBytes(disk.image(), 0, 256)).as("bytes allocated in the trimmed file system").isLessThan(64L * MIB);
    }

    @Test
    void shouldRefuseWritesWhenTheDiskIsReadOnly() throws Exception {
        DiskServer.Disk disk = disk(8L * MIB + SECTOR_BYTES, 1, true);
        byte[] content = new byte[8 * MIB + SECTOR_BYTES];
        new SplittableRandom(seed).nextBytes(content);
        Files.write(disk.image(), content);
        String md5 = HexFormat.of().formatHex(MessageDigest.getInstance("MD5").digest(content));
        try (DiskServer server = DiskServer.start(KIND, disk);
                Guest guest = boot(disk, script("read-only.sh", disk).with("MD5", md5))) {
            assertSuccess(guest.await());
            server.terminate();
        }
        assertThat(Arrays.mismatch(Files.readAllBytes(disk.image()), content)).as("first byte that a guest changed").isEqualTo(-1);
    }

    /** Told to end, and killed: then the socket is left behind, and nobody has drained anything. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldGoOnWhenTheBackendIsRestartedUnderAGuest(boolean killed) throws Exception {
        DiskServer.Disk disk = disk(64L * MIB, QUEUES, false);
        try (DiskServer first = DiskServer.start(KIND, disk);
                Guest guest = boot(disk, script("restart.sh", disk))) {
            guest.awaitLine("FIRST-HALF-DONE");
            if (killed) {
                first.kill();
            } else {
                first.terminate();
            }
            try (DiskServer second = DiskServer.start(KIND, disk)) {
                guest.send("go-on");
                assertSuccess(guest.await());
                second.terminate();
            }
        }
    }

    @Test
    void shouldLoseNothingWhenTheBackendIsRestartedUnderLoad() throws Exception {
        if (KIND == DiskServer.Kind.STORAGE_DAEMON) {
            System.err.println("*** SKIPPED: QEMU's own backend does not finish its requests on SIGTERM: no restart under load ***");
            Assumptions.abort("QEMU's own backend does not finish its requests on SIGTERM");
        }
        DiskServer.Disk disk = disk(64L * MIB, QUEUES, false);
        CountDownLatch loadDone = new CountDownLatch(1);
        try (DiskServer first = DiskServer.start(KIND, disk);
                Guest guest = boot(disk, script("restart-under-load.sh", disk), line -> countDownAt("LOAD-DONE", line, loadDone))) {
            guest.awaitLine("UNDER-LOAD");
            first.terminate();
            assertThat(loadDone.getCount()).as("the load was over before the backend was").isEqualTo(1);
            try (DiskServer second = DiskServer.start(KIND, disk)) {
                assertSuccess(guest.await());
                second.terminate();
            }
        }
    }

    private static void countDownAt(String expected, String line, CountDownLatch latch) {
        if (line.equals(expected)) {
            latch.countDown();
        }
    }

    private DiskServer.Disk disk(long lengthBytes, int numQueues, boolean readOnly) throws Exception {
        System.out.println("[guest] seed " + seed + " (repeat with -Dsluice.seed=" + seed + ")");
        Path image = directory.resolve("disk.img");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(lengthBytes);
        }
        return new DiskServer.Disk(image, directory.resolve("disk.sock"), numQueues, SERIAL, readOnly);
    }

    private GuestScript script(String name, DiskServer.Disk disk) throws Exception {
        String text = GuestScript.resource(GuestIT.class, "common.sh").text() + GuestScript.resource(GuestIT.class, name).text();
        return new GuestScript(text)
                .with("SEED", seed)
                .with("QUEUES", disk.numQueues())
                .with("SECTORS", Files.size(disk.image()) / SECTOR_BYTES)
                .with("SERIAL", KIND.serial(disk.serial()));
    }

    private static Guest boot(DiskServer.Disk disk, GuestScript script) throws Exception {
        return boot(disk, script, line -> {});
    }

    private static Guest boot(DiskServer.Disk disk, GuestScript script, Consumer<String> listener) throws Exception {
        GuestSpec spec = new GuestSpec(disk.socket(), disk.numQueues(), script, TIME_LIMIT);
        Consumer<String> printer = line -> System.out.println("[guest] " + line);
        return Guest.boot(tools, spec, printer.andThen(listener));
    }

    private void assertSuccess(GuestResult result) {
        assertThat(result.exitStatus()).as("exit status of the guest's script, seed %d; it said\n%s", seed, result.output()).isZero();
        assertThat(result.console()).as("what the kernel of the guest says").doesNotContain("I/O error");
    }

    private static byte[] read(Path image, int mib) throws Exception {
        byte[] content = new byte[MIB];
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "r")) {
            file.seek((long) mib * MIB);
            file.readFully(content);
        }
        return content;
    }

    /** What the host's file system says is data, not hole, in a range of the image. */
    private static long allocatedBytes(Path image, int fromMib, int toMib) throws Exception {
        long from = (long) fromMib * MIB;
        long to = (long) toMib * MIB;
        long allocatedBytes = 0;
        byte[] map = HostProgram.QEMU_IMG.run("map", "--output=json", "-f", "raw", image.toString());
        for (JsonNode extent : new ObjectMapper().readTree(map)) {
            long start = extent.get("start").asLong();
            long end = start + extent.get("length").asLong();
            if (extent.get("data").asBoolean()) {
                allocatedBytes += Math.max(0, Math.min(end, to) - Math.max(start, from));
            }
        }
        return allocatedBytes;
    }
}
