package dev.sluice.virtio.blk;

import java.util.Locale;

/**
 * Who decides whether a completed write is on stable storage, or only after the next FLUSH.
 *
 * <p>The feature bits follow from it: with {@link #GUEST} a driver is offered FLUSH and CONFIG_WCE; with {@link #WRITEBACK} FLUSH alone, so that it
 * flushes and cannot change that; with {@link #WRITETHROUGH} neither, so that it knows there is nothing to flush. Source: VIRTIO 1.3 §5.2.5.
 */
public enum CacheMode {
    /** Writeback until the guest changes it; what it has set last outlives this process in the disk's state file. */
    GUEST,
    /** Always writeback: the guest flushes. */
    WRITEBACK,
    /** Always write-through: every write is on stable storage when it completes. */
    WRITETHROUGH;

    /** As options and configuration files have it. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
