package dev.sluice.bench.guest;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.apache.commons.compress.archivers.cpio.CpioArchiveEntry;
import org.apache.commons.compress.archivers.cpio.CpioArchiveOutputStream;
import org.apache.commons.compress.archivers.cpio.CpioConstants;

/**
 * Writes the only file system a guest starts with: busybox, the host's own fio, mkfs.ext4 and blkdiscard with their
 * libraries, the kernel's virtio modules, {@code init.sh} as {@code /init}, and the script.
 *
 * <p>The archive is not compressed: unpacking 37 MB of gzip costs an emulated guest 2 s of each boot (5.6 s instead
 * of 3.8 s to its first process), and packing it costs the host another.
 */
final class Initramfs implements AutoCloseable {
    private static final int BUFFER_BYTES = 1 << 20;
    private static final int EXECUTABLE = 0755;
    private static final Duration HOST_KILLS_FIRST = Duration.ofSeconds(10);

    private final CpioArchiveOutputStream archive;
    private final Set<Path> written = new HashSet<>();

    private Initramfs(Path file) throws IOException {
        BufferedOutputStream out = new BufferedOutputStream(Files.newOutputStream(file), BUFFER_BYTES);
        archive = new CpioArchiveOutputStream(out, CpioConstants.FORMAT_NEW);
    }

    /** Writes the archive for one guest to {@code file}; about 90 MB, some 0.3 s. */
    static void write(Path file, GuestTools tools, GuestSpec spec) throws IOException, InterruptedException {
        try (Initramfs initramfs = new Initramfs(file)) {
            for (GuestTools.Program program : GuestTools.Program.values()) {
                if (program != GuestTools.Program.QEMU) {
                    initramfs.addProgram(program, tools.program(program));
                }
            }
            for (Map.Entry<String, byte[]> module : KernelModules.read(tools.kernel()).entrySet()) {
                initramfs.add(Path.of("/modules", module.getKey() + ".ko"), module.getValue());
            }
            initramfs.add(Path.of("/init"), utf8(GuestScript.resource(Initramfs.class, "init.sh").text()));
            long limitSeconds = spec.timeLimit().plus(HOST_KILLS_FIRST).toSeconds();
            initramfs.add(Path.of("/limits"), utf8("TIME_LIMIT_SECONDS=" + limitSeconds + "\n"));
            initramfs.add(Path.of("/script"), utf8(spec.script().text()));
        }
    }

    @Override
    public void close() throws IOException {
        archive.close();
    }

    private void addProgram(GuestTools.Program program, Path hostFile) throws IOException, InterruptedException {
        add(Path.of("/bin", program.command()), hostFile);
        for (Path library : SharedLibraries.of(hostFile)) {
            add(library, library);
        }
    }

    private void add(Path place, Path hostFile) throws IOException {
        if (written.contains(place)) {
            return; // several programs share most of their libraries
        }
        begin(place, CpioConstants.C_ISREG | EXECUTABLE, Files.size(hostFile));
        Files.copy(hostFile, archive);
        archive.closeArchiveEntry();
    }

    private void add(Path place, byte[] content) throws IOException {
        begin(place, CpioConstants.C_ISREG | EXECUTABLE, content.length);
        archive.write(content);
        archive.closeArchiveEntry();
    }

    /** Starts an entry, after its parent directories. */
    private void begin(Path place, int mode, long lengthBytes) throws IOException {
        Path parent = place.getParent();
        if (parent != null && parent.getNameCount() > 0 && !written.contains(parent)) {
            begin(parent, CpioConstants.C_ISDIR | EXECUTABLE, 0);
            archive.closeArchiveEntry();
        }
        CpioArchiveEntry entry = new CpioArchiveEntry(CpioConstants.FORMAT_NEW, place.toString().substring(1), lengthBytes);
        entry.setMode(mode);
        entry.setTime(0);
        archive.putArchiveEntry(entry);
        written.add(place);
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
