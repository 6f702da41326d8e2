package dev.sluice.virtio.vhostuser;

import dev.sluice.linux.PeerCredentials;
import dev.sluice.linux.UnixSocket;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.FrontEndObserver.ConnectionEvent;
import dev.sluice.pipeline.FrontEndObserver;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.OnLoop;
import dev.sluice.pipeline.QueueGroup;
import dev.sluice.virtio.blk.VirtioBlkDevice;
import dev.sluice.virtio.queue.CallBatch;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Serves the connections of one disk, one after another, each to its end: whatever a front end does wrong, and whatever goes wrong on its behalf, ends its
 * connection and nothing else.
 *
 * <p><b>Threading:</b> the control thread; {@link #state} any thread. <b>Ownership:</b> owns what loops send interrupts with, from {@link #open} to {@link
 * #close}; all that a connection has brought is freed when {@link #serve} returns, but for memory that stages still use.
 */
final class ConnectionServer implements AutoCloseable {
    /** What the control thread shows of a connection: settled between messages, but for the queues that break meanwhile. */
    private record Connection(PeerCredentials peer, long protocolFeatures, List<Supplier<VhostUserServer.RingSnapshot>> rings) {}

    private final VhostUserServerBuilder settings;
    private final BlockPipeline pipeline;
    private final VirtioBlkDevice device;
    private final FrontEndObserver observer;
    private final String address;
    private final ConnectionLog log;
    /** Guest memory of connections that have ended, which stages still have requests in. */
    private final AtomicLong quarantinedBytes = new AtomicLong();
    private final Map<IoLoop, CallBatch> calls = new LinkedHashMap<>();
    private final QueueGroup queues = new QueueGroup();
    private volatile @Nullable Connection connection;

    ConnectionServer(VhostUserServerBuilder settings, BlockPipeline pipeline, VirtioBlkDevice device, String address, ConnectionLog log) {
        this.settings = settings;
        this.pipeline = pipeline;
        this.device = device;
        this.observer = FrontEndObserver.guarded(settings.observer, address);
        this.address = address;
        this.log = log;
    }

    /** Opens what all connections share. {@link #close} is called also if this fails. */
    void open() throws IOException {
        for (IoLoop loop : settings.loops) {
            if (!calls.containsKey(loop)) {
                calls.put(loop, new CallBatch(loop));
            }
        }
    }

    @Override
    public void close() {
        calls.forEach((loop, batch) -> OnLoop.run(loop, batch::close));
        calls.clear();
    }

    /** The queues that run, of whatever connection. Any thread. */
    QueueGroup queues() {
        return queues;
    }

    /** Whether a front end is connected. Any thread. */
    boolean isConnected() {
        return connection != null;
    }

    /** What the device and its front end are up to. */
    VhostUserServer.State state() {
        Connection current = connection;
        return current == null
                ? new VhostUserServer.State(address, false, 0, 0, device.offered(), 0, 0, false, List.of())
                : new VhostUserServer.State(
                        address,
                        true,
                        current.peer().pid(),
                        current.peer().uid(),
                        device.offered(),
                        device.accepted(),
                        current.protocolFeatures(),
                        device.needsReset(),
                        current.rings().stream().map(Supplier::get).toList());
    }

    /**
     * Serves a connection to its end.
     *
     * @param wakeFd readable once {@code closing} is true
     */
    void serve(UnixSocket socket, int wakeFd, BooleanSupplier closing) {
        int pid = 0;
        boolean connected = false;
        ConnectionEvent end = ConnectionEvent.FAILED;
        try (socket;
                VhostUserSession session = session(socket, wakeFd)) {
            PeerCredentials peer = socket.peerCredentials();
            pid = peer.pid();
            log.peer(peer.uid());
            log.info(ConnectionLog.Kind.CONNECTED, "front end connected, process " + pid);
            connected = true;
            observer.connectionEvent(ConnectionEvent.CONNECTED, pid);
            boolean more = true;
            while (more && !closing.getAsBoolean()) {
                connection = new Connection(peer, session.protocolFeatures(), session.ringSnapshots());
                more = session.serveNext();
            }
            log.info(ConnectionLog.Kind.DISCONNECTED, "front end disconnected");
            end = ConnectionEvent.DISCONNECTED;
        } catch (ProtocolViolation violation) {
            log.warn(ConnectionLog.Kind.VIOLATION, violation.rule() + "; the connection ends");
            end = ConnectionEvent.VIOLATION;
        } catch (IOException broken) {
            log.warn(ConnectionLog.Kind.BROKEN, "the connection ends: " + broken.getMessage());
        } catch (OutOfMemoryError none) {
            // What a front end asks for decides how much is needed: rings, regions. The next one may ask for less.
            log.error("there is not enough memory for what the front end asks for; the connection ends", none);
        } catch (Throwable bug) {
            log.error("the connection ends on an error of Sluice", bug);
        } finally {
            connection = null;
            device.reset();
            if (connected) {
                observer.connectionEvent(end, pid);
            }
        }
    }

    private VhostUserSession session(UnixSocket socket, int wakeFd) {
        MappingQuarantine quarantine = new MappingQuarantine(quarantinedBytes);
        List<Virtqueue> queues = new ArrayList<>(settings.numQueues);
        for (int i = 0; i < settings.numQueues; i++) {
            IoLoop loop = settings.loops.get(settings.loopOfQueue.getOrDefault(i, i % settings.loops.size()));
            CallBatch batch = Objects.requireNonNull(calls.get(loop));
            queues.add(new Virtqueue(i, loop, batch, device, pipeline, this.queues, settings.queueSize, quarantine));
        }
        MessageStream stream = new MessageStream(socket, wakeFd, settings.partialMessageTimeout.toNanos());
        try {
            return new VhostUserSession(device, stream, queues, settings.allowFileMemory, log, quarantine);
        } catch (Throwable failed) {
            stream.close();
            throw failed;
        }
    }
}
