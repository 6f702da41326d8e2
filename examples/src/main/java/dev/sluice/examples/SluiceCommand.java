package dev.sluice.examples;

import dev.sluice.examples.cli.Commands;
import dev.sluice.examples.cli.OpenFiles;
import java.util.Arrays;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** The command line. {@link Commands} has what all commands share. */
@Command(
        name = "sluice",
        mixinStandardHelpOptions = true,
        versionProvider = SluiceVersion.class,
        description = "Block storage for virtual machines, programmable in Java.",
        subcommands = {ServeCommand.class, DemoCommand.class, BenchCommand.class, ExampleCommand.class, CompletionCommand.class})
public final class SluiceCommand implements Runnable {
    @Spec
    private CommandSpec spec;

    @SuppressWarnings("NullAway.Init") // picocli sets the fields
    public SluiceCommand() {}

    public static void main(String[] args) {
        try {
            // Also loads the class early, so that it is there when it is needed.
            if (!OpenFiles.areExhausted()) {
                run(args);
            }
        } catch (Throwable failed) {
            if (!OpenFiles.areExhausted()) {
                throw failed;
            }
        }
        // Only reached if the command could not run: the commands end the process.
        System.err.println(OpenFiles.MESSAGE);
        System.exit(Commands.FAILED);
    }

    private static void run(String[] args) {
        if (args.length > 0 && args[0].equals("serve")) {
            // Directly: picocli's model of all commands takes longer to build than a disk takes to start.
            Commands.runAs("sluice serve", new ServeCommand(), Arrays.copyOfRange(args, 1, args.length));
        } else {
            Commands.run(new SluiceCommand(), args);
        }
    }

    @Override
    public void run() {
        spec.commandLine().usage(System.out);
    }
}
