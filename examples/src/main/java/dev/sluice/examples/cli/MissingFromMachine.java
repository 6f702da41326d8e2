package dev.sluice.examples.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/**
 * What an {@link Error} is that people can do something about: a module that the Java runtime has not, or a thread that it could not start.
 *
 * <p><b>Threading:</b> any thread; starts none.
 */
final class MissingFromMachine {
    /** Beginnings of class names outside java.base, and the modules that have them. */
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
        // An IOException of ours names the disk and the limit itself.
        for (Throwable cause = error; cause != null && !(cause instanceof IOException); cause = cause.getCause()) {
            String message = String.valueOf(cause.getMessage());
            if (cause instanceof OutOfMemoryError && message.contains("native thread")) {
                return Optional.of("no thread can be started, as a limit is reached: " + limits() + ": raise it, or end what else runs under it");
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
                .map(entry -> "the Java runtime in " + System.getProperty("java.home") + " has no module " + entry.getValue() + ", which this needs for " + className
                        + ": use a whole JDK, or one made by jlink with --add-modules " + entry.getValue());
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
            // The root group has none, and an older hierarchy has it elsewhere.
        }
        return "none";
    }
}
