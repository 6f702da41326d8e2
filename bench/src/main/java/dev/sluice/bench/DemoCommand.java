package dev.sluice.bench;

import dev.sluice.bench.guest.Guest;
import dev.sluice.bench.guest.GuestKernel;
import dev.sluice.bench.guest.GuestResult;
import dev.sluice.bench.guest.GuestScript;
import dev.sluice.bench.guest.GuestSpec;
import dev.sluice.bench.guest.GuestTools;
import dev.sluice.bench.load.BackendStats;
import dev.sluice.bench.load.Load;
import dev.sluice.bench.load.LoadPlan;
import dev.sluice.bench.load.LoadReport;
import dev.sluice.bench.load.LoadedDisk;
import dev.sluice.linux.LinuxPlatform;
import dev.sluice.server.cli.BackendProcess;
import dev.sluice.server.cli.LaunchException;
import dev.sluice.server.cli.LiveText;
import dev.sluice.server.cli.Subcommand;
import dev.sluice.virtio.driver.BlockDriver;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** All parts on one machine: a disk served by a process of its own, and a driver or a real guest on it. */
@Command(
        name = "demo",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = "Serve a new disk, drive it through its socket, verify the data, show the figures.")
public final class DemoCommand implements Callable<Integer>, Subcommand {
    private static final long IMAGE_BYTES = 256L << 20;
    private static final int QUEUES = 4;
    private static final int DEPTH = 32;
    private static final int BLOCK_BYTES = 4096;
    private static final int QUEUE_SIZE = 256;
    private static final double WARM_UP_SECONDS = 1.5;

    @Option(names = "--seconds", paramLabel = "S", defaultValue = "3", description = "Length of each of the two loads (default: ${DEFAULT-VALUE}).")
    private double seconds;

    @Option(names = "--guest", description = "Boot a real Linux guest under QEMU on the disk instead, if QEMU is installed.")
    private boolean guest;

    @Option(names = "--seed", paramLabel = "N", defaultValue = "1", description = "Seed of offsets and patterns (default: ${DEFAULT-VALUE}).")
    private long seed;

    @Spec
    private CommandSpec spec;

    @SuppressWarnings("NullAway.Init") // picocli sets the fields
    public DemoCommand() {}

    @Override
    public int helpOrder() {
        return 30;
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        if (!(seconds > 0 && seconds <= 600)) {
            throw new ParameterException(spec.commandLine(), "--seconds " + seconds + " is not above 0 and at most 600");
        }
        LinuxPlatform.ensureAvailable();
        if (guest) {
            return bootGuest();
        }
        System.out.println("A 256 MiB image, served as a vhost-user-blk disk by a process of its own:");
        try (ServeProcess serve = ServeProcess.start(IMAGE_BYTES, QUEUES, QUEUE_SIZE)) {
            System.out.println("  " + serve.readyLine());
            System.out.println();
            System.out.println("Half writes, half reads, 4 KiB, " + QUEUES + " queues, depth " + DEPTH + ", every block checked:");
            LoadReport mixed = load(serve, plan(50, true));
            System.out.println();
            System.out.println("Random reads, 4 KiB, " + QUEUES + " queues, depth " + DEPTH + ":");
            LoadReport reads = load(serve, plan(100, false));
            if (!mixed.clean() || !reads.clean()) {
                throw new LaunchException("requests failed or data was wrong; see the table above");
            }
        }
        System.out.println();
        System.out.println("All data was correct; the backend has drained and terminated.");
        return 0;
    }

    private LoadPlan plan(int readPercent, boolean verify) {
        return new LoadPlan(QUEUES, DEPTH, 1, BLOCK_BYTES, readPercent, false, WARM_UP_SECONDS, seconds, verify, false, seed);
    }

    private static LoadReport load(ServeProcess serve, LoadPlan plan) throws IOException, InterruptedException {
        try (BlockDriver driver = LoadedDisk.open(serve.socket(), plan)) {
            Load load = new Load(plan, driver, new BackendProcess((int) serve.pid()), BackendStats.in(serve.stats()));
            LoadReport report;
            try (LiveText _ = LiveLine.start(load)) {
                report = load.run();
            }
            System.out.print(report.table());
            return report;
        }
    }

    private int bootGuest() throws IOException, InterruptedException {
        GuestTools tools = GuestTools.find();
        if (GuestKernel.find().isEmpty() && tools.missing().size() <= 1) {
            System.out.println("Fetching a kernel for the guest (once) ...");
            GuestKernel.fetch(System.out::println);
            tools = GuestTools.find();
        }
        if (!tools.missing().isEmpty()) {
            throw new LaunchException(tools.advice());
        }
        Consumer<String> console = System.out::println;
        GuestResult result;
        try (ServeProcess serve = ServeProcess.start(IMAGE_BYTES, QUEUES, QUEUE_SIZE)) {
            System.out.println(serve.readyLine());
            System.out.println("Booting Linux under QEMU (emulated: this checks that the disk is correct, it does not measure it) ...");
            GuestScript script = GuestScript.demo(QUEUES, (int) Math.ceil(seconds), seed);
            GuestSpec guestSpec = new GuestSpec(serve.socket(), QUEUES, script, Duration.ofMinutes(5));
            try (Guest booted = Guest.boot(tools, guestSpec, console)) {
                result = booted.await();
            }
        }
        if (result.exitStatus() != 0) {
            throw new LaunchException("the guest's script exited with " + result.exitStatus() + "; see its console above");
        }
        System.out.println("The guest has written, verified and powered off; the backend has drained and terminated.");
        return 0;
    }
}
