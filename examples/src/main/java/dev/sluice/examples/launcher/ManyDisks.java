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
import java.util.ArrayDeque;
import java.util.Deque;
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
        try (IoLoop loop = IoUringLoop.start("disks", IoUringLoopOptions.DEFAULT);
                Disks disks = new Disks();
                Termination _ = Termination.closes(disks)) {
            for (Map.Entry<Path, Path> disk : socketsOfImages.entrySet()) {
                disks.add(Disk.open(disk.getKey(), disk.getValue(), loop));
            }
            System.out.println("ready: " + socketsOfImages);
            disks.awaitEnd();
        }
        return 0;
    }

    private record Disk(BlockBackend backend, BlockPipeline pipeline, VhostUserServer server) implements AutoCloseable {
        /** Opens the image and accepts front ends. If that fails, nothing is left open. */
        static Disk open(Path image, Path socket, IoLoop loop) throws IOException {
            BlockBackend backend = new IoUringBackendProvider().open(BackendOptions.of(image));
            try {
                BlockPipeline pipeline = BlockPipeline.builder().backend(backend).build();
                VhostUserServer server = VhostUserServer.builder().socketPath(socket).pipeline(pipeline).loops(List.of(loop)).build();
                server.start();
                return new Disk(backend, pipeline, server);
            } catch (Throwable failed) {
                backend.close();
                throw failed;
            }
        }

        @Override
        public void close() {
            server.close();
            pipeline.close();
            backend.close();
        }
    }

    /** The disks that are open, of which a signal may close those that there are while others are still being opened. */
    private static final class Disks implements AutoCloseable {
        private final Deque<Disk> open = new ArrayDeque<>();
        private boolean closed;

        synchronized void add(Disk disk) {
            if (closed) {
                disk.close();
            } else {
                open.push(disk);
            }
        }

        void awaitEnd() throws IOException, InterruptedException {
            for (Disk disk : snapshot()) {
                disk.server().awaitEnd();
            }
        }

        private synchronized List<Disk> snapshot() {
            return List.copyOf(open);
        }

        @Override
        public synchronized void close() {
            closed = true;
            while (!open.isEmpty()) {
                open.pop().close();
            }
        }
    }
}
