package dev.sluice.virtio.layout;

import static dev.sluice.virtio.layout.LittleEndian.U32;
import static dev.sluice.virtio.layout.LittleEndian.U64;

import java.lang.foreign.MemorySegment;

/**
 * Messages of the vhost-user protocol: header, requests and payloads. QEMU {@code docs/interop/vhost-user.rst}.
 *
 * <pre>
 * struct header      { u32 request; u32 flags; u32 size; };                        // 12
 * struct vring_state { u32 index; u32 num; };                                      // 8
 * struct vring_addr  { u32 index; u32 flags; u64 descriptor; u64 used; u64 available; u64 log; };   // 40, front-end virtual addresses
 * struct region      { u64 guest_address; u64 size; u64 user_address; u64 mmap_offset; };          // 32
 * struct mem_table   { u32 num_regions; u32 padding; struct region regions[8]; };  // 8 + 32 n
 * struct mem_reg     { u64 padding; struct region region; };                       // 40
 * struct config      { u32 offset; u32 size; u32 flags; u8 payload[size]; };       // 12 + n
 * struct inflight    { u64 mmap_size; u64 mmap_offset; u16 num_queues; u16 queue_size; };          // 20, padded to 24
 * </pre>
 */
public final class VhostUser {
    public static final int HEADER_SIZE = 12;
    public static final int HEADER_REQUEST = 0;
    public static final int HEADER_FLAGS = 4;
    public static final int HEADER_PAYLOAD_BYTES = 8;

    public static final int VERSION = 1;
    public static final int VERSION_MASK = 0x3;
    public static final int FLAG_REPLY = 1 << 2;
    public static final int FLAG_NEED_REPLY = 1 << 3;

    public static final int GET_FEATURES = 1;
    public static final int SET_FEATURES = 2;
    public static final int SET_OWNER = 3;
    public static final int RESET_OWNER = 4;
    public static final int SET_MEM_TABLE = 5;
    public static final int SET_LOG_BASE = 6;
    public static final int SET_LOG_FD = 7;
    public static final int SET_VRING_NUM = 8;
    public static final int SET_VRING_ADDR = 9;
    public static final int SET_VRING_BASE = 10;
    public static final int GET_VRING_BASE = 11;
    public static final int SET_VRING_KICK = 12;
    public static final int SET_VRING_CALL = 13;
    public static final int SET_VRING_ERR = 14;
    public static final int GET_PROTOCOL_FEATURES = 15;
    public static final int SET_PROTOCOL_FEATURES = 16;
    public static final int GET_QUEUE_NUM = 17;
    public static final int SET_VRING_ENABLE = 18;
    public static final int SET_BACKEND_REQ_FD = 21;
    public static final int GET_CONFIG = 24;
    public static final int SET_CONFIG = 25;
    public static final int GET_INFLIGHT_FD = 31;
    public static final int SET_INFLIGHT_FD = 32;
    public static final int RESET_DEVICE = 34;
    public static final int GET_MAX_MEM_SLOTS = 36;
    public static final int ADD_MEM_REG = 37;
    public static final int REM_MEM_REG = 38;
    public static final int SET_STATUS = 39;
    public static final int GET_STATUS = 40;

    public static final long PROTOCOL_F_MQ = 1L << 0;
    public static final long PROTOCOL_F_LOG_SHMFD = 1L << 1;
    public static final long PROTOCOL_F_REPLY_ACK = 1L << 3;
    public static final long PROTOCOL_F_BACKEND_REQ = 1L << 5;
    public static final long PROTOCOL_F_CONFIG = 1L << 9;
    public static final long PROTOCOL_F_BACKEND_SEND_FD = 1L << 10;
    public static final long PROTOCOL_F_INFLIGHT_SHMFD = 1L << 12;
    public static final long PROTOCOL_F_RESET_DEVICE = 1L << 13;
    public static final long PROTOCOL_F_CONFIGURE_MEM_SLOTS = 1L << 15;
    public static final long PROTOCOL_F_STATUS = 1L << 16;

    /** Bits 0 to 7 of a KICK, CALL or ERR payload: the queue. */
    public static final long VRING_INDEX_MASK = 0xFF;
    /** No file descriptor comes with it. */
    public static final long VRING_NO_FD = 1L << 8;

    public static final int VRING_STATE_SIZE = 8;
    public static final int VRING_ADDR_SIZE = 40;
    public static final int REGION_SIZE = 32;
    public static final int MEM_TABLE_HEADER_SIZE = 8;
    public static final int MEM_TABLE_MAX_REGIONS = 8;
    public static final int MEM_REG_SIZE = 40;
    public static final int CONFIG_HEADER_SIZE = 12;
    public static final int CONFIG_MAX_PAYLOAD = 256;

    private VhostUser() {}

    public static int u32(MemorySegment message, long offset) {
        return message.get(U32, offset);
    }

    public static void u32(MemorySegment message, long offset, int value) {
        message.set(U32, offset, value);
    }

    public static long u64(MemorySegment message, long offset) {
        return message.get(U64, offset);
    }

    public static void u64(MemorySegment message, long offset, long value) {
        message.set(U64, offset, value);
    }
}
