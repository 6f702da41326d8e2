package dev.sluice.server;

import dev.sluice.server.cli.Commands;
import dev.sluice.server.cli.OpenFiles;
import dev.sluice.server.cli.Subcommand;
import java.util.Arrays;
import picocli.CommandLine.Command;
import picocli.CommandLine.IModelTransformer;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** The command line. {@link Subcommand} is how its parts are found, {@link Commands} has what all commands share. */
@Command(
        name = "sluice",
        mixinStandardHelpOptions = true,
        versionProvider = SluiceVersion.class,
        description = "Block storage for virtual machines, programmable in Java.",
        modelTransformer = SluiceCommand.Installed.class)
public final class SluiceCommand implements Runnable {
    @Spec
    private CommandSpec spec;

    @SuppressWarnings("NullAway.Init") // picocli sets the fields
    public SluiceCommand() {}

    /** Adds the subcommands of the class path. */
    static final class Installed implements IModelTransformer {
        Installed() {}

        @Override
        public CommandSpec transform(CommandSpec command) {
            for (Subcommand subcommand : Subcommand.installed()) {
                CommandSpec part = CommandSpec.forAnnotatedObject(subcommand);
                command.addSubcommand(part.name(), part);
            }
            return command;
        }
    }

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
