package dev.sluice.examples.load;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The command that runs a sluice command of this build in a process of its own, with the options of the {@code sluice} script. Any thread. */
public final class SluiceCommandLine {
    private static final String MAIN = "dev.sluice.examples.SluiceCommand";

    private SluiceCommandLine() {}

    /** Arguments as a person types them behind {@code sluice}. */
    public static List<String> of(List<String> arguments) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of(
                "--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow",
                "-XX:+UseSerialGC", "-Xms64m", "-Xmx512m", "-XX:-UsePerfData",
                "-Dorg.slf4j.simpleLogger.log.dev.sluice=warn",
                "-cp", System.getProperty("java.class.path"), MAIN));
        command.addAll(arguments);
        return command;
    }
}
