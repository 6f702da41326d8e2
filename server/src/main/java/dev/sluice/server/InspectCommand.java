package dev.sluice.server;

import dev.sluice.linux.ErrnoException;
import dev.sluice.linux.LinuxPlatform;
import dev.sluice.linux.UnixSocket;
import dev.sluice.server.cli.BackendProcess;
import dev.sluice.server.cli.ConnectFailures;
import dev.sluice.server.cli.Subcommand;
import dev.sluice.server.disk.FeatureNames;
import dev.sluice.virtio.driver.BackendViolationException;
import dev.sluice.virtio.driver.VhostUserConnection;
import dev.sluice.virtio.driver.VhostUserFrontend;
import dev.sluice.virtio.layout.VhostUser;
import dev.sluice.virtio.layout.VirtioBlkConfig;
import dev.sluice.virtio.layout.VirtioFeatures;
import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.net.SocketTimeoutException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/**
 * Queries what any vhost-user-blk backend offers and describes it. Starts no queue and touches no data; but a backend that serves one front end at
 * a time only replies if no other is connected. Gives up after five seconds in all.
 */
@Command(name = "inspect", mixinStandardHelpOptions = true, description = "Describe what the vhost-user-blk disk behind a socket offers.")
public final class InspectCommand implements Callable<Integer>, Subcommand {
    private static final Duration TIMEOUT = Duration.ofSeconds(5);
    private static final long WANTED = VhostUser.PROTOCOL_F_MQ
            | VhostUser.PROTOCOL_F_REPLY_ACK
            | VhostUser.PROTOCOL_F_CONFIG
            | VhostUser.PROTOCOL_F_CONFIGURE_MEM_SLOTS;

    /** The part of the configuration that every backend has: up to write_zeroes_may_unmap. */
    private static final int CONFIG_BYTES = 60;

    private static final double BYTES_PER_MIB = 1 << 20;

    @Parameters(paramLabel = "SOCKET", description = "The backend's socket.")
    private Path socket;

    @SuppressWarnings("NullAway.Init") // picocli sets the fields
    public InspectCommand() {}

    @Override
    public int helpOrder() {
        return 20;
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        LinuxPlatform.ensureAvailable();
        FutureTask<Integer> asking = new FutureTask<>(this::ask);
        // A daemon: if connecting or a reply takes too long, the process exits without it.
        Thread.ofPlatform().daemon().name("sluice-inspect").start(asking);
        try {
            return asking.get(TIMEOUT.toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException late) {
            throw ConnectFailures.noReply(socket, late);
        } catch (ExecutionException failed) {
            throw explained(Objects.requireNonNullElse(failed.getCause(), failed));
        }
    }

    private IOException explained(Throwable failed) {
        return switch (failed) {
            case SocketTimeoutException silent -> ConnectFailures.noReply(socket, silent);
            case EOFException _ -> new IOException(socket + " closed the connection before it described the disk: does it speak vhost-user? See its"
                    + " log", failed);
            case ErrnoException errno -> ConnectFailures.notConnected(socket, errno);
            case BackendViolationException other -> ConnectFailures.notVhostUser(socket, other);
            case IOException said -> said;
            default -> throw new IllegalStateException(failed);
        };
    }

    private int ask() throws IOException {
        try (VhostUserFrontend backend = new VhostUserFrontend(new VhostUserConnection(UnixSocket.connectTo(socket.toString()), TIMEOUT))) {
            int pid = backend.peer().pid();
            System.out.println(socket + " is served by " + new BackendProcess(pid).command() + (pid > 0 ? ", process " + pid : ""));
            long features = backend.features();
            list("virtio features", features, FeatureNames.VIRTIO);
            if ((features & VirtioFeatures.VHOST_USER_PROTOCOL_FEATURES) == 0) {
                System.out.println("It supports no protocol features, so it cannot be queried further.");
                return 0;
            }
            long offered = backend.protocolFeatures();
            list("vhost-user protocol features", offered, FeatureNames.PROTOCOL);
            backend.setProtocolFeatures(offered & WANTED);
            backend.setOwner();
            limits(backend, offered);
            if ((offered & VhostUser.PROTOCOL_F_CONFIG) != 0) {
                configuration(backend.config(0, CONFIG_BYTES), features);
            }
        }
        return 0;
    }

    private static void list(String what, long bits, FeatureNames names) {
        System.out.printf(Locale.ROOT, "%n%s 0x%x%n", what, bits);
        for (int bit = 0; bit < Long.SIZE; bit++) {
            if ((bits >>> bit & 1) != 0) {
                System.out.printf(Locale.ROOT, "  %2d  %-22s %s%n", bit, names.name(bit), names.words(bit));
            }
        }
    }

    private static void limits(VhostUserFrontend backend, long offered) throws IOException {
        System.out.printf(Locale.ROOT, "%nlimits%n");
        if ((offered & VhostUser.PROTOCOL_F_MQ) != 0) {
            row("queues", backend.queueNum() + " at most");
        }
        if ((offered & VhostUser.PROTOCOL_F_CONFIGURE_MEM_SLOTS) != 0) {
            row("memory slots", backend.maxMemSlots() + " at most");
        }
    }

    private static void configuration(MemorySegment config, long features) {
        System.out.printf(Locale.ROOT, "%nconfiguration%n");
        long bytes = VirtioBlkConfig.u64(config, VirtioBlkConfig.CAPACITY) * 512;
        row("capacity", String.format(Locale.ROOT, "%,d bytes (%,.1f MiB)", bytes, bytes / BYTES_PER_MIB));
        row("access", (features & VirtioFeatures.BLK_RO) != 0 ? "read-only" : "read and write");
        if ((features & VirtioFeatures.BLK_BLK_SIZE) != 0) {
            row("logical block", bytes(VirtioBlkConfig.u32(config, VirtioBlkConfig.BLK_SIZE)));
        }
        if ((features & VirtioFeatures.BLK_TOPOLOGY) != 0) {
            long logical = VirtioBlkConfig.u32(config, VirtioBlkConfig.BLK_SIZE);
            row("physical block", bytes(logical << Math.min(31, VirtioBlkConfig.u8(config, VirtioBlkConfig.PHYSICAL_BLOCK_EXP))));
            row("smallest good I/O", bytes(logical * VirtioBlkConfig.u16(config, VirtioBlkConfig.MIN_IO_SIZE)));
            row("best I/O", bytes(logical * VirtioBlkConfig.u32(config, VirtioBlkConfig.OPT_IO_SIZE)));
        }
        if ((features & VirtioFeatures.BLK_SEG_MAX) != 0) {
            row("segments", VirtioBlkConfig.u32(config, VirtioBlkConfig.SEG_MAX) + " of a request at most");
        }
        if ((features & VirtioFeatures.BLK_MQ) != 0) {
            row("queues", VirtioBlkConfig.u16(config, VirtioBlkConfig.NUM_QUEUES) + " to be used");
        }
        if ((features & VirtioFeatures.BLK_CONFIG_WCE) != 0) {
            row("cache", VirtioBlkConfig.u8(config, VirtioBlkConfig.WRITEBACK) != 0 ? "write-back: the guest flushes" : "write-through");
        }
        if ((features & VirtioFeatures.BLK_DISCARD) != 0) {
            row("discard", sectors(config, VirtioBlkConfig.MAX_DISCARD_SECTORS, VirtioBlkConfig.MAX_DISCARD_SEG)
                    + ", aligned to " + VirtioBlkConfig.u32(config, VirtioBlkConfig.DISCARD_SECTOR_ALIGNMENT));
        }
        if ((features & VirtioFeatures.BLK_WRITE_ZEROES) != 0) {
            row("write zeroes", sectors(config, VirtioBlkConfig.MAX_WRITE_ZEROES_SECTORS, VirtioBlkConfig.MAX_WRITE_ZEROES_SEG)
                    + (VirtioBlkConfig.u8(config, VirtioBlkConfig.WRITE_ZEROES_MAY_UNMAP) != 0 ? ", may deallocate" : ""));
        }
    }

    private static String sectors(MemorySegment config, int sectors, int ranges) {
        return String.format(Locale.ROOT, "%,d sectors in %,d ranges at most", VirtioBlkConfig.u32(config, sectors), VirtioBlkConfig.u32(config, ranges));
    }

    private static String bytes(long bytes) {
        return bytes == 0 ? "no preference" : String.format(Locale.ROOT, "%,d bytes", bytes);
    }

    private static void row(String what, String value) {
        System.out.printf(Locale.ROOT, "  %-18s %s%n", what, value);
    }
}
