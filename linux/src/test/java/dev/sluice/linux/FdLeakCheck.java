package dev.sluice.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** Fails a test that leaves descriptors open; those that the JVM opens for its class path do not count. */
final class FdLeakCheck implements BeforeEachCallback, AfterEachCallback {
    private Map<Integer, String> before = Map.of();

    @Override
    public void beforeEach(ExtensionContext context) throws IOException {
        before = openDescriptors();
    }

    @Override
    public void afterEach(ExtensionContext context) throws IOException {
        Map<Integer, String> left = openDescriptors();
        // Only what was added: pipes of a child process that an earlier test has started go when the JVM has seen its end.
        left.entrySet().removeAll(before.entrySet());
        assertThat(left).as("descriptors left open").isEmpty();
    }

    static Map<Integer, String> openDescriptors() throws IOException {
        Map<Integer, String> open = new TreeMap<>();
        try (Stream<Path> entries = Files.list(Path.of("/proc/self/fd"))) {
            for (Path entry : entries.toList()) {
                int number = Integer.parseInt(entry.getFileName().toString());
                String name = LinuxFile.descriptorName(number);
                boolean ofTheJvm = name.endsWith(".jar") || name.endsWith("/modules") || name.endsWith("/fd");
                if (!name.isEmpty() && !ofTheJvm) {
                    open.put(number, name);
                }
            }
        }
        return open;
    }
}
