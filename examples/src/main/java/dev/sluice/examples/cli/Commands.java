package dev.sluice.examples.cli;

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
 * Runs a command. Exit codes: 0 done, 1 failed (one line on stderr says what and what to do), 2 wrong usage.
 */
public final class Commands {
    public static final int FAILED = 1;
    private static final int WRONG_USAGE = 2;

    private Commands() {}

    /** What a {@code main} of a command does; ends the process. */
    public static void run(Object command, String... arguments) {
        prepare(arguments);
        System.exit(execute(line(command), arguments));
    }

    /** The same for a command that is a part of another one and is run without it, by its whole name. */
    public static void runAs(String name, Object command, String... arguments) {
        prepare(arguments);
        System.exit(execute(line(command).setCommandName(name), arguments));
    }

    /** Errors too, of which picocli reports none: one that the machine has caused is a line as any other failure. */
    private static int execute(CommandLine line, String[] arguments) {
        try {
            return line.execute(arguments);
        } catch (Error error) {
            report(error, line.getErr());
            return FAILED;
        }
    }

    /** What must be as it is before anything else is loaded: times, figures, what is printed, and how arguments were read. */
    private static void prepare(String[] arguments) {
        // The log's times among others: libraries ask for the locale's calendar and digits.
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

    /** The command line of a command, its failures told as everywhere. */
    public static CommandLine line(Object command) {
        CommandLine line = new CommandLine(command);
        line.setCaseInsensitiveEnumValuesAllowed(true);
        line.setExecutionExceptionHandler((error, failed, parsed) -> {
            report(error, failed.getErr());
            return error instanceof NotUtf8Exception ? WRONG_USAGE : FAILED;
        });
        return line;
    }

    /** Tells a failure: one line where the environment, the options or another process caused it, everything where we did. */
    public static void report(Throwable error, PrintWriter err) {
        Optional<String> missing = MissingFromMachine.explain(error);
        if (missing.isPresent()) {
            err.println("sluice: error: " + LogText.escaped(missing.get()));
        } else if (isForPeople(error)) {
            err.println("sluice: error: " + LogText.escaped(String.valueOf(error.getMessage())));
        } else if (OpenFiles.areExhausted()) {
            err.println(OpenFiles.MESSAGE);
        } else {
            err.println("sluice: error: a bug in sluice: " + error);
            error.printStackTrace(err);
        }
        err.flush();
    }

    /** Whether the message of a failure is one line that says what to do. */
    public static boolean isForPeople(Throwable error) {
        return error instanceof IOException
                || error instanceof UncheckedIOException
                || error instanceof LinuxUnavailableException
                || error instanceof IllegalArgumentException
                || error instanceof LaunchException;
    }
}
