package dev.sluice.aio.raw;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.testing.Patience;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** QEMU and Sluice refuse one another's busy images: against the real programs. */
class QemuLockTest {
    private static final int PATIENCE_SECONDS = Patience.seconds(60);

    @TempDir
    Path directory = Path.of("/");

    private Path image = Path.of("/");

    private record Outcome(int exit, String output) {}

    /** An image that a QEMU program keeps open, until it is closed. */
    private static final class HeldByQemu implements AutoCloseable {
        private final Process process;

        private HeldByQemu(String input, String expectedLine, String... command) throws IOException {
            process = new ProcessBuilder(command).redirectErrorStream(true).start();
            OutputStream toQemu = process.getOutputStream();
            toQemu.write(input.getBytes(StandardCharsets.UTF_8));
            toQemu.flush();
            BufferedReader output = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
            String line = output.readLine();
            while (line != null && !line.contains(expectedLine)) {
                line = output.readLine();
            }
            assertThat(line).as("what %s says", command[0]).isNotNull();
        }

        /** As a tool that writes. */
        static HeldByQemu byTool(Path image) throws IOException {
            return new HeldByQemu("read 0 512\n", "read 512/512 bytes", "qemu-io", "-f", "raw", image.toString());
        }

        /** As the disk of a machine, which answers on its control channel once it has its devices. */
        static HeldByQemu byMachine(Path image, boolean readOnly) throws IOException {
            String drive = "file=" + image + ",format=raw,if=none,id=d,readonly=" + (readOnly ? "on" : "off");
            return new HeldByQemu(
                    "{'execute': 'qmp_capabilities'} {'execute': 'query-status'}\n", "prelaunch", "qemu-system-x86_64", "-S", "-nodefaults", "-display", "none",
                    "-machine", "pc", "-accel", "tcg", "-m", "64",
                    "-qmp", "stdio", "-drive", drive, "-device", "virtio-blk-pci,drive=d");
        }

        @Override
        public void close() {
            process.destroy();
            try {
                assertThat(process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)).isTrue();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        }
    }

    @BeforeEach
    void needQemu() throws IOException, InterruptedException {
        boolean installed = installed("qemu-io") && installed("qemu-img");
        if (!installed) {
            System.out.println("SKIPPED: image locks against QEMU: qemu-io and qemu-img are not installed (apt-get install qemu-utils)");
        }
        assumeTrue(installed, "SKIPPED: qemu-io and qemu-img are not installed");
        image = directory.resolve("disk.raw");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(1 << 20);
        }
    }

    private static Outcome run(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)).isTrue();
        return new Outcome(process.exitValue(), output);
    }

    private BackendOptions options() {
        return BackendOptions.of(image);
    }

    @Test
    void shouldRefuseToolsThatWriteWhenWeWrite() throws IOException, InterruptedException {
        try (RawImage ours = RawImage.open(options())) {
            assertThat(ours.path()).isEqualTo(image.toString());
            assertRefused(run("qemu-io", "-f", "raw", "-c", "write 0 512", image.toString()));
            assertRefused(run("qemu-img", "resize", "-f", "raw", image.toString(), "2M"));
        }
        assertThat(run("qemu-io", "-f", "raw", "-c", "write 0 512", image.toString()).exit).isZero();
    }

    @Test
    void shouldRefuseToolsThatWriteAndLetOthersReadWhenWeRead() throws IOException, InterruptedException {
        try (RawImage ours = RawImage.open(options().withReadOnly(true))) {
            assertThat(ours.geometry().readOnly()).isTrue();
            assertThat(run("qemu-io", "-f", "raw", "-r", "-c", "read 0 512", image.toString()).exit).isZero();
            assertRefused(run("qemu-io", "-f", "raw", "-c", "write 0 512", image.toString()));
        }
    }

    @Test
    void shouldBeRefusedWhatAToolWrites() throws IOException {
        try (HeldByQemu held = HeldByQemu.byTool(image)) {
            assertThat(held.process.isAlive()).isTrue();
            assertBusy(options());
            assertBusy(options().withReadOnly(true));
        }
        RawImage.open(options()).close();
    }

    @Test
    void shouldBeRefusedTheDiskOfAMachine() throws IOException, InterruptedException {
        needMachine();
        try (HeldByQemu held = HeldByQemu.byMachine(image, false)) {
            assertThat(held.process.isAlive()).isTrue();
            assertBusy(options());
            assertBusy(options().withReadOnly(true));
        }
        RawImage.open(options()).close();
    }

    @Test
    void shouldOnlyReadWhatAMachineReads() throws IOException, InterruptedException {
        needMachine();
        try (HeldByQemu held = HeldByQemu.byMachine(image, true)) {
            assertThat(held.process.isAlive()).isTrue();
            RawImage.open(options().withReadOnly(true)).close();
            assertBusy(options());
        }
    }

    @Test
    void shouldRefuseAMachineWhenWeWrite() throws IOException, InterruptedException {
        needMachine();
        try (RawImage ours = RawImage.open(options())) {
            assertThat(ours.geometry().readOnly()).isFalse();
            assertRefused(run("qemu-system-x86_64", "-S", "-nodefaults", "-display", "none", "-machine", "pc", "-accel", "tcg", "-m", "64",
                    "-drive", "file=" + image + ",format=raw,if=none,id=d,readonly=on", "-device", "virtio-blk-pci,drive=d"));
        }
    }

    private static void needMachine() throws InterruptedException {
        boolean installed = installed("qemu-system-x86_64");
        if (!installed) {
            System.out.println("SKIPPED: image locks against a machine: qemu-system-x86_64 is not installed (apt-get install qemu-system-x86)");
        }
        assumeTrue(installed, "SKIPPED: qemu-system-x86_64 is not installed");
    }

    private static boolean installed(String program) throws InterruptedException {
        try {
            return run(program, "--version").exit == 0;
        } catch (IOException absent) {
            return false;
        }
    }

    private static void assertBusy(BackendOptions options) {
        assertThatThrownBy(() -> RawImage.open(options).close()).isInstanceOf(IOException.class).hasMessageContaining("in use");
    }

    private static void assertRefused(Outcome outcome) {
        assertThat(outcome.exit).as(outcome.output).isNotZero();
        assertThat(outcome.output).contains("lock");
    }
}
