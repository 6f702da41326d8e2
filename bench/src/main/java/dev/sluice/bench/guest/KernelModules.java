package dev.sluice.bench.guest;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;

/** The modules a guest needs of a kernel; drivers built into the kernel have no module and are left out. */
final class KernelModules {
    /** A virtio-blk disk on PCI, and ext4, with the modules that kernels of several distributions need for them. */
    private static final Set<String> NAMES =
            Set.of(
                    "virtio", "virtio_ring", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci", "virtio_blk",
                    "crc16", "crc32c_generic", "crc32c_cryptoapi", "libcrc32c", "mbcache", "jbd2", "ext4");

    private KernelModules() {}

    /** Name of each module that exists, and its content, decompressed. */
    static Map<String, byte[]> read(GuestKernel kernel) throws IOException, InterruptedException {
        Map<String, Path> files = new TreeMap<>();
        try (Stream<Path> tree = Files.walk(kernel.modules().resolve("kernel"))) {
            tree.filter(file -> NAMES.contains(name(file)) && file.getFileName().toString().contains(".ko"))
                    .forEach(file -> files.put(name(file), file));
        }
        Map<String, byte[]> modules = new TreeMap<>();
        for (Map.Entry<String, Path> file : files.entrySet()) {
            modules.put(file.getKey(), decompressed(file.getValue()));
        }
        return modules;
    }

    private static String name(Path file) {
        String fileName = file.getFileName().toString();
        int dot = fileName.indexOf('.');
        return (dot < 0 ? fileName : fileName.substring(0, dot)).replace('-', '_');
    }

    private static byte[] decompressed(Path file) throws IOException, InterruptedException {
        String fileName = file.getFileName().toString();
        if (fileName.endsWith(".xz")) {
            return HostCommand.run(List.of("xz", "-dc", file.toString()));
        }
        if (fileName.endsWith(".zst")) {
            return HostCommand.run(List.of("zstd", "-dc", file.toString()));
        }
        byte[] content = Files.readAllBytes(file);
        if (fileName.endsWith(".gz")) {
            return new GZIPInputStream(new ByteArrayInputStream(content)).readAllBytes();
        }
        return content;
    }
}
