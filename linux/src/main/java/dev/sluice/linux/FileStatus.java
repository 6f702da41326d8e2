package dev.sluice.linux;

import java.lang.foreign.Arena;

/**
 * The result of statx(2) on an open file, from {@link LinuxFile#status}.
 *
 * <p><b>Threading</b>: immutable. <b>Failure</b>: {@link ErrnoException} from the call. Source: statx(2).
 *
 * @param mode type and permission bits, as in {@code stx_mode}
 * @param sizeBytes of a regular file; 0 for a block device, whose size is {@link BlockDeviceIoctl#sizeBytes}
 * @param allocatedBlocks allocated blocks of 512 bytes
 * @param dioMemoryAlign alignment in bytes of buffers for O_DIRECT; 0 if the kernel does not report it (before 6.1,
 *     or on this file system) or does not allow O_DIRECT on this file
 * @param dioOffsetAlign alignment in bytes of offsets and lengths for O_DIRECT; 0 as above
 * @param inode number within the device
 * @param device the device that holds the file, as {@code major << 32 | minor}
 * @param specialDevice the device that the file represents, if any, in the same form
 */
public record FileStatus(
        int mode,
        long sizeBytes,
        long allocatedBlocks,
        int dioMemoryAlign,
        int dioOffsetAlign,
        long inode,
        long device,
        long specialDevice) {

    /** The kind of file, as far as a block backend is concerned. */
    public enum Type {
        REGULAR,
        BLOCK_DEVICE,
        OTHER
    }

    static final int SIZE = 256;
    static final int MASK_OFFSET = 0x00;
    static final int MODE_OFFSET = 0x1c;
    static final int INODE_OFFSET = 0x20;
    static final int SIZE_BYTES_OFFSET = 0x28;
    static final int BLOCKS_OFFSET = 0x30;
    static final int SPECIAL_MAJOR_OFFSET = 0x80;
    static final int SPECIAL_MINOR_OFFSET = 0x84;
    static final int DEVICE_MAJOR_OFFSET = 0x88;
    static final int DEVICE_MINOR_OFFSET = 0x8c;
    static final int DIO_MEMORY_ALIGN_OFFSET = 0x98;
    static final int DIO_OFFSET_ALIGN_OFFSET = 0x9c;

    private static final int STATX_BASIC_STATS = 0x7ff;
    private static final int STATX_DIOALIGN = 0x2000;
    private static final int AT_EMPTY_PATH = 0x1000;
    private static final int TYPE_MASK = 0xf000;
    private static final int TYPE_REGULAR = 0x8000;
    private static final int TYPE_BLOCK_DEVICE = 0x6000;

    private static final Libc.Call5 STATX = new Libc.Call5(Libc.returningInt("statx"));

    static FileStatus of(int fd) throws ErrnoException {
        try (Arena arena = Arena.ofConfined()) {
            long statx = arena.allocate(SIZE, 8).address();
            long emptyPath = arena.allocateFrom("").address();
            long result = STATX.call(fd, emptyPath, AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_DIOALIGN, statx);
            if (result < 0) {
                throw new ErrnoException("statx", LinuxFile.descriptorName(fd), (int) result, "");
            }
            boolean dioKnown = (NativeMemory.getInt(statx + MASK_OFFSET) & STATX_DIOALIGN) != 0;
            return new FileStatus(
                    Short.toUnsignedInt(NativeMemory.getShort(statx + MODE_OFFSET)),
                    NativeMemory.getLong(statx + SIZE_BYTES_OFFSET),
                    NativeMemory.getLong(statx + BLOCKS_OFFSET),
                    dioKnown ? NativeMemory.getInt(statx + DIO_MEMORY_ALIGN_OFFSET) : 0,
                    dioKnown ? NativeMemory.getInt(statx + DIO_OFFSET_ALIGN_OFFSET) : 0,
                    NativeMemory.getLong(statx + INODE_OFFSET),
                    device(statx, DEVICE_MAJOR_OFFSET, DEVICE_MINOR_OFFSET),
                    device(statx, SPECIAL_MAJOR_OFFSET, SPECIAL_MINOR_OFFSET));
        }
    }

    private static long device(long statx, int majorOffset, int minorOffset) {
        long major = Integer.toUnsignedLong(NativeMemory.getInt(statx + majorOffset));
        return major << 32 | Integer.toUnsignedLong(NativeMemory.getInt(statx + minorOffset));
    }

    public Type type() {
        return switch (mode & TYPE_MASK) {
            case TYPE_REGULAR -> Type.REGULAR;
            case TYPE_BLOCK_DEVICE -> Type.BLOCK_DEVICE;
            default -> Type.OTHER;
        };
    }

    /** The permission bits only, {@code 0600} for a file that only its owner may access. */
    public int permissions() {
        return mode & 0xfff;
    }
}
