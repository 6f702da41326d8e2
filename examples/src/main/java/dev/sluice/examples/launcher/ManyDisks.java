package dev.sluice.examples.launcher;

import dev.sluice.examples.cli.Commands;
import dev.sluice.examples.cli.Termination;
import dev.sluice.examples.disk.DiskConfigServer;
import dev.sluice.examples.disk.DiskHost;
import dev.sluice.examples.disk.LoopOptions;
import dev.sluice.examples.systemd.ActivatedSockets;
import dev.sluice.examples.systemd.ServiceNotifier;
import dev.sluice.linux.LinuxPlatform;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/**
 * The disks of a YAML file, served by one process on loops that they share. SIGHUP reads the file again: disks are added and removed, those whose
 * settings have not changed are not touched.
 */
@Command(name = "many-disks", mixinStandardHelpOptions = true, description = "Serve all disks of a YAML file; SIGHUP reads it again.")
public final class ManyDisks implements Callable<Integer> {
    @Parameters(paramLabel = "FILE", description = "The file of disks.")
    private Path file;

    @Mixin
    private LoopOptions loops;

    @SuppressWarnings("NullAway.Init") // picocli sets the fields
    public ManyDisks() {}

    public static void main(String[] arguments) {
        Commands.run(new ManyDisks(), arguments);
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        LinuxPlatform.ensureAvailable();
        try (DiskHost host = DiskHost.start(loops.spec(), ActivatedSockets.none());
                Termination _ = Termination.closes(host)) {
            new DiskConfigServer(file, host, ServiceNotifier.of(System.getenv())).serve();
        }
        return 0;
    }
}
