package dev.sluice.virtio.driver;

/** What {@link DriverQueue#poll} calls for each request that the device has used. */
@FunctionalInterface
public interface CompletionHandler {
    /**
     * A request is done and its slot is free when this returns; its data is still in place. New requests may be submitted
     * from here, {@link DriverQueue#poll} and {@link DriverQueue#await} not be called.
     *
     * @param slot as {@link DriverQueue#submit} returned it
     * @param status {@code BlkRequest.S_*}
     * @param writtenBytes into device-writable buffers, the status byte included, as the device says
     */
    void completed(int slot, int status, int writtenBytes);
}
