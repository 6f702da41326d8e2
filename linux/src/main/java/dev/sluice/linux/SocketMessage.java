package dev.sluice.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * {@code struct msghdr} with one iovec and room for the descriptors of one message, reused for every call.
 *
 * <pre>{@code
 * struct msghdr {
 *     void         *msg_name;
 *     socklen_t     msg_namelen;      // then 4 bytes of padding
 *     struct iovec *msg_iov;
 *     size_t        msg_iovlen;
 *     void         *msg_control;
 *     size_t        msg_controllen;
 *     int           msg_flags;        // then 4 bytes of padding
 * };
 * struct cmsghdr {
 *     size_t cmsg_len;                // the header included
 *     int    cmsg_level;
 *     int    cmsg_type;
 *     // data follows, the next header at the next multiple of 8
 * };
 * }</pre>
 *
 * <p><b>Threading</b>: one thread at a time. <b>Ownership</b>: the block lives as long as this object, so that a close
 * of the socket on another thread never frees what the kernel writes to. <b>Allocation</b>: at first use. Source:
 * recvmsg(2), cmsg(3).
 */
final class SocketMessage {
    static final int MSGHDR_SIZE = 56;
    static final int IOV_OFFSET = 16;
    static final int IOV_COUNT_OFFSET = 24;
    static final int CONTROL_OFFSET = 32;
    static final int CONTROL_LENGTH_OFFSET = 40;
    static final int FLAGS_OFFSET = 48;

    static final int CMSGHDR_SIZE = 16;
    static final int CMSG_LENGTH_OFFSET = 0;
    static final int CMSG_LEVEL_OFFSET = 8;
    static final int CMSG_TYPE_OFFSET = 12;

    private static final int SOL_SOCKET = 1;
    private static final int SCM_RIGHTS = 1;
    private static final int MSG_CTRUNC = 0x8;

    private static final int IOVEC_START = 64;
    private static final int CONTROL_START = 80;
    private static final int BLOCK_BYTES = CONTROL_START + CMSGHDR_SIZE + 4 * ReceivedFds.MAX_PER_MESSAGE + 4;

    private @Nullable MemorySegment block;

    /** Fills the header for recvmsg(2); returns its address. */
    long prepareReceive(long address, int bytes, int fdCapacity) {
        // cmsg(3): CMSG_LEN without the padding of CMSG_SPACE, in which the kernel would place one descriptor more.
        return prepare(address, bytes, fdCapacity == 0 ? 0 : CMSGHDR_SIZE + 4L * fdCapacity);
    }

    /** Fills the header and the control message for sendmsg(2); returns its address. */
    long prepareSend(long address, int bytes, int[] fds) {
        long controlBytes = fds.length == 0 ? 0 : CMSGHDR_SIZE + 4L * fds.length;
        long message = prepare(address, bytes, controlBytes);
        long control = message + CONTROL_START;
        NativeMemory.putLong(control + CMSG_LENGTH_OFFSET, controlBytes);
        NativeMemory.putInt(control + CMSG_LEVEL_OFFSET, SOL_SOCKET);
        NativeMemory.putInt(control + CMSG_TYPE_OFFSET, SCM_RIGHTS);
        for (int i = 0; i < fds.length; i++) {
            NativeMemory.putInt(control + CMSGHDR_SIZE + 4L * i, fds[i]);
        }
        return message;
    }

    private long prepare(long address, int bytes, long controlBytes) {
        MemorySegment memory = block;
        if (memory == null) {
            memory = Arena.ofAuto().allocate(BLOCK_BYTES, 16);
            block = memory;
        }
        long message = memory.address();
        Iovec.set(message + IOVEC_START, 0, address, bytes);
        NativeMemory.putLong(message + IOV_OFFSET, message + IOVEC_START);
        NativeMemory.putLong(message + IOV_COUNT_OFFSET, 1);
        NativeMemory.putLong(message + CONTROL_OFFSET, controlBytes == 0 ? 0 : message + CONTROL_START);
        NativeMemory.putLong(message + CONTROL_LENGTH_OFFSET, controlBytes);
        NativeMemory.putInt(message + FLAGS_OFFSET, 0);
        return message;
    }

    /** Moves the descriptors that recvmsg(2) installed into {@code fds}. */
    void collect(ReceivedFds fds) {
        MemorySegment memory = block;
        if (memory == null) {
            throw new IllegalStateException("no message was received");
        }
        long message = memory.address();
        if ((NativeMemory.getInt(message + FLAGS_OFFSET) & MSG_CTRUNC) != 0) {
            fds.markTruncated();
        }
        // recvmsg(2): msg_controllen is now the length of what the kernel has written.
        long remaining = NativeMemory.getLong(message + CONTROL_LENGTH_OFFSET);
        long control = message + CONTROL_START;
        while (remaining >= CMSGHDR_SIZE) {
            long length = NativeMemory.getLong(control + CMSG_LENGTH_OFFSET);
            if (length < CMSGHDR_SIZE || length > remaining) {
                return;
            }
            if (NativeMemory.getInt(control + CMSG_LEVEL_OFFSET) == SOL_SOCKET
                    && NativeMemory.getInt(control + CMSG_TYPE_OFFSET) == SCM_RIGHTS) {
                for (long at = CMSGHDR_SIZE; at + 4 <= length; at += 4) {
                    fds.append(NativeMemory.getInt(control + at));
                }
            }
            long step = (length + 7) & ~7L;
            control += step;
            remaining -= step;
        }
    }
}
