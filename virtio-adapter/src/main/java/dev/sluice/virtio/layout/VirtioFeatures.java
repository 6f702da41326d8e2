package dev.sluice.virtio.layout;

/** Feature bits as masks. VIRTIO 1.3 §5.2.3 (block), §6 (reserved); vhost-user, "Communication" (bits 26 and 30). */
public final class VirtioFeatures {
    public static final long BLK_SIZE_MAX = 1L << 1;
    public static final long BLK_SEG_MAX = 1L << 2;
    public static final long BLK_GEOMETRY = 1L << 4;
    public static final long BLK_RO = 1L << 5;
    public static final long BLK_BLK_SIZE = 1L << 6;
    public static final long BLK_FLUSH = 1L << 9;
    public static final long BLK_TOPOLOGY = 1L << 10;
    public static final long BLK_CONFIG_WCE = 1L << 11;
    public static final long BLK_MQ = 1L << 12;
    public static final long BLK_DISCARD = 1L << 13;
    public static final long BLK_WRITE_ZEROES = 1L << 14;

    public static final long VHOST_LOG_ALL = 1L << 26;
    public static final long INDIRECT_DESC = 1L << 28;
    public static final long EVENT_IDX = 1L << 29;
    public static final long VHOST_USER_PROTOCOL_FEATURES = 1L << 30;
    public static final long VERSION_1 = 1L << 32;
    public static final long RING_PACKED = 1L << 34;

    private VirtioFeatures() {}
}
