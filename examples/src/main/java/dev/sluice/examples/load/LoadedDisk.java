package dev.sluice.examples.load;

import dev.sluice.linux.Errno;
import dev.sluice.linux.ErrnoException;
import dev.sluice.virtio.driver.BackendRefusedException;
import dev.sluice.virtio.driver.BackendViolationException;
import dev.sluice.virtio.driver.BlockDriver;
import dev.sluice.virtio.driver.BlockDriverOptions;
import dev.sluice.virtio.driver.DiskConfig;
import dev.sluice.virtio.driver.QueueShape;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** Opens a disk behind a socket with the queues that a load needs. */
public final class LoadedDisk {
    private static final int SMALLEST_QUEUE = 64;
    private static final int FILE_TYPE = 0170000;
    private static final int SOCKET_TYPE = 0140000;

    private LoadedDisk() {}

    /**
     * Opens the queues that the load uses.
     *
     * @throws IOException if the disk cannot be opened or does not support that load; one line with the remedy
     */
    public static BlockDriver open(Path socket, LoadPlan plan) throws IOException {
        return open(socket, plan, plan.queues());
    }

    /** Opens more queues than the load uses, as a guest starts all that the disk offers. */
    public static BlockDriver open(Path socket, LoadPlan plan, int queues) throws IOException {
        int wanted = Math.max(SMALLEST_QUEUE, plan.depth());
        int queueSize = Integer.highestOneBit(wanted - 1) << 1;
        QueueShape shape = QueueShape.of(queueSize, plan.depth(), plan.blockBytes());
        checkMemory(shape.memoryBytes() * queues);
        BlockDriver driver = connect(socket, BlockDriverOptions.defaults().withQueues(queues).withShape(shape));
        String misfit = misfit(driver, plan, queues);
        if (!misfit.isEmpty()) {
            driver.close();
            throw new IOException("the disk at " + socket + " " + misfit);
        }
        return driver;
    }

    private static BlockDriver connect(Path socket, BlockDriverOptions options) throws IOException {
        try {
            return BlockDriver.open(socket.toString(), options);
        } catch (ErrnoException refused) {
            throw notConnected(socket, refused);
        } catch (SocketTimeoutException silent) {
            throw noAnswer(socket, silent);
        } catch (BackendViolationException other) {
            throw noVhostUser(socket, other);
        } catch (BackendRefusedException refused) {
            throw new IOException("the disk at " + socket + " cannot be set up: " + refused.getMessage() + ". Does it support queues of "
                    + options.shape().queueSize() + "? If not, use a smaller --depth; see also its log", refused);
        }
    }

    /** The same failure, with the remedy if it is known. */
    public static IOException notConnected(Path socket, ErrnoException refused) {
        String why = switch (refused.errno()) {
            case Errno.ENOENT -> "there is no socket; start the backend first";
            // Linux returns the same errno whether nobody listens on the socket or the file is not a socket.
            case Errno.ECONNREFUSED -> isSocket(socket) ? "nobody listens there any more; restart the backend" : "it is not a socket; use the backend's socket";
            case Errno.EACCES, Errno.EPERM -> "permission denied; run this as the user of the backend";
            default -> "";
        };
        return why.isEmpty() ? refused : new IOException("cannot connect to " + socket + ": " + why, refused);
    }

    private static boolean isSocket(Path path) {
        try {
            return Files.getAttribute(path, "unix:mode") instanceof Integer mode && (mode & FILE_TYPE) == SOCKET_TYPE;
        } catch (IOException unreadable) {
            return true;
        }
    }

    /** The likely reason why a backend sends no reply. */
    public static IOException noAnswer(Path socket, Exception silent) {
        return new IOException("no reply from " + socket + ": another front end may be connected, and a backend serves one at a time; disconnect that one"
                + " first", silent);
    }

    /** The likely reason for a reply that violates the protocol. */
    public static IOException noVhostUser(Path socket, BackendViolationException other) {
        return new IOException("the process that listens at " + socket + " does not speak vhost-user: " + other.getMessage(), other);
    }

    /** Why the disk does not support the load; empty if it does. */
    private static String misfit(BlockDriver driver, LoadPlan plan, int queues) {
        DiskConfig config = driver.config();
        int offered = driver.queueCount();
        if (offered < queues) {
            return "offers " + offered + (offered == 1 ? " queue" : " queues") + ", not " + queues + "; use fewer --queues";
        }
        if (plan.readPercent() < 100 && config.readOnly()) {
            return "is read-only; use --rw randread or read";
        }
        if (plan.blockBytes() % config.blkSize() != 0) {
            return "has blocks of " + config.blkSize() + " bytes; --bs " + plan.blockBytes() + " is not a multiple of that";
        }
        // Requests here have one segment.
        if (config.sizeMax() != 0 && plan.blockBytes() > config.sizeMax()) {
            return "accepts segments of up to " + config.sizeMax() + " bytes; --bs " + plan.blockBytes() + " is more";
        }
        return "";
    }

    /** Rejects queues that need more memory than this machine has, before it is mapped: the kernel would kill a process for it later. */
    private static void checkMemory(long neededBytes) throws IOException {
        long availableBytes;
        try (Stream<String> lines = Files.lines(Path.of("/proc/meminfo"))) {
            availableBytes = lines.filter(line -> line.startsWith("MemAvailable:"))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) << 10)
                    .findFirst()
                    .orElse(Long.MAX_VALUE);
        }
        if (neededBytes > availableBytes) {
            throw new IOException("the queues need " + (neededBytes >> 20) + " MiB of memory, and " + (availableBytes >> 20)
                    + " MiB are available; use fewer queues, less depth or a smaller --bs");
        }
    }
}
