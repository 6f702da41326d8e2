package dev.sluice.virtio.queue;

import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BrokenQueueException;

/**
 * What a device needs of a virtqueue, whatever the format of its ring: chains come out of it, completions go in, notifications are suppressed both ways.
 *
 * <pre>
 * fetch     the next available chain is copied; it stays the next one
 * take      it is in flight from here on; the position moves
 * complete  what was written is noted for the driver, which cannot see it yet
 * publish   the driver sees everything that was completed; those chains are no longer in flight
 * </pre>
 *
 * <p>A chain is known by the identifier that {@link #fetch} has given to the {@link DescriptorChain}: what it is and where it lies in guest memory is known to
 * the ring alone. The ring records what is in flight in this order, so that a record which survives the process can be kept in its place: {@link
 * InFlightChains}.
 *
 * <p><b>Threading:</b> the loop that owns the queue. <b>Ownership:</b> views of guest memory, whose mapping outlives the ring.
 * <b>Failure:</b> {@link BrokenQueueException} for what no correct driver does; {@code InternalError} if the memory has been truncated, which
 * in compiled code is certain only after {@link NativeMemory#surfaceFault}: the caller sees to it.
 * <b>Allocation:</b> none in steady state. Source: VIRTIO 1.3 §2.6.
 */
public sealed interface DeviceRing permits SplitRing {
    /** Largest ring of any format (VIRTIO 1.3 §2.7: "The maximum Queue Size value is 32768"). */
    int MAX_SIZE = 32768;

    /**
     * Finds a ring in memory, in the format that the driver has negotiated. Touches none of it.
     *
     * @param position where to continue: what {@link #position} of a ring that was stopped has returned, 0 for a new one
     * @param features as negotiated; what a feature introduces is neither read nor written without it
     * @throws IllegalArgumentException if a part is not aligned or does not lie in one region; the message says which
     */
    static DeviceRing locate(GuestMemory memory, RingAddresses addresses, int queueIndex, int size, int position, long features) {
        return SplitRing.locate(memory, addresses, queueIndex, size, position, features);
    }

    /**
     * Validates a position that comes from outside, for rings of the format that the driver has negotiated.
     *
     * @throws IllegalArgumentException if such a ring has no such position; the message says why
     */
    static void requirePosition(int position, long features) {
        SplitRing.requirePosition(position);
    }

    /** Descriptors in the ring. */
    int size();

    /**
     * Where a ring in the same memory continues after this one, for GET_VRING_BASE: 32 bits that only rings of this format understand. A split ring has the
     * index of the next chain in the low 16.
     */
    int position();

    /** Reads what the device before has left for its driver. To be called once, before anything else. */
    void start();

    // ---- chains that become available

    /**
     * Copies the next chain, which stays the next one until {@link #take}.
     *
     * @return false if the driver has made none available
     * @throws BrokenQueueException if what the driver has made available is impossible, or in flight already
     */
    boolean fetch(DescriptorChain chain);

    /** The chain that was fetched last is in flight. */
    void take();

    /** Whether there is a chain, or something else that {@link #fetch} has to see. */
    boolean hasNext();

    // ---- kicks

    /**
     * Asks for a kick with the next chain.
     *
     * @return true if a chain has become available meanwhile
     */
    boolean enableKicks();

    /** Asks for no kicks. The driver may still make some. */
    void disableKicks();

    // ---- chains that are used

    /** Notes that a chain in flight is used. The driver sees it after {@link #publish}. */
    void complete(int chainId, int writtenBytes);

    /**
     * Shows the driver what was completed.
     *
     * @return true if it wants an interrupt for that
     */
    boolean publish();
}
