package dev.sluice.simulation;

import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.linux.ReceivedFds;
import dev.sluice.linux.UnixSocket;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.virtio.layout.VhostUser;
import dev.sluice.virtio.layout.VirtioBlkConfig;
import dev.sluice.virtio.layout.VirtioFeatures;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The front end of the simulated guest: sends one message at a time over a real socket and waits for its reply, while queues go on.
 *
 * <p>It starts as QEMU does: features, memory, then for each ring size, base, addresses, descriptors, enabling with NEED_REPLY.
 */
final class SimulatedGuest implements AutoCloseable {
    static final String SERIAL = "simulated";
    private static final long PROTOCOL =
            VhostUser.PROTOCOL_F_MQ | VhostUser.PROTOCOL_F_CONFIG | VhostUser.PROTOCOL_F_REPLY_ACK | VhostUser.PROTOCOL_F_CONFIGURE_MEM_SLOTS;

    final GuestRegion first;
    /** Comes and goes while rings run. */
    final GuestRegion second;
    final List<GuestQueue> queues;
    final Negotiated negotiated;
    private final boolean writeZeroesOffered;
    private final SplittableRandom random;
    private final Trace trace;
    private final NativeBlock buffer = NativeMemory.allocate(1024, 8);
    private final ArrayDeque<Message> toSend = new ArrayDeque<>();
    private @Nullable UnixSocket socket;
    private @Nullable Message awaiting;
    private int received;
    boolean secondThere;
    /** As the guest has set the cache last, and was told that it is so. */
    private boolean writeback = true;
    /** It was refused write-through, and has it all the same. */
    private boolean refusedWriteThrough;
    /** Under way: which of the modes a request would meet is open. */
    boolean cacheModeChanges;
    /** The cache mode cannot be saved at present. */
    boolean stateFileFull;

    private static final class Message {
        final String name;
        final int request;
        final byte[] payload;
        final int[] fds;
        final boolean hasReply;
        final Consumer<MemorySegment> then;

        Message(String name, int request, byte[] payload, int[] fds, boolean hasReply, Consumer<MemorySegment> then) {
            this.name = name;
            this.request = request;
            this.payload = payload;
            this.fds = fds;
            this.hasReply = hasReply;
            this.then = then;
        }
    }

    SimulatedGuest(
            GuestRegion first, GuestRegion second, List<GuestQueue> queues, Negotiated negotiated, boolean writeZeroesOffered, SplittableRandom random,
            Trace trace) {
        this.first = first;
        this.second = second;
        this.queues = queues;
        this.negotiated = negotiated;
        this.writeZeroesOffered = writeZeroesOffered;
        this.random = random;
        this.trace = trace;
    }

    // ---- the connection

    void connect(UnixSocket connected) {
        socket = connected;
        int result = LinuxFile.setNonBlocking(connected.fd().number(), true);
        if (result < 0) {
            throw new IllegalStateException("O_NONBLOCK");
        }
        query("GET_FEATURES", VhostUser.GET_FEATURES, reply -> {
            long zeroes = writeZeroesOffered ? VirtioFeatures.BLK_WRITE_ZEROES : 0;
            long offered = VirtioFeatures.BLK_FLUSH | VirtioFeatures.BLK_CONFIG_WCE | VirtioFeatures.BLK_DISCARD | zeroes
                    | VirtioFeatures.EVENT_IDX | VirtioFeatures.INDIRECT_DESC | negotiated.features();
            require((VhostUser.u64(reply, 0) & offered) == offered, "features are missing");
            require((VhostUser.u64(reply, 0) & VirtioFeatures.BLK_WRITE_ZEROES) == zeroes, "WRITE_ZEROES is not the disk's to offer");
        });
        query("GET_PROTOCOL_FEATURES", VhostUser.GET_PROTOCOL_FEATURES,
                reply -> require((VhostUser.u64(reply, 0) & PROTOCOL) == PROTOCOL, "protocol features are missing"));
        send("SET_PROTOCOL_FEATURES", VhostUser.SET_PROTOCOL_FEATURES, u64(PROTOCOL));
        begin(false);
    }

    /** From SET_OWNER on: a session, the first of its connection or another one. */
    private void begin(boolean again) {
        send("SET_OWNER", VhostUser.SET_OWNER, new byte[0]);
        send("SET_FEATURES", VhostUser.SET_FEATURES, u64(negotiated.features()));
        if (again || random.nextBoolean()) {
            add(first, reply -> {});
        } else {
            memoryTable();
        }
        if (again) {
            GuestQueue queue = queues.getFirst();
            refused("SET_VRING_KICK without addresses", VhostUser.SET_VRING_KICK, u64(queue.index), queue.kickFd());
        }
        secondThere = queues.stream().anyMatch(queue -> queue.uses(second));
        if (secondThere) {
            addSecond();
        }
        for (GuestQueue queue : queues) {
            // As QEMU does, which no back end has told where it had stopped; a driver that starts over does so from nothing.
            start(queue, again ? 0 : queue.deviceUsedIdx());
        }
    }

    /** The device is unplugged and plugged in again on the same connection, as QEMU does it; nothing is outstanding. */
    void replug() {
        for (GuestQueue queue : queues) {
            toSend.add(new Message("GET_VRING_BASE", VhostUser.GET_VRING_BASE, state(queue.index, 0), new int[0], true, reply -> {
                queue.running = false;
                queue.reset();
            }));
        }
        begin(true);
    }

    void memoryTable() {
        byte[] payload = new byte[VhostUser.MEM_TABLE_HEADER_SIZE + VhostUser.REGION_SIZE];
        VhostUser.u32(MemorySegment.ofArray(payload), 0, 1);
        region(payload, VhostUser.MEM_TABLE_HEADER_SIZE, first);
        acked("SET_MEM_TABLE", VhostUser.SET_MEM_TABLE, payload, first.fd());
    }

    private static void region(byte[] payload, int at, GuestRegion region) {
        MemorySegment bytes = MemorySegment.ofArray(payload);
        VhostUser.u64(bytes, at, region.guestAddress());
        VhostUser.u64(bytes, at + 8, region.bytes());
        VhostUser.u64(bytes, at + 16, region.userAddress());
        VhostUser.u64(bytes, at + 24, region.offset());
    }

    void addSecond() {
        add(second, reply -> secondThere = true);
    }

    private void add(GuestRegion region, Consumer<MemorySegment> then) {
        byte[] payload = new byte[VhostUser.MEM_REG_SIZE];
        region(payload, 8, region);
        acked("ADD_MEM_REG", VhostUser.ADD_MEM_REG, payload, then, region.fd());
    }

    void removeSecond() {
        secondThere = false;
        byte[] payload = new byte[VhostUser.MEM_REG_SIZE];
        region(payload, 8, second);
        acked("REM_MEM_REG", VhostUser.REM_MEM_REG, payload);
    }

    private void start(GuestQueue queue, int base) {
        send("SET_VRING_NUM", VhostUser.SET_VRING_NUM, state(queue.index, Layout.QUEUE_SIZE));
        send("SET_VRING_BASE", VhostUser.SET_VRING_BASE, state(queue.index, base));
        byte[] addresses = new byte[VhostUser.VRING_ADDR_SIZE];
        MemorySegment bytes = MemorySegment.ofArray(addresses);
        VhostUser.u32(bytes, 0, queue.index);
        VhostUser.u64(bytes, 8, queue.userAddress(Layout.DESCRIPTORS));
        VhostUser.u64(bytes, 16, queue.userAddress(Layout.USED));
        VhostUser.u64(bytes, 24, queue.userAddress(Layout.AVAIL));
        send("SET_VRING_ADDR", VhostUser.SET_VRING_ADDR, addresses);
        toSend.add(new Message("SET_VRING_ERR", VhostUser.SET_VRING_ERR, u64(queue.index), new int[] {queue.errFd()}, false, reply -> {}));
        call(queue);
        queue.polled = random.nextInt(6) == 0;
        kick(queue, reply -> queue.running = true);
        enable(queue, true);
    }

    private void kick(GuestQueue queue, Consumer<MemorySegment> then) {
        long which = queue.index | (queue.polled ? VhostUser.VRING_NO_FD : 0);
        toSend.add(new Message("SET_VRING_KICK", VhostUser.SET_VRING_KICK, u64(which), queue.polled ? new int[0] : new int[] {queue.kickFd()}, false, then));
    }

    /** Another kick eventfd for a running ring, or none any more. */
    void newKick(GuestQueue queue) {
        queue.newKickFd();
        queue.polled = random.nextInt(6) == 0;
        kick(queue, reply -> {});
    }

    void call(GuestQueue queue) {
        toSend.add(new Message("SET_VRING_CALL", VhostUser.SET_VRING_CALL, u64(queue.index), new int[] {queue.callFd()}, false, reply -> {}));
    }

    void enable(GuestQueue queue, boolean enable) {
        acked("SET_VRING_ENABLE " + enable, VhostUser.SET_VRING_ENABLE, state(queue.index, enable ? 1 : 0));
    }

    /** Stops a ring as a guest's reset or a migration does, and starts it where it stopped. */
    void stopAndStart(GuestQueue queue) {
        enable(queue, false);
        toSend.add(new Message("GET_VRING_BASE", VhostUser.GET_VRING_BASE, state(queue.index, 0), new int[0], true, reply -> {
            queue.running = false;
            int base = VhostUser.u32(reply, 4);
            // Nothing is published of a ring that the guest has broken meanwhile.
            require(queue.broken || base == queue.deviceUsedIdx(),
                    "queue " + queue.index + " stopped at " + base + " with the used index at " + queue.deviceUsedIdx());
            start(queue, base);
        }));
    }

    // ---- the configuration space

    /** What is written has to be durable when it is acknowledged. */
    boolean writeThrough() {
        return !negotiated.flush() || !writeback || refusedWriteThrough;
    }

    boolean writeback() {
        return writeback;
    }

    /** The process has started anew and has read its state file, or could not. */
    void processStarted(boolean stateFileValid) {
        refusedWriteThrough = false;
        writeback &= stateFileValid;
        queues.forEach(queue -> queue.processStarted(writeThrough()));
    }

    void cacheMode(boolean through) {
        byte[] payload = new byte[VhostUser.CONFIG_HEADER_SIZE + 1];
        MemorySegment bytes = MemorySegment.ofArray(payload);
        VhostUser.u32(bytes, 0, VirtioBlkConfig.WRITEBACK);
        VhostUser.u32(bytes, 4, 1);
        payload[VhostUser.CONFIG_HEADER_SIZE] = (byte) (through ? 0 : 1);
        if (!negotiated.wce()) {
            refused("SET_CONFIG without CONFIG_WCE", VhostUser.SET_CONFIG, payload);
            return;
        }
        cacheModeChanges = true;
        boolean refused = stateFileFull;
        toSend.add(new Message("SET_CONFIG writeback " + !through, VhostUser.SET_CONFIG, payload, new int[0], true, reply -> {
            require((VhostUser.u64(reply, 0) != 0) == refused, "SET_CONFIG was answered with " + VhostUser.u64(reply, 0));
            if (refused) {
                refusedWriteThrough |= through;
            } else {
                writeback = !through;
                refusedWriteThrough = false;
            }
            cacheModeChanges = false;
        }));
    }

    void readConfig(BlockGeometry geometry) {
        byte[] payload = new byte[VhostUser.CONFIG_HEADER_SIZE + VirtioBlkConfig.SIZE];
        VhostUser.u32(MemorySegment.ofArray(payload), 4, VirtioBlkConfig.SIZE);
        toSend.add(new Message("GET_CONFIG", VhostUser.GET_CONFIG, payload, new int[0], true, reply -> {
            MemorySegment config = reply.asSlice(VhostUser.CONFIG_HEADER_SIZE);
            int block = geometry.logicalBlockBytes();
            int range = geometry.discard() ? 0x7FFF_F000 / block * (block / DiskModel.SECTOR) : 0;
            field("capacity", VirtioBlkConfig.u64(config, VirtioBlkConfig.CAPACITY), geometry.sizeBytes() / DiskModel.SECTOR);
            field("seg_max", VirtioBlkConfig.u32(config, VirtioBlkConfig.SEG_MAX), SimulatedProcess.SEG_MAX);
            field("blk_size", VirtioBlkConfig.u32(config, VirtioBlkConfig.BLK_SIZE), block);
            field("physical_block_exp", 1L << VirtioBlkConfig.u8(config, VirtioBlkConfig.PHYSICAL_BLOCK_EXP), geometry.physicalBlockBytes() / block);
            field("min_io_size", VirtioBlkConfig.u16(config, VirtioBlkConfig.MIN_IO_SIZE), geometry.physicalBlockBytes() / block);
            field("opt_io_size", VirtioBlkConfig.u32(config, VirtioBlkConfig.OPT_IO_SIZE), geometry.optimalIoBytes() / block);
            field("writeback", VirtioBlkConfig.u8(config, VirtioBlkConfig.WRITEBACK), writeback && (negotiated.flush() || !negotiated.wce()) ? 1 : 0);
            field("num_queues", VirtioBlkConfig.u16(config, VirtioBlkConfig.NUM_QUEUES), queues.size());
            field("max_discard_sectors", VirtioBlkConfig.u32(config, VirtioBlkConfig.MAX_DISCARD_SECTORS), range);
            field("max_write_zeroes_sectors", VirtioBlkConfig.u32(config, VirtioBlkConfig.MAX_WRITE_ZEROES_SECTORS),
                    writeZeroesOffered ? 0x7FFF_F000 / DiskModel.SECTOR : 0);
        }));
    }

    private static void field(String name, long found, long expected) {
        require(found == expected, "the configuration space has " + name + " " + found + ", not " + expected);
    }

    // ---- what a front end must not do

    /** Something that has to be refused; the connection goes on. */
    void misbehave() {
        GuestQueue queue = queues.get(random.nextInt(queues.size()));
        switch (random.nextInt(6)) {
            case 0 -> overlapping(first.guestAddress() + 4096, 0x7d00_0000_0000L);
            case 1 -> overlapping(first.guestAddress() - 4096, 0x7d00_0000_0000L);
            case 2 -> overlapping(0x8000_0000L, first.userAddress() + (random.nextBoolean() ? 4096 : -4096));
            case 3 -> refusedWhileStarted("SET_FEATURES", VhostUser.SET_FEATURES, u64(negotiated.features() ^ VirtioFeatures.BLK_MQ));
            case 4 -> refused("SET_VRING_NUM 48", VhostUser.SET_VRING_NUM, state(queue.index, 48));
            default -> refusedWhileStarted("SET_VRING_BASE", VhostUser.SET_VRING_BASE, state(queue.index, 1));
        }
    }

    /** A ring that the guest has broken does not start again with new memory: then it may be accepted, and the connection ends soon. */
    private void refusedWhileStarted(String name, int request, byte[] payload) {
        if (queues.stream().noneMatch(queue -> queue.broken)) {
            toSend.add(new Message(name + " of a started ring", request, payload, new int[0], true,
                    reply -> require(VhostUser.u64(reply, 0) != 0 || queues.stream().anyMatch(queue -> queue.broken),
                            name + " of a started ring was accepted")));
        }
    }

    private void overlapping(long guestAddress, long userAddress) {
        byte[] payload = new byte[VhostUser.MEM_REG_SIZE];
        MemorySegment bytes = MemorySegment.ofArray(payload);
        VhostUser.u64(bytes, 8, guestAddress);
        VhostUser.u64(bytes, 16, 8192);
        VhostUser.u64(bytes, 24, userAddress);
        refused("ADD_MEM_REG that overlaps", VhostUser.ADD_MEM_REG, payload, second.fd());
    }

    private void refused(String name, int request, byte[] payload, int... fds) {
        toSend.add(new Message(name, request, payload, fds, true, reply -> require(VhostUser.u64(reply, 0) != 0, name + " was accepted")));
    }

    // ---- messages

    private static byte[] u64(long value) {
        byte[] bytes = new byte[8];
        VhostUser.u64(MemorySegment.ofArray(bytes), 0, value);
        return bytes;
    }

    private static byte[] state(int index, int value) {
        byte[] bytes = new byte[VhostUser.VRING_STATE_SIZE];
        VhostUser.u32(MemorySegment.ofArray(bytes), 0, index);
        VhostUser.u32(MemorySegment.ofArray(bytes), 4, value);
        return bytes;
    }

    private void send(String name, int request, byte[] payload) {
        toSend.add(new Message(name, request, payload, new int[0], false, reply -> {}));
    }

    private void query(String name, int request, Consumer<MemorySegment> then) {
        toSend.add(new Message(name, request, new byte[0], new int[0], true, then));
    }

    private void acked(String name, int request, byte[] payload, int... fds) {
        acked(name, request, payload, reply -> {}, fds);
    }

    private void acked(String name, int request, byte[] payload, Consumer<MemorySegment> then, int... fds) {
        toSend.add(new Message(name, request, payload, fds, true, reply -> {
            require(VhostUser.u64(reply, 0) == 0, name + " was refused");
            then.accept(reply);
        }));
    }

    private static void require(boolean condition, String what) {
        if (!condition) {
            throw new Violation(what);
        }
    }

    boolean busy() {
        return awaiting != null || !toSend.isEmpty();
    }

    boolean connected() {
        return socket != null;
    }

    /** Sends the next message if none is under way. True if it did: the session has something to serve. */
    boolean sendNext() {
        UnixSocket to = socket;
        if (to == null || awaiting != null || toSend.isEmpty()) {
            return false;
        }
        Message message = toSend.remove();
        boolean ownReply = switch (message.request) {
            case VhostUser.GET_FEATURES, VhostUser.GET_PROTOCOL_FEATURES, VhostUser.GET_VRING_BASE, VhostUser.GET_CONFIG -> true;
            default -> false;
        };
        MemorySegment bytes = buffer.segment();
        VhostUser.u32(bytes, 0, message.request);
        VhostUser.u32(bytes, 4, VhostUser.VERSION | (message.hasReply && (!ownReply || random.nextBoolean()) ? VhostUser.FLAG_NEED_REPLY : 0));
        VhostUser.u32(bytes, 8, message.payload.length);
        MemorySegment.copy(MemorySegment.ofArray(message.payload), 0, bytes, VhostUser.HEADER_SIZE, message.payload.length);
        int length = VhostUser.HEADER_SIZE + message.payload.length;
        require(to.send(buffer.address(), length, message.fds) == length, "a message was not sent whole");
        trace.add("front end sends " + message.name + " " + Arrays.toString(message.payload.length > 16 ? new byte[0] : message.payload));
        if (message.hasReply) {
            awaiting = message;
            received = 0;
        } else {
            message.then.accept(MemorySegment.NULL);
        }
        return true;
    }

    /** Takes a reply if it is there. */
    void receive() {
        UnixSocket from = socket;
        Message message = awaiting;
        if (from == null || message == null) {
            return;
        }
        try (ReceivedFds none = new ReceivedFds(1)) {
            int result = from.receive(buffer.address() + 512 + received, 512 - received, none);
            if (result <= 0) {
                return;
            }
            received += result;
        }
        MemorySegment bytes = buffer.segment().asSlice(512);
        if (received < VhostUser.HEADER_SIZE || received < VhostUser.HEADER_SIZE + VhostUser.u32(bytes, 8)) {
            return;
        }
        require(received == VhostUser.HEADER_SIZE + VhostUser.u32(bytes, 8), "two replies to " + message.name);
        require(VhostUser.u32(bytes, 0) == message.request, "the reply to " + message.name + " is one to request " + VhostUser.u32(bytes, 0));
        require((VhostUser.u32(bytes, 4) & ~VhostUser.FLAG_NEED_REPLY) == (VhostUser.VERSION | VhostUser.FLAG_REPLY),
                "the reply to " + message.name + " has flags "
                        + VhostUser.u32(bytes, 4));
        awaiting = null;
        trace.add("front end has the reply to " + message.name);
        message.then.accept(bytes.asSlice(VhostUser.HEADER_SIZE));
    }

    /** The connection ends, whatever was under way. */
    void disconnect() {
        UnixSocket ended = socket;
        socket = null;
        if (ended != null) {
            ended.close();
        }
        toSend.clear();
        awaiting = null;
        secondThere = false;
        cacheModeChanges = false;
    }

    @Override
    public void close() {
        disconnect();
        buffer.close();
        queues.forEach(GuestQueue::close);
        first.close();
        second.close();
    }
}
