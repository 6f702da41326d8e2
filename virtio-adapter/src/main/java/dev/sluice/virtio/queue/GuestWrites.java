package dev.sluice.virtio.queue;

import dev.sluice.linux.Iovec;

/**
 * The one port that everything stored into guest memory is reported to, after the store and before the driver is shown it: status bytes, used elements, the
 * used index, words that suppress notifications, and data, whoever has stored that (the kernel, a bounce buffer, a stage). A live migration copies what is
 * reported again.
 *
 * <p>Data is reported when its request completes, whole, also if the request has failed: nobody knows how much of it was stored by then.
 *
 * <p><b>Threading:</b> the queue's loop; all queues of a connection report to one port. <b>Failure:</b> must not throw. <b>Allocation:</b> must not allocate.
 */
public interface GuestWrites {
    /** Nobody wants to know. */
    GuestWrites UNRECORDED = new GuestWrites() {
        @Override
        public void written(long hostAddress, long bytes) {}

        @Override
        public void dataWritten(long iovecsAddress, int iovecCount) {}
    };

    /**
     * A range was stored to, or may have been.
     *
     * @param hostAddress where the range is mapped in this process: within the {@link MemoryRegion#memory} of one region
     */
    void written(long hostAddress, long bytes);

    /** The ranges of an array of iovecs, as {@link #written}. */
    default void dataWritten(long iovecsAddress, int iovecCount) {
        for (int i = 0; i < iovecCount; i++) {
            written(Iovec.base(iovecsAddress, i), Iovec.length(iovecsAddress, i));
        }
    }
}
