package dev.sluice.bench.load;

import dev.sluice.linux.ErrnoException;
import dev.sluice.server.cli.ConnectFailures;
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
            throw ConnectFailures.notConnected(socket, refused);
        } catch (SocketTimeoutException silent) {
            throw ConnectFailures.noReply(socket, silent);
        } catch (BackendViolationException other) {
            throw ConnectFailures.notVhostUser(socket, other);
        } catch (BackendRefusedException refused) {
            throw new IOException("the disk at " + socket + " cannot be set up: " + refused.getMessage() + ". Does it support queues of "
                    + options.shape().queueSize() + "? If not, use a smaller --depth; see also its log", refused);
        }
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
