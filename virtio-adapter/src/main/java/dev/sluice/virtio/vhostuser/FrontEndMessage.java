package dev.sluice.virtio.vhostuser;

import dev.sluice.virtio.layout.VhostUser;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * What a front end asks for, decoded: payload length and number of descriptors are right, nothing else is checked yet.
 *
 * <p>Descriptors stay in the {@code ReceivedFds} that they came with. Immutable, but for {@link SetConfig#payload}, which is valid until
 * the next message. Source: vhost-user, "Front-end message types".
 */
sealed interface FrontEndMessage {
    record GetFeatures() implements FrontEndMessage {}

    record SetFeatures(long features) implements FrontEndMessage {}

    record GetProtocolFeatures() implements FrontEndMessage {}

    record SetProtocolFeatures(long features) implements FrontEndMessage {}

    record SetOwner() implements FrontEndMessage {}

    record ResetOwner() implements FrontEndMessage {}

    record GetQueueNum() implements FrontEndMessage {}

    record GetMaxMemSlots() implements FrontEndMessage {}

    /** Descriptor i is the file of region i. */
    record SetMemTable(List<Region> regions) implements FrontEndMessage {}

    record AddMemReg(Region region) implements FrontEndMessage {}

    record RemMemReg(Region region) implements FrontEndMessage {}

    record SetVringNum(int index, int size) implements FrontEndMessage {}

    record SetVringBase(int index, int base) implements FrontEndMessage {}

    record GetVringBase(int index) implements FrontEndMessage {}

    record SetVringAddr(int index, long descriptors, long used, long avail) implements FrontEndMessage {}

    record SetVringEnable(int index, int enable) implements FrontEndMessage {}

    /** {@code hasFd}: one descriptor came with it, else none. */
    record SetVringFd(Purpose purpose, int index, boolean hasFd) implements FrontEndMessage {
        enum Purpose {
            KICK,
            CALL,
            ERR
        }
    }

    record GetConfig(int offset, int bytes, int flags) implements FrontEndMessage {}

    /** {@code payload}: the message; the bytes start behind the configuration header. */
    record SetConfig(int offset, int bytes, MemorySegment payload) implements FrontEndMessage {}

    /** A piece of guest memory, as the front end describes it. All values are unsigned 64 bits. */
    record Region(long guestAddress, long sizeBytes, long userAddress, long mmapOffset) {}

    /** True for requests whose reply is what was asked for, so that no reply can say that they were refused. */
    static boolean hasReplyOfItsOwn(int request) {
        return switch (request) {
            case VhostUser.GET_FEATURES,
                    VhostUser.GET_PROTOCOL_FEATURES,
                    VhostUser.GET_QUEUE_NUM,
                    VhostUser.GET_MAX_MEM_SLOTS,
                    VhostUser.GET_VRING_BASE,
                    VhostUser.GET_CONFIG -> true;
            default -> false;
        };
    }

    // ---- decoding

    /**
     * Decodes a payload.
     *
     * @throws ProtocolViolation for a request that this back end has not offered, a payload of the wrong length, a missing descriptor or one too many
     */
    static FrontEndMessage decode(int request, MemorySegment payload, int bytes, int fds) throws ProtocolViolation {
        return switch (request) {
            case VhostUser.GET_FEATURES -> plain("GET_FEATURES", bytes, 0, fds, new GetFeatures());
            case VhostUser.SET_FEATURES -> {
                require("SET_FEATURES", bytes, Long.BYTES, fds, 0);
                yield new SetFeatures(VhostUser.u64(payload, 0));
            }
            case VhostUser.GET_PROTOCOL_FEATURES -> plain("GET_PROTOCOL_FEATURES", bytes, 0, fds, new GetProtocolFeatures());
            case VhostUser.SET_PROTOCOL_FEATURES -> {
                require("SET_PROTOCOL_FEATURES", bytes, Long.BYTES, fds, 0);
                yield new SetProtocolFeatures(VhostUser.u64(payload, 0));
            }
            case VhostUser.SET_OWNER -> plain("SET_OWNER", bytes, 0, fds, new SetOwner());
            case VhostUser.RESET_OWNER -> plain("RESET_OWNER", bytes, 0, fds, new ResetOwner());
            case VhostUser.GET_QUEUE_NUM -> plain("GET_QUEUE_NUM", bytes, 0, fds, new GetQueueNum());
            case VhostUser.GET_MAX_MEM_SLOTS -> plain("GET_MAX_MEM_SLOTS", bytes, 0, fds, new GetMaxMemSlots());
            case VhostUser.SET_MEM_TABLE -> memTable(payload, bytes, fds);
            case VhostUser.ADD_MEM_REG -> {
                require("ADD_MEM_REG", bytes, VhostUser.MEM_REG_SIZE, fds, 1);
                yield new AddMemReg(region(payload, Long.BYTES));
            }
            case VhostUser.REM_MEM_REG -> {
                // vhost-user, "REM_MEM_REG": a descriptor may come with it for compatibility; it is closed unread.
                require("REM_MEM_REG", bytes, VhostUser.MEM_REG_SIZE, Math.max(0, fds - 1), 0);
                yield new RemMemReg(region(payload, Long.BYTES));
            }
            case VhostUser.SET_VRING_NUM -> {
                require("SET_VRING_NUM", bytes, VhostUser.VRING_STATE_SIZE, fds, 0);
                yield new SetVringNum(VhostUser.u32(payload, 0), VhostUser.u32(payload, 4));
            }
            case VhostUser.SET_VRING_BASE -> {
                require("SET_VRING_BASE", bytes, VhostUser.VRING_STATE_SIZE, fds, 0);
                yield new SetVringBase(VhostUser.u32(payload, 0), VhostUser.u32(payload, 4));
            }
            case VhostUser.GET_VRING_BASE -> {
                require("GET_VRING_BASE", bytes, VhostUser.VRING_STATE_SIZE, fds, 0);
                yield new GetVringBase(VhostUser.u32(payload, 0));
            }
            case VhostUser.SET_VRING_ADDR -> {
                require("SET_VRING_ADDR", bytes, VhostUser.VRING_ADDR_SIZE, fds, 0);
                yield new SetVringAddr(VhostUser.u32(payload, 0), VhostUser.u64(payload, 8), VhostUser.u64(payload, 16), VhostUser.u64(payload, 24));
            }
            case VhostUser.SET_VRING_ENABLE -> {
                require("SET_VRING_ENABLE", bytes, VhostUser.VRING_STATE_SIZE, fds, 0);
                yield new SetVringEnable(VhostUser.u32(payload, 0), VhostUser.u32(payload, 4));
            }
            case VhostUser.SET_VRING_KICK -> vringFd(SetVringFd.Purpose.KICK, payload, bytes, fds);
            case VhostUser.SET_VRING_CALL -> vringFd(SetVringFd.Purpose.CALL, payload, bytes, fds);
            case VhostUser.SET_VRING_ERR -> vringFd(SetVringFd.Purpose.ERR, payload, bytes, fds);
            case VhostUser.GET_CONFIG -> getConfig(payload, bytes, fds);
            case VhostUser.SET_CONFIG -> setConfig(payload, bytes, fds);
            default -> throw ProtocolViolation.refused("request " + Integer.toUnsignedString(request) + " is not one that this back end has offered");
        };
    }

    private static FrontEndMessage plain(String name, int bytes, int expected, int fds, FrontEndMessage message) throws ProtocolViolation {
        require(name, bytes, expected, fds, 0);
        return message;
    }

    private static void require(String name, int bytes, int expectedBytes, int fds, int expectedFds) throws ProtocolViolation {
        if (bytes != expectedBytes) {
            throw ProtocolViolation.refused(name + " has a payload of " + bytes + " bytes, not of " + expectedBytes);
        }
        requireFds(name, fds, expectedFds);
    }

    private static void requireFds(String name, int fds, int expected) throws ProtocolViolation {
        if (fds != expected) {
            throw ProtocolViolation.refused(name + " comes with " + fds + " file descriptors, not with " + expected);
        }
    }

    private static FrontEndMessage memTable(MemorySegment payload, int bytes, int fds) throws ProtocolViolation {
        int count = bytes < VhostUser.MEM_TABLE_HEADER_SIZE ? 0 : VhostUser.u32(payload, 0);
        if (count < 1 || count > VhostUser.MEM_TABLE_MAX_REGIONS) {
            throw ProtocolViolation.refused("SET_MEM_TABLE has " + Integer.toUnsignedString(count) + " regions; 1 to "
                    + VhostUser.MEM_TABLE_MAX_REGIONS + " are possible");
        }
        require("SET_MEM_TABLE", bytes, VhostUser.MEM_TABLE_HEADER_SIZE + count * VhostUser.REGION_SIZE, fds, count);
        List<Region> regions = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            regions.add(region(payload, VhostUser.MEM_TABLE_HEADER_SIZE + (long) i * VhostUser.REGION_SIZE));
        }
        return new SetMemTable(List.copyOf(regions));
    }

    private static Region region(MemorySegment payload, long at) {
        return new Region(VhostUser.u64(payload, at), VhostUser.u64(payload, at + 8), VhostUser.u64(payload, at + 16), VhostUser.u64(payload, at + 24));
    }

    private static FrontEndMessage vringFd(SetVringFd.Purpose purpose, MemorySegment payload, int bytes, int fds) throws ProtocolViolation {
        String name = "SET_VRING_" + purpose;
        if (bytes != Long.BYTES) {
            throw ProtocolViolation.refused(name + " has a payload of " + bytes + " bytes, not of " + Long.BYTES);
        }
        long value = VhostUser.u64(payload, 0);
        if ((value & ~(VhostUser.VRING_INDEX_MASK | VhostUser.VRING_NO_FD)) != 0) {
            throw ProtocolViolation.refused(name + " has unknown bits: 0x" + Long.toHexString(value));
        }
        boolean hasFd = (value & VhostUser.VRING_NO_FD) == 0;
        requireFds(name, fds, hasFd ? 1 : 0);
        return new SetVringFd(purpose, (int) (value & VhostUser.VRING_INDEX_MASK), hasFd);
    }

    private static FrontEndMessage getConfig(MemorySegment payload, int bytes, int fds) throws ProtocolViolation {
        if (bytes < VhostUser.CONFIG_HEADER_SIZE) {
            throw ProtocolViolation.refused("GET_CONFIG has a payload of " + bytes + " bytes, less than " + VhostUser.CONFIG_HEADER_SIZE);
        }
        requireFds("GET_CONFIG", fds, 0);
        return new GetConfig(VhostUser.u32(payload, 0), VhostUser.u32(payload, 4), VhostUser.u32(payload, 8));
    }

    private static FrontEndMessage setConfig(MemorySegment payload, int bytes, int fds) throws ProtocolViolation {
        if (bytes < VhostUser.CONFIG_HEADER_SIZE) {
            throw ProtocolViolation.refused("SET_CONFIG has a payload of " + bytes + " bytes, less than " + VhostUser.CONFIG_HEADER_SIZE);
        }
        int size = VhostUser.u32(payload, 4);
        if (size != bytes - VhostUser.CONFIG_HEADER_SIZE) {
            throw ProtocolViolation
                    .refused("SET_CONFIG says " + Integer.toUnsignedString(size) + " bytes and brings " + (bytes - VhostUser.CONFIG_HEADER_SIZE));
        }
        requireFds("SET_CONFIG", fds, 0);
        return new SetConfig(VhostUser.u32(payload, 0), size, payload);
    }
}
