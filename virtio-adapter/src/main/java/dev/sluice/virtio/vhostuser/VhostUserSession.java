package dev.sluice.virtio.vhostuser;

import dev.sluice.linux.Fd;
import dev.sluice.virtio.blk.VirtioBlkDevice;
import dev.sluice.virtio.layout.VhostUser;
import dev.sluice.virtio.layout.VirtioFeatures;
import dev.sluice.virtio.vhostuser.FrontEndMessage.AddMemReg;
import dev.sluice.virtio.vhostuser.FrontEndMessage.GetConfig;
import dev.sluice.virtio.vhostuser.FrontEndMessage.GetFeatures;
import dev.sluice.virtio.vhostuser.FrontEndMessage.GetMaxMemSlots;
import dev.sluice.virtio.vhostuser.FrontEndMessage.GetProtocolFeatures;
import dev.sluice.virtio.vhostuser.FrontEndMessage.GetQueueNum;
import dev.sluice.virtio.vhostuser.FrontEndMessage.GetVringBase;
import dev.sluice.virtio.vhostuser.FrontEndMessage.RemMemReg;
import dev.sluice.virtio.vhostuser.FrontEndMessage.ResetOwner;
import dev.sluice.virtio.vhostuser.FrontEndMessage.SetConfig;
import dev.sluice.virtio.vhostuser.FrontEndMessage.SetFeatures;
import dev.sluice.virtio.vhostuser.FrontEndMessage.SetMemTable;
import dev.sluice.virtio.vhostuser.FrontEndMessage.SetOwner;
import dev.sluice.virtio.vhostuser.FrontEndMessage.SetProtocolFeatures;
import dev.sluice.virtio.vhostuser.FrontEndMessage.SetVringAddr;
import dev.sluice.virtio.vhostuser.FrontEndMessage.SetVringBase;
import dev.sluice.virtio.vhostuser.FrontEndMessage.SetVringEnable;
import dev.sluice.virtio.vhostuser.FrontEndMessage.SetVringFd;
import dev.sluice.virtio.vhostuser.FrontEndMessage.SetVringNum;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;

/**
 * One connection: what its front end asks for, message by message, and everything it has brought.
 *
 * <p><b>Threading:</b> the control thread. <b>Ownership:</b> owns the rings' descriptors and the memory until {@link #close}, which drains first.
 * <b>Failure:</b> a refused message gets a reply if the front end asked for one, and ends the connection otherwise.
 * Source: vhost-user, "Communication".
 */
final class VhostUserSession implements AutoCloseable {
    private static final long PROTOCOL_FEATURES = VhostUser.PROTOCOL_F_MQ
            | VhostUser.PROTOCOL_F_CONFIG
            | VhostUser.PROTOCOL_F_REPLY_ACK
            | VhostUser.PROTOCOL_F_CONFIGURE_MEM_SLOTS;
    /** A front end that is refused more often is not worth the log. */
    private static final int MAX_REFUSALS = 256;

    private static final long ACK_OK = 0;
    private static final long ACK_REFUSED = 1;

    private final VirtioBlkDevice device;
    private final MessageStream stream;
    private final List<Virtqueue> queues;
    private final MemoryTable memory;
    private final ConnectionLog log;
    private long protocolFeatures;
    /** As they were set last, with the bits of the transport. */
    private long features;
    /** Whether {@link #features} are those of the driver at hand: from SET_FEATURES until its last ring has stopped. */
    private boolean featuresCurrent;
    private int refusals;

    VhostUserSession(VirtioBlkDevice device, MessageStream stream, List<Virtqueue> queues, boolean allowFileMemory, ConnectionLog log,
            MappingQuarantine quarantine) {
        this.log = log;
        this.device = device;
        this.stream = stream;
        this.queues = queues;
        this.memory = new MemoryTable(allowFileMemory, quarantine);
    }

    /** What the front end has accepted of the protocol. */
    long protocolFeatures() {
        return protocolFeatures;
    }

    /** The rings as they are between two messages; each says when asked whether it has broken since. */
    List<Supplier<VhostUserServer.RingSnapshot>> ringSnapshots() {
        return queues.stream().map(Virtqueue::snapshot).toList();
    }

    /**
     * Serves the next message.
     *
     * @return false if there is none any more
     */
    boolean serveNext() throws IOException, ProtocolViolation {
        if (!stream.receive()) {
            return false;
        }
        try {
            handle(FrontEndMessage.decode(stream.request(), stream.payload(), stream.payloadBytes(), stream.fds().count()));
            if (ackWanted()) {
                stream.replyWith(ACK_OK);
            }
        } catch (ProtocolViolation violation) {
            if (violation.isFatal() || !ackWanted() || ++refusals > MAX_REFUSALS) {
                throw violation;
            }
            log.warn(ConnectionLog.Kind.REFUSED, violation.rule() + "; the message is refused");
            stream.replyWith(ACK_REFUSED);
        }
        return true;
    }

    /**
     * Asked when the message has been handled: the one that turns REPLY_ACK on may itself ask for a reply. vhost-user, "VHOST_USER_PROTOCOL_F_REPLY_ACK":
     * messages that have a reply of their own get no other.
     */
    private boolean ackWanted() {
        return stream.needsReply()
                && (protocolFeatures & VhostUser.PROTOCOL_F_REPLY_ACK) != 0
                && !FrontEndMessage.hasReplyOfItsOwn(stream.request());
    }

    private void handle(FrontEndMessage message) throws IOException, ProtocolViolation {
        switch (message) {
            case GetFeatures() -> stream.replyWith(device.offered() | VirtioFeatures.VHOST_USER_PROTOCOL_FEATURES);
            case SetFeatures(long features) -> setFeatures(features);
            case GetProtocolFeatures() -> stream.replyWith(PROTOCOL_FEATURES);
            case SetProtocolFeatures(long features) -> setProtocolFeatures(features);
            case SetOwner() -> beginAgain();
            // vhost-user, "RESET_OWNER": deprecated; of the two readings the one that disables all rings.
            case ResetOwner() -> queues.forEach(queue -> queue.enable(false));
            case GetQueueNum() -> stream.replyWith(device.numQueues());
            case GetMaxMemSlots() -> stream.replyWith(MemoryTable.MAX_SLOTS);
            case SetMemTable table -> setMemTable(table);
            case AddMemReg(FrontEndMessage.Region region) -> addMemReg(region);
            case RemMemReg(FrontEndMessage.Region region) -> changeMemory(memory.remove(region));
            case SetVringNum(int index, int size) -> queue(index).size(size);
            case SetVringBase(int index, int base) -> queue(index).position(base);
            case SetVringAddr(int index, long descriptors, long used, long avail) -> queue(index).addresses(descriptors, avail, used);
            case SetVringEnable(int index, int enable) -> setEnabled(queue(index), enable);
            case SetVringFd fd -> setVringFd(fd);
            case GetVringBase(int index) -> getVringBase(index);
            case GetConfig config -> getConfig(config);
            case SetConfig config -> setConfig(config);
        }
    }

    /**
     * vhost-user, "SET_OWNER": the front end begins a session. QEMU does so again on the same connection when its device has been unplugged and plugged
     * in again, and brings the same memory without having removed it. What it sends before SET_OWNER stays: the protocol features.
     */
    private void beginAgain() {
        stop(queues);
        queues.forEach(Virtqueue::reset);
        memory.close();
        device.reset();
        features = 0;
        featuresCurrent = false;
    }

    // ---- features

    private void setFeatures(long wanted) throws ProtocolViolation {
        // Started rings are laid out and read by these features; QEMU turns the dirty log on and off while they run.
        long fixed = (wanted ^ features) & ~VirtioFeatures.VHOST_LOG_ALL;
        if (fixed != 0 && anyStarted()) {
            throw ProtocolViolation.refused("SET_FEATURES changes 0x" + Long.toHexString(fixed) + " while a queue is started");
        }
        try {
            device.accept(wanted & ~VirtioFeatures.VHOST_USER_PROTOCOL_FEATURES);
        } catch (IllegalArgumentException notOffered) {
            throw ProtocolViolation.fatal("SET_FEATURES: " + notOffered.getMessage());
        }
        features = wanted;
        featuresCurrent = true;
        // vhost-user, "Ring states": without VHOST_USER_F_PROTOCOL_FEATURES a ring starts enabled, without a message that says so.
        if ((wanted & VirtioFeatures.VHOST_USER_PROTOCOL_FEATURES) == 0) {
            queues.forEach(queue -> queue.enable(true));
        }
    }

    private boolean anyStarted() {
        return queues.stream().anyMatch(queue -> queue.ringState().started());
    }

    private void setProtocolFeatures(long features) throws ProtocolViolation {
        if ((features & ~PROTOCOL_FEATURES) != 0) {
            throw ProtocolViolation.fatal("SET_PROTOCOL_FEATURES: 0x" + Long.toHexString(features & ~PROTOCOL_FEATURES) + " was not offered");
        }
        protocolFeatures = features;
    }

    // ---- memory

    private void setMemTable(SetMemTable table) throws ProtocolViolation {
        List<Fd> files = new ArrayList<>();
        try {
            for (int i = 0; i < table.regions().size(); i++) {
                files.add(stream.fds().take(i));
            }
            changeMemory(memory.replace(table.regions(), files));
        } finally {
            files.forEach(Fd::close);
        }
    }

    private void addMemReg(FrontEndMessage.Region region) throws ProtocolViolation {
        try (Fd file = stream.fds().take(0)) {
            MemoryTable.Change change = memory.add(region, file);
            // Nothing that a ring uses goes away, so they run on. The table owns the mapping before they know it: it outlives them whatever happens.
            memory.finish(change);
            queues.forEach(queue -> queue.memory(change.memory()));
        }
    }

    /** Another map under running rings: they are drained, the old mappings go, they start again where they were. */
    private void changeMemory(MemoryTable.Change change) throws ProtocolViolation {
        List<Virtqueue> started = queues.stream().filter(queue -> queue.ringState().started()).toList();
        try {
            stop(started);
        } catch (Throwable failed) {
            memory.keepAll(change);
            throw failed;
        }
        memory.finish(change);
        for (Virtqueue queue : started) {
            try {
                queue.start(queue.state(), memory.memory());
            } catch (ProtocolViolation lost) {
                throw ProtocolViolation.fatal("memory changed under a running ring: " + lost.rule());
            }
        }
    }

    /** Waits for every ring, also where one of them fails: the others may have requests out. */
    private static void stop(List<Virtqueue> queues) {
        List<CompletableFuture<Integer>> stopping = queues.stream().map(VhostUserSession::beginStop).toList();
        RuntimeException first = null;
        for (int i = 0; i < queues.size(); i++) {
            try {
                queues.get(i).endStop(stopping.get(i));
            } catch (Throwable failed) {
                if (first == null) {
                    first = failed instanceof RuntimeException known ? known : new IllegalStateException("a queue cannot be stopped", failed);
                }
            }
        }
        if (first != null) {
            throw first;
        }
    }

    private static CompletableFuture<Integer> beginStop(Virtqueue queue) {
        try {
            return queue.beginStop();
        } catch (Throwable loopHasEnded) {
            return CompletableFuture.failedFuture(loopHasEnded);
        }
    }

    // ---- rings

    private Virtqueue queue(int index) throws ProtocolViolation {
        if (index < 0 || index >= queues.size()) {
            throw ProtocolViolation.refused("request " + stream.request() + " names queue " + Integer.toUnsignedString(index) + "; there are " + queues.size());
        }
        return queues.get(index);
    }

    private static void setEnabled(Virtqueue queue, int enable) throws ProtocolViolation {
        if (enable != 0 && enable != 1) {
            throw ProtocolViolation.refused("SET_VRING_ENABLE with " + Integer.toUnsignedString(enable) + ", not 0 or 1");
        }
        queue.enable(enable == 1);
    }

    private void setVringFd(SetVringFd message) throws ProtocolViolation {
        Virtqueue queue = queue(message.index());
        switch (message.purpose()) {
            case KICK -> queue.kick(message.hasFd() ? stream.fds().take(0) : null, memory.memory());
            case CALL -> queue.call(message.hasFd() ? stream.fds().take(0) : null);
            case ERR -> queue.err(message.hasFd() ? stream.fds().take(0) : null);
        }
    }

    private void getVringBase(int index) throws IOException, ProtocolViolation {
        int base = queue(index).stop().position();
        featuresCurrent &= anyStarted();
        VhostUser.u32(stream.replyPayload(), 0, index);
        VhostUser.u32(stream.replyPayload(), 4, base);
        stream.sendReply(VhostUser.VRING_STATE_SIZE);
    }

    // ---- configuration space

    private void getConfig(GetConfig config) throws IOException, ProtocolViolation {
        int bytes = config.bytes();
        try {
            device.readConfig(config.offset(), bytes, stream.replyPayload(), VhostUser.CONFIG_HEADER_SIZE);
        } catch (IllegalArgumentException outside) {
            log.warn(ConnectionLog.Kind.CONFIG, "GET_CONFIG: " + outside.getMessage());
            // vhost-user, "GET_CONFIG": a payload of zero bytes reports an error.
            stream.sendReply(0);
            return;
        }
        VhostUser.u32(stream.replyPayload(), 0, config.offset());
        VhostUser.u32(stream.replyPayload(), 4, bytes);
        VhostUser.u32(stream.replyPayload(), 8, config.flags());
        stream.sendReply(VhostUser.CONFIG_HEADER_SIZE + bytes);
    }

    private void setConfig(SetConfig config) throws ProtocolViolation {
        // A driver may write before it is ready (VIRTIO 1.3 §3.1.1), when QEMU has not sent its features yet: FreeBSD does.
        if (featuresCurrent && !device.accepted(VirtioFeatures.BLK_CONFIG_WCE)) {
            throw ProtocolViolation
                    .refused("SET_CONFIG: VIRTIO 1.3 §5.2.5: writeback exists only with VIRTIO_BLK_F_CONFIG_WCE, which the driver did not accept");
        }
        try {
            device.writeConfig(config.offset(), config.payload(), VhostUser.CONFIG_HEADER_SIZE, config.bytes());
        } catch (IllegalArgumentException refused) {
            throw ProtocolViolation.refused("SET_CONFIG: " + refused.getMessage());
        } catch (IOException unsaved) {
            // Nothing that the front end did: one that wants no reply continues, its guest with a disk at least as durable as it asked for.
            if (ackWanted()) {
                throw ProtocolViolation.refused("SET_CONFIG: " + unsaved.getMessage());
            }
            log.warn(ConnectionLog.Kind.CONFIG, "SET_CONFIG: " + unsaved.getMessage() + "; the cache mode is lost when this process ends");
        }
    }

    // ---- the end

    private interface AutoCloseableFds extends AutoCloseable {
        @Override
        void close();
    }

    /** Drains all rings, then closes and unmaps what the connection has brought. */
    @Override
    public void close() {
        // In the reverse order, each whatever becomes of the others.
        try (stream;
                memory;
                AutoCloseableFds _ = () -> queues.forEach(Virtqueue::closeFds)) {
            stop(queues);
        }
    }
}
