package dev.sluice.virtio.driver;

import dev.sluice.virtio.layout.VhostUser;
import dev.sluice.virtio.layout.VirtioBlkConfig;
import dev.sluice.virtio.layout.VirtioFeatures;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * The order in which QEMU 7.2 and later sends its messages: connect, start, stop, start again.
 *
 * <pre>
 * negotiate  GET_FEATURES, GET/SET_PROTOCOL_FEATURES, GET_QUEUE_NUM, GET_MAX_MEM_SLOTS, SET_OWNER, GET_FEATURES
 * introduce  SET_VRING_CALL and SET_VRING_ERR of each queue, GET_CONFIG
 * start      SET_FEATURES, CALLs, SET_FEATURES, SET_MEM_TABLE or ADD_MEM_REG, per queue NUM BASE ADDR KICK CALL, ENABLE(1)
 * stop       ENABLE(0) of all, GET_VRING_BASE of each
 * </pre>
 *
 * <p>What only one side supports is left out: a backend without bit 30 gets no protocol features and no ENABLE.
 *
 * <p><b>Threading</b>: one control thread. <b>Ownership</b>: front end, queues and memory stay the caller's.
 * <b>Failure</b>: as {@link VhostUserFrontend}; the connection is then of no use. <b>Allocation</b>: control path only.
 */
public final class DeviceSession {
    /** What this driver can do, where the backend can: everything but packed rings and logging. */
    public static final long SUPPORTED_FEATURES = VirtioFeatures.VERSION_1
            | VirtioFeatures.INDIRECT_DESC
            | VirtioFeatures.EVENT_IDX
            | VirtioFeatures.VHOST_USER_PROTOCOL_FEATURES
            | VirtioFeatures.BLK_SIZE_MAX
            | VirtioFeatures.BLK_SEG_MAX
            | VirtioFeatures.BLK_GEOMETRY
            | VirtioFeatures.BLK_RO
            | VirtioFeatures.BLK_BLK_SIZE
            | VirtioFeatures.BLK_FLUSH
            | VirtioFeatures.BLK_TOPOLOGY
            | VirtioFeatures.BLK_CONFIG_WCE
            | VirtioFeatures.BLK_MQ
            | VirtioFeatures.BLK_DISCARD
            | VirtioFeatures.BLK_WRITE_ZEROES;

    /** What this front end can do, where the backend can. */
    public static final long SUPPORTED_PROTOCOL_FEATURES = VhostUser.PROTOCOL_F_MQ
            | VhostUser.PROTOCOL_F_REPLY_ACK
            | VhostUser.PROTOCOL_F_CONFIG
            | VhostUser.PROTOCOL_F_CONFIGURE_MEM_SLOTS;

    private final VhostUserFrontend frontend;
    private final long features;
    private final long protocolFeatures;
    private final int queueLimit;
    private final List<MemoryRegion> announced = new ArrayList<>();
    private List<DriverQueue> running = List.of();

    private DeviceSession(VhostUserFrontend frontend, long features, long protocolFeatures, int queueLimit) {
        this.frontend = frontend;
        this.features = features;
        this.protocolFeatures = protocolFeatures;
        this.queueLimit = queueLimit;
    }

    /**
     * Finds out what both sides support.
     *
     * @param wantedFeatures of {@link #SUPPORTED_FEATURES}
     * @param wantedProtocolFeatures of {@link #SUPPORTED_PROTOCOL_FEATURES}
     */
    public static DeviceSession negotiate(
            VhostUserFrontend frontend, long wantedFeatures, long wantedProtocolFeatures) throws IOException {
        long offered = frontend.features();
        long protocolFeatures = 0;
        int queueLimit = 1;
        if ((offered & wantedFeatures & VirtioFeatures.VHOST_USER_PROTOCOL_FEATURES) != 0) {
            protocolFeatures = frontend.protocolFeatures() & wantedProtocolFeatures;
            frontend.setProtocolFeatures(protocolFeatures);
            if ((protocolFeatures & VhostUser.PROTOCOL_F_MQ) != 0) {
                queueLimit = Math.clamp(frontend.queueNum(), 1, 256);
            }
            if ((protocolFeatures & VhostUser.PROTOCOL_F_CONFIGURE_MEM_SLOTS) != 0) {
                long slots = frontend.maxMemSlots();
                if (slots < 1) {
                    throw new BackendViolationException("GET_MAX_MEM_SLOTS replied " + slots);
                }
            }
        }
        frontend.setOwner();
        long features = frontend.features() & wantedFeatures;
        return new DeviceSession(frontend, features, protocolFeatures, queueLimit);
    }

    /** {@code VirtioFeatures} that both sides support and the caller wanted. */
    public long features() {
        return features;
    }

    /** {@code VhostUser.PROTOCOL_F_*} that both sides support and the caller wanted. */
    public long protocolFeatures() {
        return protocolFeatures;
    }

    /** Queues that the backend takes at most. */
    public int queueLimit() {
        return queueLimit;
    }

    /** The config space, as far as backends of all ages know it: up to the limits of write zeroes. */
    public MemorySegment config() throws IOException {
        MemorySegment config = MemorySegment.ofArray(new byte[VirtioBlkConfig.SIZE]);
        if ((protocolFeatures & VhostUser.PROTOCOL_F_CONFIG) == 0) {
            throw new BackendRefusedException("the backend does not offer PROTOCOL_F_CONFIG: the disk's size is unknown");
        }
        int known = VirtioBlkConfig.WRITE_ZEROES_MAY_UNMAP + 1;
        MemorySegment.copy(frontend.config(0, known), 0, config, 0, known);
        return config;
    }

    /** Sends the early CALL and ERR of each queue, as QEMU does before it starts anything. */
    public void introduce(List<DriverQueue> queues) throws IOException {
        for (DriverQueue queue : queues) {
            frontend.setVringCall(queue.index(), queue.callFd());
            frontend.setVringErr(queue.index(), queue.errFd());
        }
    }

    /** Starts the queues where they are: at the avail index that {@link #stop} returned, or that of an unused ring. */
    public void start(List<DriverQueue> queues, int[] bases, List<MemoryRegion> regions) throws IOException {
        frontend.setFeatures(features);
        for (DriverQueue queue : queues) {
            frontend.setVringCall(queue.index(), queue.callFd());
        }
        frontend.setFeatures(features);
        announce(regions);
        for (int i = 0; i < queues.size(); i++) {
            DriverQueue queue = queues.get(i);
            frontend.setVringNum(queue.index(), queue.ring().size());
            frontend.setVringBase(queue.index(), bases[i]);
            frontend.setVringAddr(queue.index(), queue.ring());
            frontend.setVringKick(queue.index(), queue.kickFd());
            frontend.setVringCall(queue.index(), queue.callFd());
        }
        enable(queues, true);
        running = List.copyOf(queues);
    }

    private void announce(List<MemoryRegion> regions) throws IOException {
        if ((protocolFeatures & VhostUser.PROTOCOL_F_CONFIGURE_MEM_SLOTS) == 0) {
            frontend.setMemTable(regions.toArray(MemoryRegion[]::new));
            return;
        }
        for (MemoryRegion region : List.copyOf(announced)) {
            if (!regions.contains(region)) {
                frontend.remMemReg(region);
                announced.remove(region);
            }
        }
        for (MemoryRegion region : regions) {
            if (!announced.contains(region)) {
                frontend.addMemReg(region);
                announced.add(region);
            }
        }
    }

    private void enable(List<DriverQueue> queues, boolean enabled) throws IOException {
        // vhost-user, "Ring states": without bit 30 a ring is enabled from the start and there is no such message.
        if ((features & VirtioFeatures.VHOST_USER_PROTOCOL_FEATURES) == 0) {
            return;
        }
        for (DriverQueue queue : queues) {
            frontend.setVringEnable(queue.index(), enabled);
        }
    }

    /**
     * Stops what was started. Requests that the device had taken are completed in the used ring by then; those that it had
     * not stay in the avail ring.
     *
     * @return per queue the avail index to continue from
     */
    public int[] stop() throws IOException {
        List<DriverQueue> queues = running;
        running = List.of();
        enable(queues, false);
        int[] bases = new int[queues.size()];
        for (int i = 0; i < bases.length; i++) {
            bases[i] = frontend.vringBase(queues.get(i).index());
        }
        return bases;
    }

    /** True between {@link #start} and {@link #stop}. */
    public boolean running() {
        return !running.isEmpty();
    }
}
