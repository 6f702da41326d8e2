package dev.sluice.examples;

import dev.sluice.examples.cli.Commands;
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
        Commands.run(args.length > 0 && args[0].equals("serve") ? new Serving() : new SluiceCommand(), args);
    }

    /** The same with one command: picocli's model of all the others would take as long as the start of a disk. */
    @Command(name = "sluice", mixinStandardHelpOptions = true, versionProvider = SluiceVersion.class, subcommands = ServeCommand.class)
    private static final class Serving {}

    @Override
    public void run() {
        spec.commandLine().usage(System.out);
    }
}
