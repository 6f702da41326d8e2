package dev.sluice.bench.guest;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.SplittableRandom;
import java.util.zip.CRC32;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Firmware boots from a Sluice disk: three virtio drivers that are not Linux's, each judged by what it prints and by the image it leaves. */
class FirmwareIT {
    private static final int SECTOR_BYTES = 512;
    private static final int MIB = 1 << 20;
    private static final Duration TIME_LIMIT = Duration.ofMinutes(3);

    /** As {@code boot-sector.lst} has them. */
    private static final int BOOT_SECTORS = 400;

    private static final int BOOT_DISTANCE_SECTORS = 2048;

    private final long seed = Long.getLong("sluice.seed", System.nanoTime() & Integer.MAX_VALUE);
    @TempDir
    Path directory;
    private Path image;
    private Path socket;

    private static GuestTools tools;

    @BeforeAll
    static void requireFirmware() {
        tools = GuestRequirement.orSkip(FirmwareIT.class, Firmware.values(), HostProgram.MFORMAT, HostProgram.MCOPY);
    }

    @BeforeEach
    void nameFiles() {
        image = directory.resolve("disk.img");
        socket = directory.resolve("disk.sock");
        System.out.println("[firmware] seed " + seed + " (repeat with -Dsluice.seed=" + seed + ")");
    }

    /** SeaBIOS negotiates next to nothing, and what lies behind its used ring is its own: its ring's size. */
    @ParameterizedTest
    @ValueSource(ints = {128, 256, 512, 1024})
    void shouldBootThroughSeaBiosWhenTheQueueHasSize(int queueSize) throws Exception {
        byte[] content = random(4 * MIB);
        System.arraycopy(bootSector(), 0, content, 0, SECTOR_BYTES);
        Files.write(image, content);
        try (DiskServer server = serve();
                FirmwareMachine machine = FirmwareMachine.start(tools, Firmware.SEABIOS, socket, ",queue-size=" + queueSize)) {
            String printed = machine.serialPort().awaitEnd();
            assertThat(printed).as("what the boot sector prints, seed %d", seed).isEqualTo("BOOTED\n" + sumOfWords(content) + " DONE\n");
            server.terminate();
        }
        byte[] expected = content.clone();
        for (int i = SECTOR_BYTES; i < (BOOT_SECTORS + 1) * SECTOR_BYTES; i++) {
            expected[i + BOOT_DISTANCE_SECTORS * SECTOR_BYTES] = (byte) ~content[i];
        }
        assertImage(expected);
    }

    /** The UEFI shell copies a file, then starts Linux from the disk, which takes the device over from the firmware. */
    @Test
    void shouldBootLinuxThroughOvmf() throws Exception {
        byte[] pattern = random(3 * MIB + 17);
        GuestScript script =
                new GuestScript(GuestScript.resource(FirmwareIT.class, "common.sh").text() + GuestScript.resource(FirmwareIT.class, "efi.sh").text())
                        .with("SEED", seed)
                        .with("QUEUES", 1)
                        .with("SERIAL", "firmware")
                        .with("SECTORS", 256L * MIB / SECTOR_BYTES);
        makeEfiDisk(pattern, script);
        try (DiskServer server = serve();
                FirmwareMachine machine = FirmwareMachine.start(tools, Firmware.OVMF, socket, "")) {
            String printed = machine.serialPort().awaitEnd();
            assertThat(printed)
                    .as("what the UEFI shell and the guest print, seed %d", seed)
                    .contains("[no differences encountered]", "STATUS 0x0", "SLUICE-GUEST-EXIT 0")
                    .doesNotContain("I/O error");
            server.terminate();
        }
        Path copied = directory.resolve("copied");
        HostProgram.MCOPY.run("-n", "-i", image.toString(), "::copy", copied.toString());
        assertThat(Arrays.mismatch(Files.readAllBytes(copied), pattern)).as("first byte that the UEFI shell copied wrongly").isEqualTo(-1);
    }

    /** As a legacy device (no VIRTIO_F_VERSION_1) and as a modern one; more requests than the queue has entries. */
    @ParameterizedTest
    @ValueSource(strings = {"disable-modern=on", "disable-legacy=on"})
    void shouldServeTheConsoleOfUBoot(String transport) throws Exception {
        byte[] content = random(5 * MIB);
        Files.write(image, content);
        CRC32 crc = new CRC32();
        crc.update(content, 0, MIB);
        try (DiskServer server = serve()) {
            try (FirmwareMachine machine = FirmwareMachine.start(tools, Firmware.U_BOOT, socket, ",queue-size=128," + transport)) {
                SerialPort port = machine.serialPort();
                port.await("Hit any key to stop autoboot");
                port.type("");
                port.await("=> ");
                assertThat(uBoot(port, "virtio scan")).doesNotContainIgnoringCase("error");
                assertThat(uBoot(port, "virtio info")).contains("Capacity: 5.0 MB", "(10240 x 512)");

                // 2048 sectors at once: read, write them 8192 sectors further on, read back
                assertThat(uBoot(port, "virtio read 1000000 0 800")).contains("2048 blocks read: OK");
                assertThat(uBoot(port, "crc32 1000000 100000")).contains("==> " + HexFormat.of().toHexDigits((int) crc.getValue()));
                assertThat(uBoot(port, "virtio write 1000000 2000 800")).contains("2048 blocks written: OK");
                assertThat(uBoot(port, "virtio read 2000000 2000 800")).contains("2048 blocks read: OK");
                assertThat(uBoot(port, "cmp.b 1000000 2000000 100000")).contains("1048576 byte(s) were the same");

                // 8 of each 16 sectors: read, write them 4096 sectors further on
                String digits = "0 1 2 3 4 5 6 7 8 9 a b c d e f";
                String many =
                        uBoot(
                                port,
                                "for a in " + digits + "; do for b in " + digits + "; do virtio read 1${a}${b}0000 ${a}${b}0 8;"
                                        + " virtio write 1${a}${b}0000 1${a}${b}0 8; done; done");
                assertThat(many.split("8 blocks read: OK", -1)).hasSize(257);
                assertThat(many.split("8 blocks written: OK", -1)).hasSize(257);
            }
            server.terminate();
        }
        byte[] expected = content.clone();
        System.arraycopy(content, 0, expected, 0x2000 * SECTOR_BYTES, MIB);
        for (int sector = 0; sector < 0x1000; sector += 16) {
            System.arraycopy(content, sector * SECTOR_BYTES, expected, (0x1000 + sector) * SECTOR_BYTES, 8 * SECTOR_BYTES);
        }
        assertImage(expected);
    }

    private DiskServer serve() throws Exception {
        return DiskServer.start(DiskServer.Kind.SLUICE, new DiskServer.Disk(image, socket, 1, "firmware", false));
    }

    /** What the console prints for a command, up to its next prompt. */
    private static String uBoot(SerialPort port, String command) throws Exception {
        port.type(command);
        String printed = port.await("\n=> ");
        System.out.println("[firmware] => " + command + "\n" + printed.lines().skip(1).limit(3).toList());
        return printed;
    }

    /** A FAT file system in the first 192 MiB, with a script for the UEFI shell, a kernel with its guest's script, and a file to copy. */
    private void makeEfiDisk(byte[] pattern, GuestScript script) throws Exception {
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(256L * MIB);
        }
        Path initramfs = directory.resolve("initramfs.cpio");
        Initramfs.write(initramfs, tools, new GuestSpec(socket, 1, script, TIME_LIMIT));
        Path startup = Files.writeString(
                directory.resolve("startup.nsh"),
                """
                fs0:
                cp pattern copy
                comp pattern copy
                echo STATUS %lasterror%
                vmlinuz.efi initrd=\\initramfs.cpio console=ttyS0 panic=-1 mitigations=off quiet
                echo the kernel did not start
                reset -s
                """.replace("\n", "\r\n"));
        Path patternFile = Files.write(directory.resolve("pattern"), pattern);
        HostProgram.MFORMAT.run("-i", image.toString(), "-F", "-T", Integer.toString(192 * MIB / SECTOR_BYTES), "-h", "255", "-s", "63", "::");
        HostProgram.MCOPY.run("-i", image.toString(), startup.toString(), patternFile.toString(), initramfs.toString(), "::");
        HostProgram.MCOPY.run("-i", image.toString(), tools.kernel().image().toString(), "::vmlinuz.efi");
        Files.delete(initramfs);
    }

    private byte[] random(int lengthBytes) {
        byte[] content = new byte[lengthBytes];
        new SplittableRandom(seed).nextBytes(content);
        return content;
    }

    private void assertImage(byte[] expected) throws IOException {
        int mismatch = Arrays.mismatch(Files.readAllBytes(image), expected);
        assertThat(mismatch).as("first byte of the image that is not as expected, seed %d", seed).isEqualTo(-1);
    }

    private static String sumOfWords(byte[] content) {
        ByteBuffer words = ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN);
        int sum = 0;
        for (int i = SECTOR_BYTES; i < (BOOT_SECTORS + 1) * SECTOR_BYTES; i += Short.BYTES) {
            sum += Short.toUnsignedInt(words.getShort(i));
        }
        return HexFormat.of().withUpperCase().toHexDigits(sum);
    }

    /** The machine code of {@code boot-sector.lst}, with the mark at its end that makes it bootable. */
    private static byte[] bootSector() {
        ByteBuffer sector = ByteBuffer.allocate(SECTOR_BYTES);
        for (String line : GuestScript.resource(FirmwareIT.class, "boot-sector.lst").text().lines().toList()) {
            if (!line.isBlank() && Character.isLetterOrDigit(line.charAt(0))) {
                String[] columns = line.split(" +", 3);
                assertThat(Integer.parseInt(columns[0], 16)).as("the address of %s", line).isEqualTo(0x7C00 + sector.position());
                sector.put(HexFormat.of().parseHex(columns[1]));
            }
        }
        return sector.putShort(SECTOR_BYTES - Short.BYTES, (short) 0x55AA).array();
    }
}
