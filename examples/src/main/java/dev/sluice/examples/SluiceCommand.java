package dev.sluice.examples;

import dev.sluice.examples.disk.LaunchException;
import dev.sluice.linux.LinuxUnavailableException;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/**
 * The command line. Exit codes: 0 done, 1 failed (one line on stderr says what and what to do), 2 wrong usage.
 */
@Command(
        name = "sluice",
        mixinStandardHelpOptions = true,
        version = "sluice 0.1.0",
        description = "Block storage for virtual machines, programmable in Java.",
        subcommands = {ServeCommand.class, DemoCommand.class, BenchCommand.class})
public final class SluiceCommand implements Runnable {
    static final int FAILED = 1;

    @Spec
    private CommandSpec spec;

    @SuppressWarnings("NullAway.Init") // picocli sets the fields
    public SluiceCommand() {}

    public static void main(String[] args) {
        logQuietly();
        System.exit(commandLine().execute(args));
    }

    static CommandLine commandLine() {
        CommandLine line = new CommandLine(new SluiceCommand());
        line.setExecutionExceptionHandler((error, failed, parsed) -> {
            PrintWriter err = failed.getErr();
            if (isForPeople(error)) {
                err.println("sluice: error: " + error.getMessage());
            } else {
                err.println("sluice: error: a bug in sluice: " + error);
                error.printStackTrace(err);
            }
            err.flush();
            return FAILED;
        });
        return line;
    }

    /** What the environment, the options or another process caused: its message is one line that says what to do. */
    private static boolean isForPeople(Throwable error) {
        return error instanceof IOException
                || error instanceof UncheckedIOException
                || error instanceof LinuxUnavailableException
                || error instanceof IllegalArgumentException
                || error instanceof LaunchException;
    }

    /** Logs go to stderr, one line each, warnings and worse unless {@code -Dorg.slf4j.simpleLogger.defaultLogLevel} says otherwise. */
    private static void logQuietly() {
        defaultProperty("org.slf4j.simpleLogger.defaultLogLevel", "warn");
        defaultProperty("org.slf4j.simpleLogger.log.dev.sluice", "info");
        defaultProperty("org.slf4j.simpleLogger.showDateTime", "true");
        defaultProperty("org.slf4j.simpleLogger.dateTimeFormat", "yyyy-MM-dd'T'HH:mm:ss.SSSXXX");
        defaultProperty("org.slf4j.simpleLogger.showThreadName", "false");
        defaultProperty("org.slf4j.simpleLogger.showShortLogName", "true");
    }

    private static void defaultProperty(String key, String value) {
        if (System.getProperty(key) == null) {
            System.setProperty(key, value);
        }
    }

    @Override
    public void run() {
        spec.commandLine().usage(System.out);
    }
}
