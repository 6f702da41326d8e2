package dev.sluice.server.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.sluice.linux.LinuxUnavailableException;
import dev.sluice.pipeline.LogText;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.util.Locale;
import java.util.Optional;
import picocli.CommandLine;

/**
 * Runs a command. Exit codes: 0 done, 1 failed (one line on stderr with the reason and the remedy), 2 wrong usage.
 */
public final class Commands {
    public static final int FAILED = 1;
    private static final int WRONG_USAGE = 2;

    private Commands() {}

    /** The body of a command's {@code main}; exits the process. */
    public static void run(Object command, String... arguments) {
        prepare(arguments);
        System.exit(execute(line(command), arguments));
    }

    /** The same for a subcommand that runs without its parent, by its full name. */
    public static void runAs(String name, Object command, String... arguments) {
        prepare(arguments);
        System.exit(execute(line(command).setCommandName(name), arguments));
    }

    /** Also catches errors, none of which picocli reports: one that the machine has caused is one line like any other failure. */
    private static int execute(CommandLine line, String[] arguments) {
        try {
            return line.execute(arguments);
        } catch (Error error) {
            report(error, line.getErr());
            return FAILED;
        }
    }

    /** Prepares what must be set before anything else is loaded: the locale of times, figures and output, and the check of the arguments. */
    private static void prepare(String[] arguments) {
        // Affects the log's times among others: libraries use the locale's calendar and digits.
        Locale.setDefault(Locale.ROOT);
        if (!System.out.charset().equals(UTF_8)) {
            System.setOut(new PrintStream(new FileOutputStream(FileDescriptor.out), true, UTF_8));
        }
        if (!System.err.charset().equals(UTF_8)) {
            System.setErr(new PrintStream(new FileOutputStream(FileDescriptor.err), true, UTF_8));
        }
        LogLevel.initialize();
        String problem = RawArguments.problem(arguments);
        if (problem != null) {
            System.err.println("sluice: error: " + problem);
            System.exit(WRONG_USAGE);
        }
    }

    /** The command line of a command, with failures reported as for all commands. */
    public static CommandLine line(Object command) {
        CommandLine line = new CommandLine(command);
        line.setCaseInsensitiveEnumValuesAllowed(true);
        line.setExecutionExceptionHandler((error, failed, parsed) -> {
            report(error, failed.getErr());
            return error instanceof NotUtf8Exception ? WRONG_USAGE : FAILED;
        });
        return line;
    }

    /** Reports a failure: one line if the environment, the options or another process caused it, everything if it is a bug. */
    public static void report(Throwable error, PrintWriter err) {
        Optional<String> missing = MissingFromMachine.explain(error);
        if (missing.isPresent()) {
            err.println("sluice: error: " + LogText.escaped(missing.get()));
        } else if (isForPeople(error)) {
            err.println("sluice: error: " + LogText.escaped(String.valueOf(error.getMessage())));
        } else if (OpenFiles.areExhausted()) {
            err.println(OpenFiles.MESSAGE);
        } else {
            err.println("sluice: error: this is a bug in sluice: " + error);
            error.printStackTrace(err);
        }
        err.flush();
    }

    /** Whether the message of a failure is one line with the remedy. */
    public static boolean isForPeople(Throwable error) {
        return error instanceof IOException
                || error instanceof UncheckedIOException
                || error instanceof LinuxUnavailableException
                || error instanceof IllegalArgumentException
                || error instanceof LaunchException;
    }
}
