package dev.sluice.simulation;

import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.Mapping;
import dev.sluice.linux.Memfd;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A memory file of the guest's, whose region starts behind its beginning, and a second copy of it: whatever differs between the two that the driver has not
 * allowed was written by a device that must not.
 */
final class GuestRegion implements AutoCloseable {
    static final String NAME = "simulated-guest";

    private final Fd file;
    private final Mapping mapping;
    private final MemorySegment live;
    private final MemorySegment shadow;
    private final long offset;
    private final long bytes;
    private final long guestAddress;
    private final long userAddress;

    GuestRegion(long guestAddress, long userAddress, long offset, long bytes) throws IOException {
        this.guestAddress = guestAddress;
        this.userAddress = userAddress;
        this.offset = offset;
        this.bytes = bytes;
        int number = Memfd.create(NAME, Memfd.MFD_CLOEXEC);
        this.file = Fd.adopt(number);
        if (LinuxFile.ftruncate(number, offset + bytes) < 0) {
            throw new IOException("ftruncate");
        }
        this.mapping = Mapping.shared(number, 0, offset + bytes);
        this.live = mapping.view(0, offset + bytes);
        this.shadow = MemorySegment.ofArray(new byte[(int) (offset + bytes)]);
        // A pattern of the driver's own everywhere: what is zero could be written over with zeroes unseen.
        for (long i = 0; i <= offset + bytes - Long.BYTES; i += Long.BYTES) {
            live.set(ValueLayout.JAVA_LONG_UNALIGNED, i, 0x5AA5_0000_0000_0000L | i);
        }
        shadow.copyFrom(live);
    }

    int fd() {
        return file.number();
    }

    long offset() {
        return offset;
    }

    long bytes() {
        return bytes;
    }

    long guestAddress() {
        return guestAddress;
    }

    long userAddress() {
        return userAddress;
    }

    /** The region, from its first byte. */
    MemorySegment memory() {
        return live.asSlice(offset, bytes);
    }

    /** The driver has written here, or lets the device write. */
    void changed(long at, long length) {
        MemorySegment.copy(live, offset + at, shadow, offset + at, length);
    }

    /** As it is now, to be {@linkplain #restore restored} when whatever happens until then has not happened. */
    byte[] snapshot() {
        return live.toArray(ValueLayout.JAVA_BYTE);
    }

    void restore(byte[] snapshot) {
        live.copyFrom(MemorySegment.ofArray(snapshot));
        shadow.copyFrom(live);
    }

    void check() {
        long different = live.mismatch(shadow);
        if (different >= 0) {
            long at = different - offset;
            throw new Violation("guest memory was written at "
                    + (at < 0 ? at + " (before the region)" : "0x" + Long.toHexString(guestAddress + at) + " (offset " + at + ")")
                    + ", where the driver has given nothing to write");
        }
    }

    @Override
    public void close() {
        mapping.close();
        file.close();
    }
}
