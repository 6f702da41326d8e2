package dev.sluice.server.disk;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Feature bits by their names in the specifications, without the prefixes VIRTIO_ and VHOST_USER_PROTOCOL_F_, and their meanings. Immutable. */
public final class FeatureNames {
    private record Feature(String name, String words) {}

    /** VIRTIO 1.3 §5.2.3 and §6; bits 26 and 30 belong to vhost. */
    public static final FeatureNames VIRTIO = new FeatureNames(Map.ofEntries(
            feature(1, "BLK_F_SIZE_MAX", "maximum size of a segment"),
            feature(2, "BLK_F_SEG_MAX", "maximum number of segments of a request"),
            feature(4, "BLK_F_GEOMETRY", "cylinders, heads and sectors, for old systems"),
            feature(5, "BLK_F_RO", "the disk is read-only"),
            feature(6, "BLK_F_BLK_SIZE", "reports the logical block size"),
            feature(9, "BLK_F_FLUSH", "the guest can flush"),
            feature(10, "BLK_F_TOPOLOGY", "reports physical block and optimal I/O sizes"),
            feature(11, "BLK_F_CONFIG_WCE", "the guest can switch the write cache"),
            feature(12, "BLK_F_MQ", "several queues"),
            feature(13, "BLK_F_DISCARD", "the guest can discard ranges"),
            feature(14, "BLK_F_WRITE_ZEROES", "the guest can zero ranges without sending zeroes"),
            feature(15, "BLK_F_LIFETIME", "reports the wear of the medium"),
            feature(16, "BLK_F_SECURE_ERASE", "the guest can erase ranges irrecoverably"),
            feature(17, "BLK_F_ZONED", "a zoned disk"),
            feature(24, "F_NOTIFY_ON_EMPTY", "interrupt whenever the ring is empty (before 1.0)"),
            feature(26, "VHOST_F_LOG_ALL", "can log what it writes, for live migration"),
            feature(27, "F_ANY_LAYOUT", "any framing of descriptors (before 1.0)"),
            feature(28, "F_INDIRECT_DESC", "descriptors may be in tables of their own"),
            feature(29, "F_EVENT_IDX", "each side sets when it wants to be notified"),
            feature(30, "VHOST_USER_F_PROTOCOL", "protocol features can be negotiated"),
            feature(32, "F_VERSION_1", "virtio 1.0 or newer"),
            feature(33, "F_ACCESS_PLATFORM", "addresses go through an IOMMU"),
            feature(34, "F_RING_PACKED", "packed rings"),
            feature(35, "F_IN_ORDER", "completions in the order of the requests"),
            feature(36, "F_ORDER_PLATFORM", "memory is ordered as the platform defines"),
            feature(37, "F_SR_IOV", "single root I/O virtualization"),
            feature(38, "F_NOTIFICATION_DATA", "kicks carry data"),
            feature(40, "F_RING_RESET", "a single queue can be reset")));

    /** QEMU docs/interop/vhost-user.rst, "Protocol features". */
    public static final FeatureNames PROTOCOL = new FeatureNames(Map.ofEntries(
            feature(0, "MQ", "reports how many queues it has"),
            feature(1, "LOG_SHMFD", "the log of a migration is shared memory"),
            feature(2, "RARP", "for networks"),
            feature(3, "REPLY_ACK", "replies to every message on request"),
            feature(4, "MTU", "for networks"),
            feature(5, "BACKEND_REQ", "can send requests to the front end"),
            feature(6, "CROSS_ENDIAN", "rings in the other byte order"),
            feature(7, "CRYPTO_SESSION", "for cryptography"),
            feature(8, "PAGEFAULT", "post-copy migration"),
            feature(9, "CONFIG", "the configuration can be read"),
            feature(10, "BACKEND_SEND_FD", "can send descriptors to the front end"),
            feature(11, "HOST_NOTIFIER", "the guest can kick hardware directly"),
            feature(12, "INFLIGHT_SHMFD", "requests in flight survive a restart"),
            feature(13, "RESET_DEVICE", "the device can be reset"),
            feature(14, "INBAND_NOTIFICATIONS", "kicks and calls as messages"),
            feature(15, "CONFIGURE_MEM_SLOTS", "memory regions can be added and removed"),
            feature(16, "STATUS", "device status messages"),
            feature(17, "XEN_MMAP", "memory of a Xen guest"),
            feature(18, "SHARED_OBJECT", "shares objects with other devices"),
            feature(19, "DEVICE_STATE", "its state can be migrated")));

    private final Map<Integer, Feature> features;

    private FeatureNames(Map<Integer, Feature> features) {
        this.features = features;
    }

    private static Map.Entry<Integer, Feature> feature(int bit, String name, String words) {
        return Map.entry(bit, new Feature(name, words));
    }

    /** The name of a bit, {@code ?} if it is unknown. */
    public String name(int bit) {
        Feature known = features.get(bit);
        return known == null ? "?" : known.name();
    }

    /** The meaning of a bit, for people. */
    public String words(int bit) {
        Feature known = features.get(bit);
        return known == null ? "unknown" : known.words();
    }

    /** The names of the bits that are set, {@code bit N} for unknown ones, lowest first. */
    List<String> names(long bits) {
        List<String> set = new ArrayList<>();
        for (long rest = bits; rest != 0; rest &= rest - 1) {
            int bit = Long.numberOfTrailingZeros(rest);
            set.add(features.containsKey(bit) ? name(bit) : "bit " + bit);
        }
        return set;
    }
}
