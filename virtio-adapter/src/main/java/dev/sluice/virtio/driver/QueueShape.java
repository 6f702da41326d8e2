package dev.sluice.virtio.driver;

/**
 * How large a queue is and what its requests can carry.
 *
 * @param queueSize descriptors, a power of two up to 32,768
 * @param slots requests in flight at most, up to {@code queueSize}
 * @param slotDataBytes data buffer of each slot, page aligned; 0 for a queue whose requests bring their own
 * @param tableDescriptors indirect descriptors of each slot: 3 for a request in the usual shape
 */
public record QueueShape(int queueSize, int slots, int slotDataBytes, int tableDescriptors) {
    /** The split ring's bound. VIRTIO 1.3 §2.7. */
    public static final int MAX_QUEUE_SIZE = 32768;

    public static final int MIN_TABLE_DESCRIPTORS = 3;
    public static final int MAX_TABLE_DESCRIPTORS = 2048;

    /** A bound against typing errors: 64 MiB in one request. */
    public static final int MAX_SLOT_DATA_BYTES = 64 << 20;

    public QueueShape {
        if (queueSize < 1 || queueSize > MAX_QUEUE_SIZE || Integer.bitCount(queueSize) != 1) {
            throw new IllegalArgumentException("queueSize " + queueSize + " is not a power of two up to " + MAX_QUEUE_SIZE);
        }
        if (slots < 1 || slots > queueSize) {
            throw new IllegalArgumentException("slots " + slots + " is not within 1.." + queueSize);
        }
        if (slotDataBytes < 0 || slotDataBytes > MAX_SLOT_DATA_BYTES) {
            throw new IllegalArgumentException(
                    "slotDataBytes " + slotDataBytes + " is not within 0.." + MAX_SLOT_DATA_BYTES);
        }
        if (tableDescriptors < MIN_TABLE_DESCRIPTORS || tableDescriptors > MAX_TABLE_DESCRIPTORS) {
            throw new IllegalArgumentException("tableDescriptors " + tableDescriptors + " is not within "
                    + MIN_TABLE_DESCRIPTORS + ".." + MAX_TABLE_DESCRIPTORS);
        }
    }

    /** A queue for requests in the usual shape: header, one piece of data, status. */
    public static QueueShape of(int queueSize, int slots, int slotDataBytes) {
        return new QueueShape(queueSize, slots, slotDataBytes, MIN_TABLE_DESCRIPTORS);
    }

    /** Guest memory that a queue of this shape takes, alignment included. */
    public long memoryBytes() {
        return DriverRing.memoryBytes(queueSize) + RequestSlots.memoryBytes(this);
    }
}
