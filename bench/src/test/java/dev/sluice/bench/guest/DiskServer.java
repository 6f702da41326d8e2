package dev.sluice.bench.guest;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** A vhost-user-blk backend that serves one raw image in a process of its own. */
final class DiskServer implements AutoCloseable {
    private static final long TIME_LIMIT_SECONDS = 120;

    /** Whose backend, and what a guest sees of it that differs. */
    enum Kind {
        SLUICE("ready", "write back"),
        /** QEMU's: to tell a fault of ours from one of the kit. */
        STORAGE_DAEMON("{\"QMP\"", "write through");

        private final String readyPrefix;
        private final String writeCache;

        Kind(String readyPrefix, String writeCache) {
            this.readyPrefix = readyPrefix;
            this.writeCache = writeCache;
        }

        String writeCache() {
            return writeCache;
        }

        /** The serial a guest sees when this one was asked for. */
        String serial(String asked) {
            return this == SLUICE ? asked : "vhost_user_blk";
        }
    }

    /** What to serve, and how. */
    record Disk(Path image, Path socket, int numQueues, String serial, boolean readOnly) {}

    private final Kind kind;
    private final Process process;
    private final Console console;

    private DiskServer(Kind kind, Process process, Console console) {
        this.kind = kind;
        this.process = process;
        this.console = console;
    }

    /** Starts a backend and returns when it has said that it is ready. */
    static DiskServer start(Kind kind, Disk disk) throws Exception {
        List<String> command = kind == Kind.SLUICE ? sluice(disk) : storageDaemon(disk);
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        CompletableFuture<Boolean> ready = new CompletableFuture<>();
        Console console =
                Console.follow(
                        process.inputReader(),
                        line -> {
                            System.out.println("[backend] " + line);
                            if (line.startsWith(kind.readyPrefix)) {
                                ready.complete(true);
                            }
                        });
        DiskServer server = new DiskServer(kind, process, console);
        CompletableFuture<?> readyOrEnded = CompletableFuture.anyOf(ready, process.onExit());
        try {
            readyOrEnded.get(TIME_LIMIT_SECONDS, TimeUnit.SECONDS);
        } catch (TimeoutException e) {
            server.close();
        }
        if (!ready.isDone()) {
            console.awaitEnd(System.nanoTime() + TimeUnit.SECONDS.toNanos(TIME_LIMIT_SECONDS));
            throw new AssertionError("the backend did not get ready:\n" + console.tail());
        }
        return server;
    }

    private static List<String> sluice(Disk disk) {
        List<String> command =
                new ArrayList<>(
                        List.of(
                                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                                "--enable-native-access=ALL-UNNAMED",
                                "--sun-misc-unsafe-memory-access=allow",
                                "-ea",
                                "-cp", System.getProperty("java.class.path"),
                                "dev.sluice.server.SluiceCommand",
                                "serve",
                                "--socket-path", disk.socket.toString(),
                                "--blk-file", disk.image.toString(),
                                "--num-queues", Integer.toString(disk.numQueues),
                                "--serial", disk.serial));
        if (disk.readOnly) {
            command.add("--read-only");
        }
        return command;
    }

    private static List<String> storageDaemon(Disk disk) {
        String program = GuestTools.locate(HostProgram.QEMU_STORAGE_DAEMON.command()).orElseThrow().toString();
        String access = disk.readOnly ? "read-only=on" : "read-only=off";
        String writable = disk.readOnly ? "writable=off" : "writable=on";
        return List.of(
                program,
                "--blockdev",
                "driver=file,node-name=image,cache.direct=on,aio=io_uring,discard=unmap," + access + ",filename=" + disk.image,
                "--object", "iothread,id=loop",
                "--export",
                "type=vhost-user-blk,id=disk,node-name=image,iothread=loop," + writable + ",num-queues=" + disk.numQueues
                        + ",addr.type=unix,addr.path=" + disk.socket,
                // its greeting is the only thing that says that the export is up
                "--chardev", "stdio,id=monitor",
                "--monitor", "chardev=monitor");
    }

    /** SIGTERM; it ends by itself, with status 0. QEMU's would wait for its guest to go: it is killed. */
    void terminate() throws InterruptedException {
        if (kind == Kind.STORAGE_DAEMON) {
            close();
            return;
        }
        process.destroy();
        boolean ended = process.waitFor(TIME_LIMIT_SECONDS, TimeUnit.SECONDS);
        assertThat(ended).as("the backend ends on SIGTERM; it said\n%s", console.tail()).isTrue();
        assertThat(process.exitValue()).as("exit status of the backend after SIGTERM; it said\n%s", console.tail()).isZero();
    }

    /** As a machine that runs out of memory does it: nothing is drained, the socket is left behind. */
    void kill() {
        process.destroyForcibly().onExit().join();
    }

    @Override
    public void close() {
        kill();
    }
}
