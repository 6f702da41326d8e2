package dev.sluice.examples;

import dev.sluice.examples.cli.Commands;
import dev.sluice.examples.cli.OpenFiles;
import java.util.Arrays;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** The command line. What all commands have in common is in {@link Commands}. */
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
            // Also so that the class is there when it is needed.
            if (!OpenFiles.areExhausted()) {
                run(args);
            }
        } catch (Throwable failed) {
            if (!OpenFiles.areExhausted()) {
                throw failed;
            }
        }
        // Who gets here has not been able to run: the commands end the process.
        System.err.println(OpenFiles.MESSAGE);
        System.exit(Commands.FAILED);
    }

    private static void run(String[] args) {
        if (args.length > 0 && args[0].equals("serve")) {
            // By itself: picocli's model of all commands takes longer than the start of a disk.
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
