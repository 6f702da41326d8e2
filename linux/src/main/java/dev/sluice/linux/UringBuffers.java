package dev.sluice.linux;

/**
 * The table of registered buffers of an io_uring: memory that the kernel has pinned once, so that READ_FIXED and WRITE_FIXED need not pin it for
 * each request.
 *
 * <p><b>Threading</b>: the thread that submits to the ring, if the ring was created for a single issuer. <b>Ownership</b>: the ring stays its owner's; a
 * buffer stays pinned until its slot is cleared and the last request on it has completed, or the ring is closed. <b>Failure</b>: a negative errno: -EINVAL
 * from a kernel before 5.19, -ENOMEM above RLIMIT_MEMLOCK. <b>Allocation</b>: for the call only. Source: io_uring_register(2).
 */
public final class UringBuffers {
    /** Maximum size of the buffer in one slot. */
    public static final long MAX_BUFFER_BYTES = 1L << 30;

    private static final int SYS_IO_URING_REGISTER = 427;
    private static final int IORING_REGISTER_BUFFERS2 = 15;
    private static final int IORING_REGISTER_BUFFERS_UPDATE = 16;
    private static final int IORING_RSRC_REGISTER_SPARSE = 1;

    private static final Libc.Call5 SYSCALL_4 = new Libc.Call5(Libc.returningLong("syscall"));

    /*
     * struct io_uring_rsrc_register { u32 nr; u32 flags; u64 resv2; u64 data; u64 tags; };
     * struct io_uring_rsrc_update2  { u32 offset; u32 resv; u64 data; u64 tags; u32 nr; u32 resv2; };
     */
    private static final int STRUCT_BYTES = 32;
    private static final int REGISTER_FLAGS = 4;
    private static final int UPDATE_DATA = 8;
    private static final int UPDATE_COUNT = 24;

    private UringBuffers() {}

    /** Gives the ring a table of empty slots. Returns 0 or a negative errno; -EBUSY if it has one. */
    public static int createTable(int ring, int places) {
        try (NativeBlock block = NativeMemory.allocate(STRUCT_BYTES, Long.BYTES)) {
            NativeMemory.putInt(block.address(), places);
            NativeMemory.putInt(block.address() + REGISTER_FLAGS, IORING_RSRC_REGISTER_SPARSE);
            return register(ring, IORING_REGISTER_BUFFERS2, block.address());
        }
    }

    /** Pins memory into a slot of the table. Returns how many slots were set (1), or a negative errno. */
    public static int set(int ring, int place, long address, long bytes) {
        try (NativeBlock block = NativeMemory.allocate(STRUCT_BYTES + Iovec.SIZE, Long.BYTES)) {
            long iovec = block.address() + STRUCT_BYTES;
            Iovec.set(iovec, 0, address, bytes);
            NativeMemory.putInt(block.address(), place);
            NativeMemory.putLong(block.address() + UPDATE_DATA, iovec);
            NativeMemory.putInt(block.address() + UPDATE_COUNT, 1);
            return register(ring, IORING_REGISTER_BUFFERS_UPDATE, block.address());
        }
    }

    /** Clears a slot of the table. Returns as {@link #set}. */
    public static int clear(int ring, int place) {
        return set(ring, place, 0, 0);
    }

    private static int register(int ring, int opcode, long struct) {
        return (int) SYSCALL_4.call(SYS_IO_URING_REGISTER, ring, opcode, struct, STRUCT_BYTES);
    }
}
