package dev.sluice.bench.guest;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A Linux guest that runs a script on a vhost-user-blk disk, under QEMU without hardware acceleration. It boots in
 * some 5 s and does 10-20 thousand 4 KiB requests per second: enough to check that a disk is correct, too slow to measure it.
 *
 * <pre>{@code
 * GuestTools tools = GuestTools.find();          // tools.missing() is empty
 * GuestSpec spec = new GuestSpec(socket, 4, GuestScript.demo(4, 5, seed), Duration.ofMinutes(3));
 * try (Guest guest = Guest.boot(tools, spec, System.out::println)) {
 *   return guest.await().exitStatus();
 * }
 * }</pre>
 *
 * <p><b>Threading:</b> any thread; the console's consumer is called on a thread of the guest's.
 * <b>Ownership:</b> whoever boots a guest closes it. That kills its QEMU, if it still runs, and removes its files; so does
 * the end of this process on a signal.
 */
public final class Guest implements AutoCloseable {
    private static final Pattern ENDED = Pattern.compile("(?ms)^SLUICE-GUEST-BEGIN$\n(.*)\n?^SLUICE-GUEST-EXIT (\\d+)$");
    private static final long REAP_SECONDS = 10;

    private final GuestSpec spec;
    private final Path directory;
    private final Process qemu;
    private final Console console;
    private final long deadlineNanos;
    private final Thread killAtExit;

    private Guest(GuestSpec spec, Path directory, Process qemu, Consumer<String> consumer) {
        this.spec = spec;
        this.directory = directory;
        this.qemu = qemu;
        deadlineNanos = System.nanoTime() + spec.timeLimit().toNanos();
        killAtExit = Thread.ofPlatform().unstarted(this::killAndRemove);
        Runtime.getRuntime().addShutdownHook(killAtExit);
        console = Console.follow(qemu.inputReader(StandardCharsets.UTF_8), consumer);
    }

    /**
     * Boots a guest and returns while it boots.
     *
     * @param consumer receives each line of the console, and QEMU's own output, as it arrives
     * @throws GuestException if something is missing, with what to install; or if nothing listens at the socket path
     */
    public static Guest boot(GuestTools tools, GuestSpec spec, Consumer<String> consumer) throws IOException, InterruptedException {
        return boot(tools, spec, QemuCommand.Options.DEFAULT, consumer);
    }

    /** As {@link #boot(GuestTools, GuestSpec, Consumer)}, with control over how QEMU is started. */
    static Guest boot(GuestTools tools, GuestSpec spec, QemuCommand.Options options, Consumer<String> consumer)
            throws IOException, InterruptedException {
        if (!tools.missing().isEmpty()) {
            throw new GuestException(tools.advice());
        }
        if (!Files.exists(spec.socketPath())) {
            throw new GuestException("no socket at " + spec.socketPath() + ": start the disk's backend before the guest");
        }
        Path directory = Files.createTempDirectory("sluice-guest-");
        boolean booted = false;
        try {
            Path initramfs = directory.resolve("initramfs.cpio");
            Initramfs.write(initramfs, tools, spec);
            Process qemu = new ProcessBuilder(QemuCommand.of(tools, spec, options, initramfs)).redirectErrorStream(true).start();
            Guest guest = new Guest(spec, directory, qemu, consumer);
            booted = true;
            return guest;
        } finally {
            if (!booted) {
                remove(directory);
            }
        }
    }

    /** Where QEMU listens for QMP commands, if its options include that. */
    Path qmpSocket() {
        return directory.resolve(QemuCommand.QMP_SOCKET);
    }

    /**
     * Types a line at the guest's console, where its script may read it; nothing is echoed.
     *
     * @throws IOException if QEMU has terminated
     */
    public void send(String line) throws IOException {
        qemu.getOutputStream().write((line + "\n").getBytes(StandardCharsets.UTF_8));
        qemu.getOutputStream().flush();
    }

    /**
     * Waits until the console has shown exactly this line.
     *
     * @throws GuestException if the guest terminated without it, or its time limit passed; the message contains its last output
     */
    public void awaitLine(String line) throws GuestException, InterruptedException {
        if (!console.awaitLine(line, deadlineNanos)) {
            throw failure("did not print \"" + line + "\"");
        }
    }

    /**
     * Waits until the guest has powered itself off.
     *
     * @throws GuestException if it did not do so in time, or terminated without an exit status of its script (a kernel
     *     panic, a QEMU that failed); the message contains its last output
     */
    public GuestResult await() throws GuestException, InterruptedException {
        if (!qemu.waitFor(deadlineNanos - System.nanoTime(), TimeUnit.NANOSECONDS) || !console.awaitEnd(deadlineNanos)) {
            throw failure("did not power off");
        }
        Matcher ended = ENDED.matcher(console.text());
        if (!ended.find()) {
            throw failure("terminated without an exit status of its script (QEMU's is " + qemu.exitValue() + ")");
        }
        return new GuestResult(Integer.parseInt(ended.group(2)), ended.group(1), console.text());
    }

    /** Kills the guest if it still runs, and removes its files. Idempotent. */
    @Override
    public void close() {
        try {
            Runtime.getRuntime().removeShutdownHook(killAtExit);
        } catch (IllegalStateException e) {
            return; // this process is terminating: the hook removes the rest
        }
        killAndRemove();
    }

    private GuestException failure(String what) {
        String limit = qemu.isAlive() ? " within " + spec.timeLimit().toSeconds() + " s" : "";
        return new GuestException("the guest " + what + limit + "; its console ends with:\n" + console.tail());
    }

    private void killAndRemove() {
        qemu.destroyForcibly();
        try {
            qemu.waitFor(REAP_SECONDS, TimeUnit.SECONDS); // it has released the socket and its memory when this returns
            console.awaitEnd(System.nanoTime() + TimeUnit.SECONDS.toNanos(REAP_SECONDS));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        remove(directory);
    }

    private static void remove(Path directory) {
        if (!Files.exists(directory)) {
            return;
        }
        try (Stream<Path> tree = Files.walk(directory)) {
            List<Path> inside = tree.sorted(Comparator.reverseOrder()).toList();
            for (Path path : inside) {
                Files.deleteIfExists(path);
            }
        } catch (IOException | UncheckedIOException e) {
            System.getLogger(Guest.class.getName()).log(System.Logger.Level.WARNING, "cannot remove " + directory, e);
        }
    }
}
