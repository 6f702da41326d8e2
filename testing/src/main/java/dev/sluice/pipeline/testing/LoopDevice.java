package dev.sluice.pipeline.testing;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.opentest4j.TestAbortedException;

/**
 * A block device over a file, gone again with {@link #close}. Needs root and loop devices: what cannot run without is skipped, which is said.
 *
 * <p><b>Threading:</b> one thread.
 */
public final class LoopDevice implements AutoCloseable {
    private static final int FLUSHES_COMPLETED_FIELD = 18;

    private final Path device;

    private LoopDevice(Path device) {
        this.device = device;
    }

    /** Attaches a file; {@code options} are losetup's. */
    public static LoopDevice attach(Path file, String... options) throws IOException {
        List<String> command = new ArrayList<>(List.of("losetup", "-f", "--show"));
        command.addAll(List.of(options));
        command.add(file.toString());
        String name = require("a loop device", command);
        LoopDevice attached = new LoopDevice(Path.of(name));
        // A loop device stays read-only for whoever attaches it next, where somebody has made it so.
        require("a loop device", List.of("blockdev", "--setrw", name));
        return attached;
    }

    /** A file without data of that size. */
    public static Path sparse(Path file, long sizeBytes) throws IOException {
        try (RandomAccessFile opened = new RandomAccessFile(file.toFile(), "rw")) {
            opened.setLength(sizeBytes);
        }
        return file;
    }

    /** Runs a command that needs root; its output. */
    public static String require(String what, List<String> command) throws IOException {
        Process process;
        try {
            process = new ProcessBuilder(command).redirectErrorStream(true).start();
        } catch (IOException notInstalled) {
            throw skipped(what, notInstalled.toString());
        }
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        try {
            if (process.waitFor(60, TimeUnit.SECONDS) && process.exitValue() == 0) {
                return output;
            }
        } catch (InterruptedException stopped) {
            throw new IOException(stopped);
        }
        throw skipped(what, output);
    }

    private static TestAbortedException skipped(String what, String why) {
        System.err.println("*** SKIPPED: " + what + ", which needs root and loop devices: " + why + " ***");
        return new TestAbortedException("SKIPPED: " + what + ", which needs root and loop devices: " + why);
    }

    public Path path() {
        return device;
    }

    /** Takes over the size that the file has now. */
    public void followFile() throws IOException {
        require("a loop device of another size", List.of("losetup", "-c", device.toString()));
    }

    /** Flushes of its cache that the device has completed (Linux, Documentation/admin-guide/iostats.rst, field 16). */
    public long flushes() throws IOException {
        String name = String.valueOf(device.getFileName());
        for (String line : Files.readAllLines(Path.of("/proc/diskstats"))) {
            String[] fields = line.strip().split("\\s+", -1);
            if (fields[2].equals(name)) {
                return Long.parseLong(fields[FLUSHES_COMPLETED_FIELD]);
            }
        }
        throw new IOException(name + " is not in /proc/diskstats");
    }

    @Override
    public void close() throws IOException {
        require("a loop device", List.of("losetup", "-d", device.toString()));
    }
}
