package dev.sluice.virtio.queue;

import dev.sluice.virtio.layout.VirtqDesc;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * The buffers of one chain: every descriptor is read once, judged, and kept as a copy that the guest cannot change any more.
 *
 * <p>Buffers of length zero are skipped. What breaks a rule is named by {@link #brokenRule}. After a rule whose breach leaves the way ahead
 * clear the walk goes on, so that the last writable byte is known and can carry a status; after others it has
 * {@linkplain #lostTheWay lost the way}.
 *
 * <p><b>Threading:</b> one per queue, on its loop; {@link #walk} replaces what was there. <b>Failure:</b> as data, see above;
 * {@code InternalError} as in {@link SplitRing}. <b>Allocation:</b> none. Source: VIRTIO 1.3 §2.7.5.
 */
public final class DescriptorChain {
    /** A header of 16 bytes may come in as many descriptors; the status byte takes one more. */
    private static final int HEADER_AND_STATUS = 17;

    /** Entries of an indirect table that are read at most: far more than are served, so that the status of a chain that is too long is found. */
    private static final int MAX_INDIRECT_ENTRIES = 4096;

    private final SplitRing ring;
    private final GuestMemory.Cursor memory;
    private final long[] address;
    private final long[] length;
    private boolean indirectAllowed;

    private int count;
    private int readableCount;
    private long readableBytes;
    private long writableBytes;
    private long lastWritableByte;
    private boolean tooManyBuffers;
    private boolean lostTheWay;
    private int descriptorsRead;
    private @Nullable String brokenRule;

    /**
     * Makes room for the chains of one ring.
     *
     * @param dataBuffers how many buffers of data a chain may have, beside header and status
     */
    public DescriptorChain(SplitRing ring, GuestMemory memory, int dataBuffers) {
        this.ring = ring;
        this.memory = new GuestMemory.Cursor(memory);
        this.address = new long[dataBuffers + HEADER_AND_STATUS];
        this.length = new long[dataBuffers + HEADER_AND_STATUS];
    }

    /** Another map from the next walk on. */
    public void memory(GuestMemory map) {
        memory.memory(map);
    }

    /** Whether VIRTIO_F_INDIRECT_DESC was negotiated. */
    public void indirectAllowed(boolean allowed) {
        indirectAllowed = allowed;
    }

    // ---- what was found

    /** Buffers kept, readable ones first. */
    public int count() {
        return count;
    }

    public int readableCount() {
        return readableCount;
    }

    public long address(int buffer) {
        return address[buffer];
    }

    public long length(int buffer) {
        return length[buffer];
    }

    public long readableBytes() {
        return readableBytes;
    }

    public long writableBytes() {
        return writableBytes;
    }

    /** Guest physical address of the last writable byte; only where {@link #writableBytes} is not 0. */
    public long lastWritableByte() {
        return lastWritableByte;
    }

    /** More buffers than there is room for; those beyond were read and checked but not kept. */
    public boolean tooManyBuffers() {
        return tooManyBuffers;
    }

    /** The end of the chain is not known. */
    public boolean lostTheWay() {
        return lostTheWay;
    }

    /** The first rule that the chain breaks, or null. A constant: naming it allocates nothing. */
    public @Nullable String brokenRule() {
        return brokenRule;
    }

    /** How much work the walk was. */
    public int descriptorsRead() {
        return descriptorsRead;
    }

    /** The region that holds a guest physical address, or null. */
    public @Nullable MemoryRegion regionOf(long guestAddress) {
        return memory.regionOf(guestAddress);
    }

    // ---- the walk

    /** Reads the chain that starts at {@code head}, which is below the ring's size. */
    public void walk(int head) {
        reset();
        MemorySegment table = ring.descriptors();
        long tableBase = 0;
        int tableEntries = ring.size();
        // A chain never visits a descriptor twice, so it is no longer than its table: more steps are a loop.
        int stepsLeft = tableEntries;
        boolean indirect = false;
        int index = head;
        while (true) {
            if (stepsLeft-- == 0) {
                lose("VIRTIO 1.3 §2.7.5: chain is longer than the queue size or its table (a loop)");
                return;
            }
            descriptorsRead++;
            long descriptor = tableBase + (long) index * VirtqDesc.SIZE;
            long bufferAddress = VirtqDesc.addr(table, descriptor);
            long bufferLength = VirtqDesc.len(table, descriptor);
            int flags = VirtqDesc.flags(table, descriptor);
            if ((flags & VirtqDesc.F_INDIRECT) != 0) {
                MemoryRegion region = indirectTable(bufferAddress, bufferLength, flags, indirect);
                if (region == null) {
                    return;
                }
                // The device ignores F_WRITE here (VIRTIO 1.3 §2.7.5.3.2).
                table = region.memory();
                tableBase = bufferAddress - region.guestAddress();
                tableEntries = (int) (bufferLength / VirtqDesc.SIZE);
                stepsLeft = Math.min(tableEntries, longestIndirectChain());
                indirect = true;
                index = 0;
                continue;
            }
            if (bufferLength != 0) {
                keep(bufferAddress, bufferLength, (flags & VirtqDesc.F_WRITE) != 0);
            }
            if ((flags & VirtqDesc.F_NEXT) == 0) {
                return;
            }
            index = VirtqDesc.next(table, descriptor);
            if (index >= tableEntries) {
                lose("VIRTIO 1.3 §2.7.5: next is beyond the descriptor table");
                return;
            }
        }
    }

    /** VIRTIO 1.3 §2.7.5.3.1: no chain is longer than the queue size. Drivers take the limit of their indirect chains from elsewhere: Linux from seg_max. */
    private int longestIndirectChain() {
        return Math.max(ring.size(), MAX_INDIRECT_ENTRIES);
    }

    private @Nullable MemoryRegion indirectTable(long tableAddress, long tableLength, int flags, boolean nested) {
        if (!indirectAllowed) {
            lose("VIRTIO 1.3 §2.7.5.3.1: indirect descriptor without VIRTIO_F_INDIRECT_DESC");
        } else if (nested) {
            lose("VIRTIO 1.3 §2.7.5.3.1: indirect descriptor within an indirect table");
        } else if ((flags & VirtqDesc.F_NEXT) != 0) {
            lose("VIRTIO 1.3 §2.7.5.3.1: indirect descriptor that has a next one");
        } else if (tableLength == 0 || tableLength % VirtqDesc.SIZE != 0) {
            lose("VIRTIO 1.3 §2.7.5.3: length of an indirect table is zero or not a multiple of 16");
        } else {
            MemoryRegion region = memory.regionOf(tableAddress);
            if (region != null && region.hasGuestRange(tableAddress, tableLength)) {
                return region;
            }
            lose("indirect table is not in one memory region");
        }
        return null;
    }

    private void keep(long bufferAddress, long bufferLength, boolean writable) {
        if (Long.compareUnsigned(bufferAddress + (bufferLength - 1), bufferAddress) < 0) {
            note("address and length of a buffer wrap around 2^64");
        }
        if (writable) {
            writableBytes += bufferLength;
            lastWritableByte = bufferAddress + (bufferLength - 1);
        } else {
            if (writableBytes != 0) {
                note("VIRTIO 1.3 §2.7.4.2: readable buffer behind a writable one");
            }
            readableBytes += bufferLength;
        }
        if (count == address.length) {
            tooManyBuffers = true;
            return;
        }
        address[count] = bufferAddress;
        length[count] = bufferLength;
        count++;
        if (!writable) {
            readableCount = count;
        }
    }

    private void note(String rule) {
        if (brokenRule == null) {
            brokenRule = rule;
        }
    }

    private void lose(String rule) {
        note(rule);
        lostTheWay = true;
    }

    private void reset() {
        count = 0;
        readableCount = 0;
        readableBytes = 0;
        writableBytes = 0;
        lastWritableByte = 0;
        tooManyBuffers = false;
        lostTheWay = false;
        descriptorsRead = 0;
        brokenRule = null;
    }
}
