package dev.sluice.virtio.driver;

import dev.sluice.linux.PeerCredentials;
import dev.sluice.virtio.layout.VhostUser;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;

/**
 * The messages of a vhost-user front end, one method each, named after them. What order they go in is
 * {@link DeviceSession}'s.
 *
 * <p>Once {@link #setProtocolFeatures} has acknowledged REPLY_ACK, every message without a reply of its own asks for one
 * ({@code NEED_REPLY}), so that a refusal is seen where it happened.
 *
 * <p><b>Threading</b>: one thread at a time. <b>Ownership</b>: descriptors and regions stay the caller's. <b>Failure</b>:
 * {@link BackendRefusedException} for a refusal; {@link BackendViolationException} for a reply to something else;
 * otherwise as {@link VhostUserConnection}. <b>Allocation</b>: per message. QEMU {@code docs/interop/vhost-user.rst},
 * "Front-end message types".
 */
public final class VhostUserFrontend implements AutoCloseable {
    private static final MemorySegment EMPTY = MemorySegment.ofArray(new byte[0]);
    private static final int REPLY_FLAGS = VhostUser.VERSION | VhostUser.FLAG_REPLY;

    private final VhostUserConnection connection;
    private boolean acknowledged;

    /** Speaks over a connection, which it takes over. */
    public VhostUserFrontend(VhostUserConnection connection) {
        this.connection = connection;
    }

    /** Connects to a backend that listens at the path, or will within the timeout; the timeout also bounds each reply. */
    public static VhostUserFrontend connect(String path, Duration timeout) throws IOException {
        return new VhostUserFrontend(VhostUserConnection.connect(path, timeout));
    }

    /** GET_FEATURES: {@code VirtioFeatures} that the backend offers. */
    public long features() throws IOException {
        return ask(VhostUser.GET_FEATURES, EMPTY);
    }

    /** SET_FEATURES: those that driver and front end want. */
    public void setFeatures(long features) throws IOException {
        tell(VhostUser.SET_FEATURES, u64(features));
    }

    /** GET_PROTOCOL_FEATURES: {@code VhostUser.PROTOCOL_F_*}; only where feature bit 30 is offered. */
    public long protocolFeatures() throws IOException {
        return ask(VhostUser.GET_PROTOCOL_FEATURES, EMPTY);
    }

    /** SET_PROTOCOL_FEATURES. */
    public void setProtocolFeatures(long protocolFeatures) throws IOException {
        tell(VhostUser.SET_PROTOCOL_FEATURES, u64(protocolFeatures));
        acknowledged = (protocolFeatures & VhostUser.PROTOCOL_F_REPLY_ACK) != 0;
    }

    /** Whether messages without a reply of their own ask for one; follows {@link #setProtocolFeatures}. */
    public void acknowledged(boolean wanted) {
        acknowledged = wanted;
    }

    /** SET_OWNER. */
    public void setOwner() throws IOException {
        tell(VhostUser.SET_OWNER, EMPTY);
    }

    /** RESET_DEVICE, where PROTOCOL_F_RESET_DEVICE was negotiated. */
    public void resetDevice() throws IOException {
        tell(VhostUser.RESET_DEVICE, EMPTY);
    }

    /** GET_QUEUE_NUM: how many queues the backend has at most; where PROTOCOL_F_MQ was negotiated. */
    public long queueNum() throws IOException {
        return ask(VhostUser.GET_QUEUE_NUM, EMPTY);
    }

    /** GET_MAX_MEM_SLOTS: where PROTOCOL_F_CONFIGURE_MEM_SLOTS was negotiated. */
    public long maxMemSlots() throws IOException {
        return ask(VhostUser.GET_MAX_MEM_SLOTS, EMPTY);
    }

    /** GET_CONFIG: a copy of bytes of the config space. */
    public MemorySegment config(int offset, int size) throws IOException {
        MemorySegment payload = config(offset, size, 0);
        try (VhostUserMessage reply = roundTrip(VhostUser.GET_CONFIG, payload)) {
            // vhost-user, "VHOST_USER_GET_CONFIG": an empty payload says that it failed.
            if (reply.payload().byteSize() != VhostUser.CONFIG_HEADER_SIZE + size) {
                throw new BackendRefusedException("GET_CONFIG of " + size + " bytes at " + offset + " replied "
                        + reply.payload().byteSize() + " bytes");
            }
            return reply.payload().asSlice(VhostUser.CONFIG_HEADER_SIZE);
        }
    }

    /** SET_CONFIG: writes bytes of the config space; {@code flags} is 0 for a driver's write, 1 for migration. */
    public void setConfig(int offset, MemorySegment bytes, int flags) throws IOException {
        MemorySegment payload = config(offset, (int) bytes.byteSize(), flags);
        MemorySegment.copy(bytes, 0, payload, VhostUser.CONFIG_HEADER_SIZE, bytes.byteSize());
        tell(VhostUser.SET_CONFIG, payload);
    }

    private static MemorySegment config(int offset, int size, int flags) {
        MemorySegment payload = MemorySegment.ofArray(new byte[VhostUser.CONFIG_HEADER_SIZE + size]);
        VhostUser.u32(payload, 0, offset);
        VhostUser.u32(payload, 4, size);
        VhostUser.u32(payload, 8, flags);
        return payload;
    }

    /** SET_MEM_TABLE: replaces all regions; eight at most. */
    public void setMemTable(MemoryRegion... regions) throws IOException {
        MemorySegment payload = MemorySegment.ofArray(
                new byte[VhostUser.MEM_TABLE_HEADER_SIZE + VhostUser.REGION_SIZE * regions.length]);
        VhostUser.u32(payload, 0, regions.length);
        int[] fds = new int[regions.length];
        for (int i = 0; i < regions.length; i++) {
            writeRegion(payload, VhostUser.MEM_TABLE_HEADER_SIZE + (long) VhostUser.REGION_SIZE * i, regions[i]);
            fds[i] = regions[i].fd();
        }
        tell(VhostUser.SET_MEM_TABLE, payload, fds);
    }

    /** ADD_MEM_REG: where PROTOCOL_F_CONFIGURE_MEM_SLOTS was negotiated. */
    public void addMemReg(MemoryRegion region) throws IOException {
        tell(VhostUser.ADD_MEM_REG, memReg(region), region.fd());
    }

    /** REM_MEM_REG: names the region by its addresses and size. */
    public void remMemReg(MemoryRegion region) throws IOException {
        tell(VhostUser.REM_MEM_REG, memReg(region));
    }

    private static MemorySegment memReg(MemoryRegion region) {
        MemorySegment payload = MemorySegment.ofArray(new byte[VhostUser.MEM_REG_SIZE]);
        writeRegion(payload, 8, region);
        return payload;
    }

    private static void writeRegion(MemorySegment payload, long at, MemoryRegion region) {
        VhostUser.u64(payload, at, region.guestAddress());
        VhostUser.u64(payload, at + 8, region.bytes());
        VhostUser.u64(payload, at + 16, region.userAddress());
        VhostUser.u64(payload, at + 24, region.fileOffset());
    }

    /** SET_VRING_NUM: descriptors of the ring. */
    public void setVringNum(int queue, int size) throws IOException {
        tell(VhostUser.SET_VRING_NUM, state(queue, size));
    }

    /** SET_VRING_BASE: where the device continues; of a split ring, the index of the next chain. */
    public void setVringBase(int queue, int position) throws IOException {
        tell(VhostUser.SET_VRING_BASE, state(queue, position));
    }

    /** GET_VRING_BASE: stops the ring; returns where it would have continued, as {@link #setVringBase} takes it. */
    public int vringBase(int queue) throws IOException {
        try (VhostUserMessage reply = roundTrip(VhostUser.GET_VRING_BASE, state(queue, 0))) {
            if (reply.payload().byteSize() != VhostUser.VRING_STATE_SIZE || VhostUser.u32(reply.payload(), 0) != queue) {
                throw new BackendViolationException("GET_VRING_BASE of queue " + queue + " replied for another, or in "
                        + reply.payload().byteSize() + " bytes");
            }
            return VhostUser.u32(reply.payload(), 4);
        }
    }

    /** SET_VRING_ADDR: where the parts of a ring lie, as addresses of this process. */
    public void setVringAddr(int queue, DriverRing ring) throws IOException {
        long user = ring.region().userAddress();
        setVringAddr(queue, 0, user + ring.descOffset(), user + ring.usedOffset(), user + ring.availOffset(), 0);
    }

    /** SET_VRING_ADDR with everything in the caller's hands. */
    public void setVringAddr(int queue, int flags, long desc, long used, long avail, long log) throws IOException {
        MemorySegment payload = MemorySegment.ofArray(new byte[VhostUser.VRING_ADDR_SIZE]);
        VhostUser.u32(payload, 0, queue);
        VhostUser.u32(payload, 4, flags);
        VhostUser.u64(payload, 8, desc);
        VhostUser.u64(payload, 16, used);
        VhostUser.u64(payload, 24, avail);
        VhostUser.u64(payload, 32, log);
        tell(VhostUser.SET_VRING_ADDR, payload);
    }

    /** SET_VRING_KICK: starts the ring. */
    public void setVringKick(int queue, int fd) throws IOException {
        tell(VhostUser.SET_VRING_KICK, u64(queue), fd);
    }

    /** SET_VRING_KICK without a descriptor: starts a ring that the device polls. */
    public void setVringKickNone(int queue) throws IOException {
        tell(VhostUser.SET_VRING_KICK, u64(queue | VhostUser.VRING_NO_FD));
    }

    /** SET_VRING_CALL. */
    public void setVringCall(int queue, int fd) throws IOException {
        tell(VhostUser.SET_VRING_CALL, u64(queue), fd);
    }

    /** SET_VRING_CALL without a descriptor: the driver polls. */
    public void setVringCallNone(int queue) throws IOException {
        tell(VhostUser.SET_VRING_CALL, u64(queue | VhostUser.VRING_NO_FD));
    }

    /** SET_VRING_ERR. */
    public void setVringErr(int queue, int fd) throws IOException {
        tell(VhostUser.SET_VRING_ERR, u64(queue), fd);
    }

    /** SET_VRING_ENABLE: only where feature bit 30 was acknowledged, else rings are enabled from the start. */
    public void setVringEnable(int queue, boolean enabled) throws IOException {
        tell(VhostUser.SET_VRING_ENABLE, state(queue, enabled ? 1 : 0));
    }

    /** Sends anything and reads no reply. */
    public void send(int request, int flags, MemorySegment payload, int... fds) throws IOException {
        connection.send(request, flags, payload, fds);
    }

    /** Reads whatever comes next. */
    public VhostUserMessage receive() throws IOException {
        return connection.receive();
    }

    /** What the messages go over. */
    public VhostUserConnection connection() {
        return connection;
    }

    /** Who the backend is. */
    public PeerCredentials peer() throws IOException {
        return connection.peer();
    }

    /** Ends the connection, and with it the device. */
    @Override
    public void close() {
        connection.close();
    }

    private void tell(int request, MemorySegment payload, int... fds) throws IOException {
        if (!acknowledged) {
            connection.send(request, VhostUser.VERSION, payload, fds);
            return;
        }
        connection.send(request, VhostUser.VERSION | VhostUser.FLAG_NEED_REPLY, payload, fds);
        try (VhostUserMessage reply = replyTo(request)) {
            long result = number(reply);
            if (result != 0) {
                throw new BackendRefusedException("the backend refused vhost-user message " + request + " with " + result);
            }
        }
    }

    private long ask(int request, MemorySegment payload) throws IOException {
        try (VhostUserMessage reply = roundTrip(request, payload)) {
            return number(reply);
        }
    }

    private VhostUserMessage roundTrip(int request, MemorySegment payload) throws IOException {
        connection.send(request, VhostUser.VERSION, payload);
        return replyTo(request);
    }

    private VhostUserMessage replyTo(int request) throws IOException {
        VhostUserMessage reply = connection.receive();
        // vhost-user, "Header": a reply repeats the request and has flags 0x5.
        if (reply.request() != request || reply.flags() != REPLY_FLAGS) {
            reply.close();
            throw new BackendViolationException("the reply to message " + request + " is of " + reply.request()
                    + " with flags 0x" + Integer.toHexString(reply.flags()));
        }
        return reply;
    }

    private static long number(VhostUserMessage reply) {
        if (reply.payload().byteSize() != Long.BYTES) {
            throw new BackendViolationException("the reply to message " + reply.request() + " has "
                    + reply.payload().byteSize() + " bytes in place of a number");
        }
        return reply.u64();
    }

    private static MemorySegment u64(long value) {
        MemorySegment payload = MemorySegment.ofArray(new byte[Long.BYTES]);
        VhostUser.u64(payload, 0, value);
        return payload;
    }

    private static MemorySegment state(int queue, int num) {
        MemorySegment payload = MemorySegment.ofArray(new byte[VhostUser.VRING_STATE_SIZE]);
        VhostUser.u32(payload, 0, queue);
        VhostUser.u32(payload, 4, num);
        return payload;
    }
}
