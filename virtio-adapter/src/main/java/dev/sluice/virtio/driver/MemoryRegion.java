package dev.sluice.virtio.driver;

import dev.sluice.linux.ErrnoException;
import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.Mapping;
import dev.sluice.linux.Memfd;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * A piece of guest memory: a memfd, mapped here, that a backend maps as well.
 *
 * <p>It has three addresses, as vhost-user wants them: the <em>guest address</em> that descriptors carry, the <em>user
 * address</em> (where it is mapped here) that SET_VRING_ADDR carries, and the offset in {@link #memory()}, which is what
 * code here uses.
 *
 * <p><b>Threading</b>: one thread allocates; any may use the memory. <b>Ownership</b>: its {@link DriverMemory} closes it.
 * <b>Failure</b>: {@code IllegalStateException} when it is full. <b>Allocation</b>: at creation only.
 */
public final class MemoryRegion {
    private final long guestAddress;
    private final long fileOffset;
    private final Fd fd;
    private final Mapping mapping;
    private final MemorySegment memory;
    private long allocatedBytes;

    private MemoryRegion(long guestAddress, long fileOffset, Fd fd, Mapping mapping) {
        this.guestAddress = guestAddress;
        this.fileOffset = fileOffset;
        this.fd = fd;
        this.mapping = mapping;
        this.memory = mapping.view(0, mapping.bytes());
    }

    static MemoryRegion create(long guestAddress, long bytes, long fileOffset) throws IOException {
        long pageBytes = Mapping.pageBytes();
        if (bytes <= 0 || bytes % pageBytes != 0 || guestAddress % pageBytes != 0 || fileOffset % pageBytes != 0) {
            throw new IllegalArgumentException("region of " + bytes + " bytes at 0x" + Long.toHexString(guestAddress)
                    + ", file offset " + fileOffset + ": all three are multiples of " + pageBytes);
        }
        int number = Memfd.create("sluice-driver", Memfd.MFD_CLOEXEC | Memfd.MFD_ALLOW_SEALING);
        if (number < 0) {
            throw new ErrnoException("memfd_create", "", number, "");
        }
        Fd fd = Fd.adopt(number);
        try {
            int result = LinuxFile.ftruncate(number, fileOffset + bytes);
            if (result < 0) {
                throw new ErrnoException("ftruncate", "of guest memory to " + bytes + " bytes", result, "");
            }
            return new MemoryRegion(guestAddress, fileOffset, fd, Mapping.shared(number, fileOffset, bytes));
        } catch (IOException | RuntimeException | Error e) {
            fd.close();
            throw e;
        }
    }

    /** The guest physical address of its first byte. */
    public long guestAddress() {
        return guestAddress;
    }

    /** The address of its first byte in this process. */
    public long userAddress() {
        return mapping.address();
    }

    /** Its size in bytes. */
    public long bytes() {
        return mapping.bytes();
    }

    /** Where it starts in its file, {@code mmap_offset} of the memory table. */
    public long fileOffset() {
        return fileOffset;
    }

    /** Its memfd; it stays this region's. Tests truncate it behind a backend's back. */
    public int fd() {
        return fd.number();
    }

    /** All of it, bounds checked. */
    public MemorySegment memory() {
        return memory;
    }

    /** True where a whole range of guest addresses lies in it. */
    public boolean contains(long address, long length) {
        long offset = address - guestAddress;
        return offset >= 0 && length >= 0 && offset <= bytes() && length <= bytes() - offset;
    }

    /** True where {@link #allocate} has room for it. */
    public boolean fits(long length, long alignment) {
        long offset = aligned(alignment);
        return offset <= bytes() && length <= bytes() - offset;
    }

    /** Reserves zeroed bytes for as long as the region lives; {@code alignment} is a power of two. Returns the offset. */
    public long allocate(long length, long alignment) {
        if (length < 0 || Long.bitCount(alignment) != 1) {
            throw new IllegalArgumentException("cannot allocate " + length + " bytes aligned to " + alignment);
        }
        long offset = aligned(alignment);
        if (!fits(length, alignment)) {
            throw new IllegalStateException(length + " bytes do not fit: " + allocatedBytes + " of " + bytes()
                    + " bytes of guest memory are in use");
        }
        allocatedBytes = offset + length;
        return offset;
    }

    private long aligned(long alignment) {
        return (allocatedBytes + alignment - 1) & -alignment;
    }

    void close() {
        mapping.close();
        fd.close();
    }

    @Override
    public String toString() {
        return "MemoryRegion[0x" + Long.toHexString(guestAddress) + ", " + bytes() + " bytes]";
    }
}
