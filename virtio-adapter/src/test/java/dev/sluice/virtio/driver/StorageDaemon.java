package dev.sluice.virtio.driver;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;

/** A qemu-storage-daemon that serves one disk over vhost-user-blk: somebody else's backend. */
final class StorageDaemon implements AutoCloseable {
    private static final String PROGRAM = "qemu-storage-daemon";

    private final Process process;
    private final Path socket;

    private StorageDaemon(Process process, Path socket) {
        this.process = process;
        this.socket = socket;
    }

    /** Serves a block node, {@code driver=file,filename=...}; skips the test, loudly, where the program is not installed. */
    static StorageDaemon serve(Path directory, String blockdev, int queues) throws IOException {
        assumeInstalled();
        Path socket = directory.resolve("vhost.sock");
        Process process = new ProcessBuilder(
                PROGRAM,
                "--blockdev",
                blockdev + ",node-name=f0",
                "--object",
                "iothread,id=io0",
                "--export",
                "type=vhost-user-blk,id=e0,node-name=f0,addr.type=unix,addr.path=" + socket + ",num-queues="
                        + queues + ",writable=on,iothread=io0")
                .inheritIO()
                .start();
        return new StorageDaemon(process, socket);
    }

    static void assumeInstalled() {
        for (String directory : System.getenv().getOrDefault("PATH", "").split(":", -1)) {
            if (Files.isExecutable(Path.of(directory, PROGRAM))) {
                return;
            }
        }
        System.err.println("""

                ##########################################################################################
                ##  SKIPPED: the driver was NOT tested against somebody else's vhost-user-blk backend.   ##
                ##  qemu-storage-daemon is not on the PATH; on Debian: apt-get install qemu-system-common ##
                ##########################################################################################
                """);
        Assumptions.abort(PROGRAM + " is not installed");
    }

    String socket() {
        return socket.toString();
    }

    long pid() {
        return process.pid();
    }

    void kill() throws InterruptedException {
        process.destroyForcibly().waitFor();
    }

    @Override
    public void close() {
        process.destroy();
        try {
            // Now and then version 7.2 hangs in its exit when its front end has only just closed the connection.
            if (!process.waitFor(2, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }
}
