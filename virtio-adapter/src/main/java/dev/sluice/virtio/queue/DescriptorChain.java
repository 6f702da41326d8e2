package dev.sluice.virtio.queue;

import org.jspecify.annotations.Nullable;

/**
 * The buffers of one chain: what its {@link DeviceRing} has read, once, validated, and kept as a copy that the guest cannot change any more.
 *
 * <p>Buffers of length zero are skipped. What breaks a rule is named by {@link #brokenRule}. After a rule whose breach leaves open where the chain continues,
 * it is {@linkplain #unterminated unterminated}; after any other the rest was read, so that the last writable byte is known and can carry a status.
 *
 * <p><b>Threading:</b> one per queue, on its loop; {@link DeviceRing#fetch} replaces what was there. <b>Failure:</b> as data, see above. <b>Allocation:</b>
 * none. Source: VIRTIO 1.3 §2.6.
 */
public final class DescriptorChain {
    /** A header of 16 bytes may come in as many descriptors; the status byte takes one more. */
    private static final int HEADER_AND_STATUS = 17;

    private final GuestMemory.Cursor memory;
    private final long[] address;
    private final long[] length;

    private int id;
    private int count;
    private int readableCount;
    private long readableBytes;
    private long writableBytes;
    private long lastWritableByte;
    private boolean tooManyBuffers;
    private boolean unterminated;
    private int descriptorsRead;
    private @Nullable String brokenRule;

    /**
     * Makes room for a chain.
     *
     * @param dataBuffers how many buffers of data a chain may have, beside header and status
     */
    public DescriptorChain(GuestMemory memory, int dataBuffers) {
        this.memory = new GuestMemory.Cursor(memory);
        this.address = new long[dataBuffers + HEADER_AND_STATUS];
        this.length = new long[dataBuffers + HEADER_AND_STATUS];
    }

    /** Another map from the next chain on. */
    public void memory(GuestMemory map) {
        memory.memory(map);
    }

    // ---- what was found

    /** What the ring knows this chain by: it is {@linkplain DeviceRing#complete completed} under it. */
    public int id() {
        return id;
    }

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

    /** Nobody knows where the chain ends. */
    public boolean unterminated() {
        return unterminated;
    }

    /** The first rule that the chain breaks, or null. A constant: naming it allocates nothing. */
    public @Nullable String brokenRule() {
        return brokenRule;
    }

    /** How much work it was to read the chain. */
    public int descriptorsRead() {
        return descriptorsRead;
    }

    /** The region that holds a guest physical address, or null. */
    public @Nullable MemoryRegion regionOf(long guestAddress) {
        return memory.regionOf(guestAddress);
    }

    // ---- for the ring that reads the chain

    /** Forgets the chain before. */
    void begin(int chainId) {
        id = chainId;
        count = 0;
        readableCount = 0;
        readableBytes = 0;
        writableBytes = 0;
        lastWritableByte = 0;
        tooManyBuffers = false;
        unterminated = false;
        descriptorsRead = 0;
        brokenRule = null;
    }

    void descriptorRead() {
        descriptorsRead++;
    }

    /** The next buffer, which is not empty. */
    void keep(long bufferAddress, long bufferLength, boolean writable) {
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

    /** A rule is broken; the rest of the chain can be read. */
    void note(String rule) {
        if (brokenRule == null) {
            brokenRule = rule;
        }
    }

    /** A rule is broken, and nobody knows where the chain continues. */
    void endUnterminated(String rule) {
        note(rule);
        unterminated = true;
    }
}
