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
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** The smallest program that serves an image to a guest: all parts of {@code sluice serve}, in fifteen lines. */
@Command(name = "serve-disk", mixinStandardHelpOptions = true, description = "Serve an image to a guest, with the parts assembled by hand.")
public final class ServeDisk implements Callable<Integer> {
    @Parameters(index = "0", paramLabel = "IMAGE", description = "A raw image.")
    private Path image;

    @Parameters(index = "1", paramLabel = "SOCKET", description = "Where the front end connects.")
    private Path socket;

    @SuppressWarnings("NullAway.Init") // picocli sets the fields
    public ServeDisk() {}

    public static void main(String[] arguments) {
        Commands.run(new ServeDisk(), arguments);
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        LinuxPlatform.ensureAvailable();
        // Closed in reverse order: no more requests, nothing in flight, the thread, the image.
        try (BlockBackend backend = new IoUringBackendProvider().open(BackendOptions.of(image));
                IoLoop loop = IoUringLoop.start("disk", IoUringLoopOptions.DEFAULT);
                BlockPipeline pipeline = BlockPipeline.builder().backend(backend).build();
                VhostUserServer server = VhostUserServer.builder()
                        .socketPath(socket)
                        .pipeline(pipeline)
                        .loops(List.of(loop))
                        .numQueues(4)
                        .build();
                Termination _ = Termination.closes(server)) {
            server.start();
            System.out.println("ready: " + image + " on " + socket);
            server.awaitEnd();
        }
        return 0;
    }
}
