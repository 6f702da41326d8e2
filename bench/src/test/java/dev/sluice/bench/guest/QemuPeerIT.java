package dev.sluice.bench.guest;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What QEMU does to a disk over the life of a machine, on QEMUs of two generations, with every byte that the guest writes under a checksum.
 * {@code SLUICE_GUEST_BACKEND=storage-daemon} runs the first on QEMU's backend instead.
 */
@Timeout(value = 8, unit = TimeUnit.MINUTES)
class QemuPeerIT {
    private static final int QUEUES = 2;
    private static final int SECTOR_BYTES = 512;
    private static final long LENGTH_BYTES = 32L << 20;
    private static final String SERIAL = "qemu-peer";
    private static final Duration TIME_LIMIT = Duration.ofMinutes(5);

    private final long seed = Long.getLong("sluice.seed", System.nanoTime() & Integer.MAX_VALUE);
    @TempDir
    Path directory;

    private static GuestTools tools;

    @BeforeAll
    static void requireGuest() {
        tools = GuestRequirement.orSkip(QemuPeerIT.class);
    }

    /** On one connection from first to last: QEMU is told not to connect again. */
    @ParameterizedTest
    @EnumSource
    void shouldKeepTheDiskWhenTheMachineIsStoppedReplugsItAndIsReset(QemuPeer qemu) throws Exception {
        CountDownLatch loadDone = new CountDownLatch(1);
        DiskServer.Disk disk = disk();
        try (DiskServer server = DiskServer.start(GuestIT.KIND, disk);
                Guest guest = boot(qemu, disk, GuestIT.KIND, "machine.sh", new QemuCommand.Options(false, true), loadDone)) {
            guest.awaitLine("UNDER-LOAD");
            Qmp qmp = Qmp.connect(guest.qmpSocket());
            qmp.execute("stop", "{}");
            assertThat(loadDone.getCount()).as("the load was over before the machine stopped").isEqualTo(1);
            assertThat(qmp.execute("query-status", "{}").get("status").asText()).isEqualTo("paused");
            qmp.execute("cont", "{}");

            guest.awaitLine("PULL-THE-DISK");
            qmp.execute("device_del", "{\"id\": \"vda\"}");
            qmp.awaitEvent("DEVICE_DELETED vda");
            guest.awaitLine("PULLED");
            qmp.execute(
                    "device_add",
                    "{\"driver\": \"vhost-user-blk-pci\", \"id\": \"vda\", \"bus\": \"bay\", \"chardev\": \"disk\", \"num-queues\": " + QUEUES + "}");

            guest.awaitLine("RESET-THE-MACHINE");
            qmp.execute("set-action", "{\"reboot\": \"reset\"}"); // QEMU was started to stop at a reset
            qmp.execute("system_reset", "{}");
            guest.awaitLine("AFTER-THE-RESET");
            assertSuccess(guest.await());
            server.terminate();
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldLoseNothingWhenSluiceIsRestartedUnderLoad(QemuPeer qemu) throws Exception {
        CountDownLatch loadDone = new CountDownLatch(1);
        DiskServer.Disk disk = disk();
        try (DiskServer first = DiskServer.start(DiskServer.Kind.SLUICE, disk);
                Guest guest = boot(qemu, disk, DiskServer.Kind.SLUICE, "restart-under-load.sh", QemuCommand.Options.DEFAULT, loadDone)) {
            guest.awaitLine("UNDER-LOAD");
            first.terminate();
            assertThat(loadDone.getCount()).as("the load was over before the backend was").isEqualTo(1);
            try (DiskServer second = DiskServer.start(DiskServer.Kind.SLUICE, disk)) {
                assertSuccess(guest.await());
                second.terminate();
            }
        }
    }

    private DiskServer.Disk disk() throws Exception {
        Path image = directory.resolve("disk.img");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(LENGTH_BYTES);
        }
        return new DiskServer.Disk(image, directory.resolve("disk.sock"), QUEUES, SERIAL, false);
    }

    private Guest boot(
            QemuPeer qemu, DiskServer.Disk disk, DiskServer.Kind kind, String scriptName, QemuCommand.Options options, CountDownLatch loadDone)
            throws Exception {
        GuestTools others = GuestRequirement.orSkip(QemuPeerIT.class, tools, qemu);
        System.out.println("[guest] on " + others.program(GuestTools.Program.QEMU) + ", seed " + seed + " (repeat with -Dsluice.seed=" + seed + ")");
        String text = GuestScript.resource(GuestIT.class, "common.sh").text() + GuestScript.resource(GuestIT.class, scriptName).text();
        GuestScript script =
                new GuestScript(text)
                        .with("SEED", seed)
                        .with("QUEUES", QUEUES)
                        .with("SECTORS", Files.size(disk.image()) / SECTOR_BYTES)
                        .with("SERIAL", kind.serial(SERIAL));
        GuestSpec spec = new GuestSpec(disk.socket(), QUEUES, script, TIME_LIMIT);
        return Guest.boot(others, spec, options, line -> {
            System.out.println("[guest] " + line);
            if (line.equals("LOAD-DONE")) {
                loadDone.countDown();
            }
        });
    }

    private void assertSuccess(GuestResult result) {
        assertThat(result.exitStatus()).as("exit status of the guest's script, seed %d; it said\n%s", seed, result.output()).isZero();
        assertThat(result.console()).as("what the kernel of the guest says").doesNotContain("I/O error");
    }
}
