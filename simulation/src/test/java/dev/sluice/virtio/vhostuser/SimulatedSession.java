package dev.sluice.virtio.vhostuser;

import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import dev.sluice.linux.UnixSocket;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.QueueGroup;
import dev.sluice.virtio.blk.VirtioBlkDevice;
import dev.sluice.virtio.queue.CallBatch;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** The real session of one connection, as the server makes it; the caller serves it message by message. */
public final class SimulatedSession implements AutoCloseable {
    private static final long PARTIAL_MESSAGE_NANOS = 10_000_000_000L;

    private final VirtioBlkDevice device;
    private final Fd wake;
    private final UnixSocket socket;
    private final VhostUserSession session;

    public SimulatedSession(VirtioBlkDevice device, BlockPipeline pipeline, IoLoop loop, CallBatch calls, UnixSocket socket, int queueSize) {
        this.device = device;
        this.socket = socket;
        this.wake = Fd.adopt(EventFd.create(0, EventFd.EFD_CLOEXEC | EventFd.EFD_NONBLOCK));
        MappingQuarantine quarantine = new MappingQuarantine(new AtomicLong());
        List<Virtqueue> rings = new ArrayList<>();
        for (int i = 0; i < device.numQueues(); i++) {
            rings.add(new Virtqueue(i, loop, calls, device, pipeline, new QueueGroup(), queueSize, quarantine));
        }
        this.session = new VhostUserSession(device, new MessageStream(socket, wake.number(), PARTIAL_MESSAGE_NANOS), rings, false,
                new ConnectionLog("simulated"), quarantine);
    }

    /** Serves the next message, which is there. Returns what ended the connection, or null. */
    public @Nullable String serveNext() {
        try {
            return session.serveNext() ? null : "disconnected";
        } catch (IOException | ProtocolViolation ended) {
            return String.valueOf(ended.getMessage());
        }
    }

    /** Drains and frees everything; parks until the loop has done its part. */
    @Override
    public void close() {
        try (wake;
                socket) {
            session.close();
        } finally {
            device.reset();
        }
    }
}
