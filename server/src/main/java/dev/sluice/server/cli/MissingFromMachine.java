package dev.sluice.server.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/**
 * Detects an {@link Error} that people can fix: a module that the Java runtime lacks, or a thread that it could not start.
 *
 * <p><b>Threading:</b> any thread; starts none.
 */
final class MissingFromMachine {
    /** Prefixes of class names outside java.base, and the modules that contain them. */
    private static final Map<String, String> MODULES = Map.of(
            "com.sun.management.", "jdk.management",
            "com.sun.net.httpserver.", "jdk.httpserver",
            "java.lang.instrument.", "java.instrument",
            "java.lang.management.", "java.management",
            "java.util.logging.", "java.logging",
            "javax.management.", "java.management",
            "javax.xml.", "java.xml",
            "jdk.jfr.", "jdk.jfr",
            "sun.misc.", "jdk.unsupported");

    private MissingFromMachine() {}

    /** One line that names the module or the limit; empty if the error is something else. */
    static Optional<String> explain(Throwable error) {
        // Our own IOException names the disk and the limit itself.
        for (Throwable cause = error; cause != null && !(cause instanceof IOException); cause = cause.getCause()) {
            String message = String.valueOf(cause.getMessage());
            if (cause instanceof OutOfMemoryError && message.contains("native thread")) {
                return Optional.of("cannot start a thread, a limit is reached: " + limits() + ": raise it, or stop other processes that count towards it");
            }
            if (cause instanceof NoClassDefFoundError || cause instanceof ClassNotFoundException) {
                Optional<String> module = absentModule(message.replace('/', '.'));
                if (module.isPresent()) {
                    return module;
                }
            }
        }
        return Optional.empty();
    }

    private static Optional<String> absentModule(String className) {
        return MODULES.entrySet().stream()
                .filter(entry -> className.startsWith(entry.getKey()) && ModuleLayer.boot().findModule(entry.getValue()).isEmpty())
                .findFirst()
                .map(entry -> "the Java runtime in " + System.getProperty("java.home") + " lacks the module " + entry.getValue() + ", which contains "
                        + className
                        + ": use a full JDK, or one built by jlink with --add-modules " + entry.getValue());
    }

    private static String limits() {
        return "processes of the user (ulimit -u) " + processLimit() + ", tasks of the control group (pids.max; TasksMax= of systemd) " + groupLimit();
    }

    private static String processLimit() {
        try {
            return Files.readAllLines(Path.of("/proc/self/limits")).stream()
                    .filter(line -> line.startsWith("Max processes"))
                    .map(line -> line.substring("Max processes".length()).strip().split("\\s+", 2)[0])
                    .findFirst()
                    .orElse("unknown");
        } catch (IOException unknown) {
            return "unknown";
        }
    }

    private static String groupLimit() {
        try {
            for (String line : Files.readAllLines(Path.of("/proc/self/cgroup"))) {
                if (line.startsWith("0::/")) {
                    return Files.readString(Path.of("/sys/fs/cgroup", line.substring("0::".length()), "pids.max")).strip();
                }
            }
        } catch (IOException unknown) {
            // The root group has no such file, and an older hierarchy has it elsewhere.
        }
        return "none";
    }
}
