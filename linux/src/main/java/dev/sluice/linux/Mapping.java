package dev.sluice.linux;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A range of addresses mapped by mmap(2).
 *
 * <p><b>Threading</b>: any thread may access the memory; {@link #close()} is idempotent and thread safe, and its caller
 * orders it after the last access. An access after it kills the JVM (SIGSEGV, which the JVM does not translate, unlike
 * the SIGBUS of a truncated file, see {@link NativeMemory}). <b>Ownership</b>: the range is this object's; the file
 * descriptor stays the caller's and may be closed at once. <b>Failure</b>: {@link ErrnoException} from the factories,
 * {@code IllegalStateException} from {@link #address()} after close. <b>Allocation</b>: the object. Source: mmap(2).
 */
public final class Mapping implements AutoCloseable {
    public static final int PROT_NONE = 0;
    public static final int PROT_READ = 1;
    public static final int PROT_WRITE = 2;
    public static final int MAP_SHARED = 0x01;
    public static final int MAP_PRIVATE = 0x02;
    public static final int MAP_ANONYMOUS = 0x20;
    public static final int MAP_NORESERVE = 0x4000;
    public static final int MAP_POPULATE = 0x8000;
    public static final int MAP_HUGETLB = 0x40000;

    private static final Libc.Call6 MMAP = new Libc.Call6(Libc.returningLong("mmap"));
    private static final Libc.Call2 MUNMAP = new Libc.Call2(Libc.returningInt("munmap"));
    private static final Libc.Call3 MINCORE = new Libc.Call3(Libc.returningInt("mincore"));
    private static final int MAP_FIXED = 0x10;
    private static final int NO_FD = -1;

    /** Apart, so that a start does not link what it has no use for. */
    private static final class Pages {
        static final int BYTES = (int) new Libc.Call0(Libc.unfailing("getpagesize")).call();
    }

    private final long address;
    private final long bytes;
    private final AtomicBoolean unmapped = new AtomicBoolean();

    private Mapping(long address, long bytes) {
        this.address = address;
        this.bytes = bytes;
    }

    /** The size of a page, of which an offset into a file is a multiple: 4096 on x86_64; 4096, 16384 or 65536 on aarch64, depending on the kernel. */
    public static int pageBytes() {
        return Pages.BYTES;
    }

    /** Maps a file shared, for reading and writing. */
    public static Mapping shared(int fd, long offset, long bytes) throws IOException {
        return map(fd, offset, bytes, PROT_READ | PROT_WRITE, MAP_SHARED);
    }

    /** Maps zeroed memory of this process. */
    public static Mapping anonymous(long bytes) throws IOException {
        return map(NO_FD, 0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    }

    /**
     * Maps {@code bytes} of {@code fd} from {@code offset}, which is a multiple of the page size of the file.
     *
     * @param protection PROT_ flags
     * @param flags MAP_ flags; MAP_FIXED is refused, it could replace memory of the JVM
     */
    public static Mapping map(int fd, long offset, long bytes, int protection, int flags) throws IOException {
        if (bytes <= 0 || offset < 0) {
            throw new IllegalArgumentException("cannot map " + bytes + " bytes from offset " + offset);
        }
        if ((flags & MAP_FIXED) != 0) {
            throw new IllegalArgumentException("MAP_FIXED is not supported");
        }
        long address = MMAP.call(0, bytes, protection, flags, fd, offset);
        if (address < 0) {
            throw new ErrnoException("mmap", "of " + bytes + " bytes from offset " + offset, (int) address, "");
        }
        return new Mapping(address, bytes);
    }

    /**
     * Which pages of a mapped range are in memory: bit 0 of a byte for each. A page that is said to be may be gone at once. Without write permission for the
     * file all are said to be. Any thread; allocates nothing. Source: mincore(2).
     *
     * @param address of a page
     * @param vectorAddress a byte for each page that the range touches
     * @return 0 or a negative errno
     */
    public static int mincore(long address, long bytes, long vectorAddress) {
        return (int) MINCORE.call(address, bytes, vectorAddress);
    }

    public long address() {
        if (unmapped.get()) {
            throw new IllegalStateException("mapping is closed");
        }
        return address;
    }

    public long bytes() {
        return bytes;
    }

    /**
     * A bounds-checked view of a part, for bulk copies; it does not notice when the mapping is closed. See
     * {@link NativeMemory} for why memory shared with a peer is not parsed through it.
     */
    public MemorySegment view(long offset, long length) {
        Objects.checkFromIndexSize(offset, length, bytes);
        return NativeMemory.view(address() + offset, length);
    }

    @Override
    public void close() {
        if (unmapped.compareAndSet(false, true)) {
            long result = MUNMAP.call(address, bytes);
            assert result == 0 : "munmap: " + result;
        }
    }

    @Override
    public String toString() {
        return "Mapping[0x" + Long.toHexString(address) + ", " + bytes + " bytes" + (unmapped.get() ? ", closed]" : "]");
    }
}
