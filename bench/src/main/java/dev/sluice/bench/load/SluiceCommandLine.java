package dev.sluice.bench.load;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.sluice.server.SluiceCommand;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The command line that runs a sluice command of this build in a process of its own, with the options of the {@code sluice} script: like that script, a
 * shell evaluates the user's settings and becomes the virtual machine. Any thread.
 */
public final class SluiceCommandLine {
    private static final String MAIN = SluiceCommand.class.getName();
    private static final String JVM_OPTIONS = "jvm.options";
    private static final String LAUNCH = "launch.sh";

    private SluiceCommandLine() {}

    /** The command line for arguments as a person types them after {@code sluice}. */
    public static List<String> of(List<String> arguments) {
        return of(List.of(), arguments);
    }

    /**
     * The same with options for the Java virtual machine.
     *
     * @param jvmOptions behind ours
     */
    public static List<String> of(List<String> jvmOptions, List<String> arguments) {
        List<String> command = new ArrayList<>();
        command.addAll(List.of("sh", "-c", "home=\n" + text(LAUNCH) + "\nexec \"$0\" $memory \"$@\""));
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(jvmOptions());
        command.addAll(jvmOptions);
        command.addAll(List.of("-Dorg.slf4j.simpleLogger.log.dev.sluice=warn", "-cp", System.getProperty("java.class.path"), MAIN));
        command.addAll(arguments);
        return command;
    }

    /** The argument file that the launchers pass to {@code java}; one option per line. */
    private static List<String> jvmOptions() {
        return text(JVM_OPTIONS).lines().filter(line -> !line.isBlank() && !line.startsWith("#")).toList();
    }

    private static String text(String resource) {
        try (InputStream in = SluiceCommand.class.getResourceAsStream(resource)) {
            if (in == null) {
                throw new IllegalStateException(resource + " is missing from the class path");
            }
            return new String(in.readAllBytes(), UTF_8);
        } catch (IOException failed) {
            throw new UncheckedIOException("cannot read " + resource, failed);
        }
    }
}
