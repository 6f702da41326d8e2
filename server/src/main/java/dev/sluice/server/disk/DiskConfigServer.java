package dev.sluice.server.disk;

import dev.sluice.server.cli.Commands;
import dev.sluice.server.cli.SighupHandler;
import dev.sluice.server.systemd.ServiceNotifier;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CountDownLatch;

/**
 * Serves the disks of a file, and reads it again on SIGHUP.
 *
 * <p><b>Threading:</b> {@link #serve} blocks the caller's thread; reloads run on the host's thread for changes, one at a time. <b>Failure:</b> at the start
 * all disks must open before any is served. On a reload an invalid file changes nothing, and a disk that cannot be opened does not affect the others;
 * the reason goes to stderr, and the next SIGHUP tries again.
 */
public final class DiskConfigServer {
    private final Path file;
    private final DiskHost host;
    private final ServiceNotifier manager;
    private final PrintWriter err = new PrintWriter(System.err, true, StandardCharsets.UTF_8);

    public DiskConfigServer(Path file, DiskHost host, ServiceNotifier manager) {
        this.file = file;
        this.host = host;
        this.manager = manager;
    }

    /**
     * Opens the disks, reports readiness on stdout and serves until the process is asked to terminate.
     *
     * @throws IOException if the file is invalid or one of its disks cannot be opened
     */
    public void serve() throws IOException, InterruptedException {
        serve("");
    }

    /** The same, with lines that follow those of readiness, each with its line end. */
    public void serve(String also) throws IOException, InterruptedException {
        List<DiskSpec> wanted = DiskConfig.read(file);
        // Before there are disks: an early SIGHUP must not terminate the process, as it does by default.
        SighupHandler.install(host.changesThread(), this::reload);
        synchronized (this) {
            host.addAll(wanted);
            StringBuilder text = new StringBuilder("ready: " + disks(wanted.size()) + " of " + file);
            for (Disk disk : host.disks()) {
                text.append("\n  ").append(disk.spec().name()).append(": ").append(disk.description());
            }
            say(also.isEmpty() ? text.toString() : text + "\n" + also.stripTrailing());
            manager.ready(ServingStatus.of(host, false));
        }
        host.started();
        new CountDownLatch(1).await();
    }

    synchronized void reload() {
        manager.reloading();
        List<Disk> before = host.disks();
        try {
            DiskHost.Changes changes = host.change(DiskConfig.read(file));
            changes.failed().values().forEach(failed -> Commands.report(failed, err));
            say("reloaded: " + file + ": added " + changes.added() + ", removed " + changes.removed() + ", unchanged " + changes.unchanged() + ", failed "
                    + changes.failed().keySet());
        } catch (IOException | RuntimeException wrong) {
            // Also for bugs of our own: whoever sent the signal gets a result.
            Commands.report(wrong, err);
            say("not reloaded: " + file + ": " + (host.disks().equals(before) ? "the disks are unchanged" : disks(host.disks().size()) + " served"));
        } finally {
            manager.ready(ServingStatus.of(host, false));
        }
    }

    private static String disks(int count) {
        return count == 1 ? "1 disk" : count + " disks";
    }

    private static void say(String text) {
        System.out.println(text);
        System.out.flush();
    }
}
