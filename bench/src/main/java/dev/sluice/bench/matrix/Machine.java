package dev.sluice.bench.matrix;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;

/** Facts about the machine of a measurement. */
final class Machine {
    private static final String UNKNOWN = "unknown";

    private Machine() {}

    /** Names and values, in the order of the report. */
    static Map<String, String> facts(MatrixSettings settings) {
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put("cores", Integer.toString(Runtime.getRuntime().availableProcessors()));
        facts.put("CPU", cpuModel());
        facts.put("kernel", System.getProperty("os.name") + " " + System.getProperty("os.version"));
        facts.put("JDK", System.getProperty("java.vendor.version", System.getProperty("java.vendor", "")).strip() + " ("
                + System.getProperty("java.runtime.version") + ")");
        facts.put("QEMU", orAbsent(Programs.firstLine(StorageDaemonSpec.PROGRAM, "--version")));
        facts.put("disk image", settings.diskDirectory() + " (" + fileSystem(settings.diskDirectory()) + ")");
        facts.put("RAM image", settings.ramDirectory() + " (" + fileSystem(settings.ramDirectory()) + ")");
        facts.put("load average at the start", loadAverage());
        return facts;
    }

    private static String cpuModel() {
        try (Stream<String> lines = Files.lines(Path.of("/proc/cpuinfo"))) {
            return lines.filter(line -> line.startsWith("model name")).map(line -> line.substring(line.indexOf(':') + 1).strip()).findFirst().orElse(UNKNOWN);
        } catch (IOException unreadable) {
            return UNKNOWN;
        }
    }

    private static String loadAverage() {
        try {
            String text = Files.readString(Path.of("/proc/loadavg"));
            return text.substring(0, text.indexOf(' '));
        } catch (IOException unreadable) {
            return UNKNOWN;
        }
    }

    private static String fileSystem(Path directory) {
        try {
            return Files.getFileStore(directory).type();
        } catch (IOException unreadable) {
            return UNKNOWN;
        }
    }

    private static String orAbsent(String version) {
        return version.isEmpty() ? "not installed" : version;
    }
}
