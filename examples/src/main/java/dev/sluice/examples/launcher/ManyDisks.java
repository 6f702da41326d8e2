package dev.sluice.examples.launcher;

import dev.sluice.aio.uring.IoUringBackendProvider;
import dev.sluice.aio.uring.IoUringLoop;
import dev.sluice.aio.uring.IoUringLoopOptions;
import dev.sluice.linux.LinuxPlatform;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.server.cli.Commands;
import dev.sluice.server.cli.Termination;
import dev.sluice.virtio.vhostuser.VhostUserServer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Several images, each on a socket of its own, served by one thread. {@code sluice serve --config} does that with a file that can be read again. */
@Command(name = "many-disks", mixinStandardHelpOptions = true, description = "Serve several images on one loop that they share.")
public final class ManyDisks implements Callable<Integer> {
    @Parameters(paramLabel = "IMAGE=SOCKET", arity = "1..*", description = "A raw image, and where its front end connects.")
    private Map<Path, Path> socketsOfImages;

    @SuppressWarnings("NullAway.Init") // picocli sets the fields
    public ManyDisks() {}

    public static void main(String[] arguments) {
        Commands.run(new ManyDisks(), arguments);
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        LinuxPlatform.ensureAvailable();
        // Closed in reverse order. A signal closes the servers alone, which ends the wait for them.
        try (IoLoop loop = IoUringLoop.start("disks", IoUringLoopOptions.DEFAULT);
                Disks disks = new Disks(new ArrayList<>())) {
            for (Map.Entry<Path, Path> disk : socketsOfImages.entrySet()) {
                disks.open(disk.getKey(), disk.getValue(), loop);
            }
            try (Termination _ = Termination.closes(disks::closeServers)) {
                disks.serve();
            }
        }
        return 0;
    }

    private record Disk(BlockBackend backend, BlockPipeline pipeline, VhostUserServer server) {}

    private record Disks(List<Disk> all) implements AutoCloseable {
        void open(Path image, Path socket, IoLoop loop) throws IOException {
            BlockBackend backend = new IoUringBackendProvider().open(BackendOptions.of(image));
            BlockPipeline pipeline = BlockPipeline.builder().backend(backend).build();
            all.add(new Disk(backend, pipeline, VhostUserServer.builder().socketPath(socket).pipeline(pipeline).loops(List.of(loop)).build()));
        }

        /** Until the servers are closed. */
        void serve() throws IOException, InterruptedException {
            for (Disk disk : all) {
                disk.server().start();
            }
            System.out.println("ready: " + all.size() + " disks");
            for (Disk disk : all) {
                disk.server().awaitEnd();
            }
        }

        void closeServers() {
            all.forEach(disk -> disk.server().close());
        }

        @Override
        public void close() {
            closeServers();
            for (Disk disk : all) {
                disk.pipeline().close();
                disk.backend().close();
            }
        }
    }
}
