package dev.sluice.examples;

import dev.sluice.examples.launcher.CopyImage;
import dev.sluice.examples.launcher.CustomStage;
import dev.sluice.examples.launcher.ManyDisks;
import dev.sluice.examples.launcher.Prometheus;
import dev.sluice.examples.launcher.ServeDisk;
import dev.sluice.server.cli.Subcommand;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** The programs to copy from, by name; each has a {@code main} of its own as well. */
@Command(
        name = "example",
        mixinStandardHelpOptions = true,
        description = "Run one of the example programs; their sources are in dev.sluice.examples.launcher.",
        subcommands = {ServeDisk.class, CustomStage.class, CopyImage.class, Prometheus.class, ManyDisks.class})
public final class ExampleCommand implements Runnable, Subcommand {
    @Spec
    private CommandSpec spec;

    @SuppressWarnings("NullAway.Init") // picocli sets the fields
    public ExampleCommand() {}

    @Override
    public int helpOrder() {
        return 50;
    }

    @Override
    public void run() {
        spec.commandLine().usage(System.out);
    }
}
