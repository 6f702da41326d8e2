package dev.sluice.virtio.driver;

import dev.sluice.linux.EventFd;
import dev.sluice.virtio.layout.VirtioBlkDiscardSegment;
import dev.sluice.virtio.layout.VirtioFeatures;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Objects;

/**
 * Block requests on a virtqueue, from the driver's side: slots that hold a request each, submitted in batches, reaped by
 * polling.
 *
 * <pre>{@code
 * while (queue.submit(BlkRequest.T_IN, sector, 4096) >= 0) { sector += 8; }
 * queue.publish();
 * while (queue.poll(handler) == 0) { queue.await(1000); }
 * }</pre>
 *
 * <p><b>Threading</b>: one thread at a time. <b>Ownership</b>: a slot, with its data buffer, is the caller's from
 * {@link #submit} to {@link #publish} and again within {@link CompletionHandler#completed}; between them it is the
 * device's. The eventfds are this queue's until {@link #close()}, its memory the {@link MemoryRegion}'s.
 * <b>Failure</b>: a failed request is a status; a device with an invalid used ring is a
 * {@link BackendViolationException}, and the queue is of no use any more. <b>Allocation</b>: none after creation.
 */
public final class DriverQueue implements AutoCloseable {
    /** What {@link #submit} returns when there is no free slot or descriptor. */
    public static final int FULL = -1;

    private static final int FREE = -1;

    private final int index;
    private final QueueShape shape;
    private final DriverRing ring;
    private final RequestSlots slots;
    private final ChainBuilder chains;
    private final QueueEvents events;
    private final int[] slotOfChain;

    private long kicks;
    private long calls;

    private DriverQueue(int index, QueueShape shape, long features, MemoryRegion region, QueueEvents events) {
        this.index = index;
        this.shape = shape;
        this.ring = DriverRing.create(region, shape.queueSize(), features);
        this.slots = new RequestSlots(region, shape);
        this.chains = new ChainBuilder(ring, slots, (features & VirtioFeatures.INDIRECT_DESC) != 0);
        this.events = events;
        this.slotOfChain = new int[shape.queueSize()];
        reset();
    }

    /**
     * A queue in memory of the region.
     *
     * @param features as negotiated: INDIRECT_DESC and EVENT_IDX matter here
     */
    public static DriverQueue create(int index, QueueShape shape, long features, MemoryRegion region)
            throws IOException {
        QueueEvents events = QueueEvents.create();
        try {
            return new DriverQueue(index, shape, features, region, events);
        } catch (RuntimeException | Error e) {
            events.close();
            throw e;
        }
    }

    /** Forgets all requests and empties the ring; the device is stopped. */
    public void reset() {
        ring.reset();
        slots.freeAll();
        Arrays.fill(slotOfChain, FREE);
    }

    /**
     * Submits a request on the data buffer of its slot. The device sees it after {@link #publish()}; until then data may
     * be put at {@link #dataOffset}.
     *
     * @param type {@code BlkRequest.T_*}, or anything else: its data is then device-readable
     * @param sector of 512 bytes
     * @return the slot, or {@link #FULL}
     */
    public int submit(int type, long sector, int dataBytes) {
        checkDataBytes(dataBytes);
        int slot = begin();
        if (slot != FULL) {
            slotOfChain[chains.build(slot, type, sector, slots.dataAddress(slot), dataBytes)] = slot;
        }
        return slot;
    }

    /** Submits a request on a buffer anywhere in guest memory. Returns the slot, or {@link #FULL}. */
    public int submit(int type, long sector, long dataGuestAddress, int dataBytes) {
        int slot = begin();
        if (slot != FULL) {
            slotOfChain[chains.build(slot, type, sector, dataGuestAddress, dataBytes)] = slot;
        }
        return slot;
    }

    /** Submits a discard or write-zeroes of one range. Returns the slot, or {@link #FULL}. */
    public int submitRange(int type, long sector, long sectors, int flags) {
        checkDataBytes(VirtioBlkDiscardSegment.SIZE);
        int slot = begin();
        if (slot != FULL) {
            VirtioBlkDiscardSegment.set(memory(), slots.data(slot), sector, sectors, flags);
            long data = slots.dataAddress(slot);
            slotOfChain[chains.build(slot, type, 0, data, VirtioBlkDiscardSegment.SIZE)] = slot;
        }
        return slot;
    }

    /**
     * Submits a request on the data buffer of its slot, spread over descriptors in a shape of one's own. A shape with an
     * indirect table is used as it is, also where INDIRECT_DESC was not negotiated. Returns the slot, or {@link #FULL}.
     */
    public int submit(int type, long sector, int dataBytes, ChainShape chain) {
        checkDataBytes(dataBytes);
        chain.check(type, dataBytes, shape);
        int descriptors = chain.ringDescriptors(type, dataBytes);
        if (slots.freeCount() == 0 || ring.freeDescriptors() < descriptors) {
            return FULL;
        }
        int slot = slots.take();
        slotOfChain[chains.buildFramed(slot, type, sector, dataBytes, chain)] = slot;
        return slot;
    }

    /** The next free slot, or FULL where it or its descriptors are missing. */
    private int begin() {
        if (slots.freeCount() == 0 || ring.freeDescriptors() < chains.mostDescriptors()) {
            return FULL;
        }
        return slots.take();
    }

    /** Shows the device what was submitted, and kicks it if it wants that. Returns whether it was kicked. */
    public boolean publish() {
        if (!ring.publish()) {
            return false;
        }
        kick();
        return true;
    }

    /** Kicks the device whether it wants it or not. */
    public void kick() {
        kicks++;
        int _ = EventFd.signal(events.kickFd());
    }

    /** Reaps what the device has used, as much as was there on entry. Returns how many requests that were. */
    public int poll(CompletionHandler handler) {
        int ready = ring.usedElements();
        for (int i = 0; i < ready; i++) {
            int writtenBytes = ring.usedLength();
            int chain = ring.takeUsed();
            int slot = slotOfChain[chain];
            slotOfChain[chain] = FREE;
            // VIRTIO 1.3 §2.7.8: len is the bytes written into the device-writable part of the chain.
            if (Integer.compareUnsigned(writtenBytes, slots.writableBytes(slot)) > 0) {
                throw new BackendViolationException("queue " + index + ", slot " + slot + ": the device says it wrote "
                        + Integer.toUnsignedString(writtenBytes) + " bytes into " + slots.writableBytes(slot));
            }
            int status = slots.status(slot);
            slots.release(slot);
            handler.completed(slot, status, writtenBytes);
        }
        return ready;
    }

    /**
     * Waits until {@link #poll} has something to reap. Calls are asked for only while this waits. The ring decides what is
     * returned: a device that forgets its call makes this slow, not false.
     *
     * @param timeoutMillis 0 only looks, a negative one waits without end
     * @return false after the time
     */
    public boolean await(int timeoutMillis) {
        if (ring.hasUsed()) {
            return true;
        }
        if (timeoutMillis == 0) {
            return false;
        }
        boolean ready = armCall(1) || sleep(timeoutMillis);
        disarmCall();
        return ready;
    }

    private boolean sleep(int timeoutMillis) {
        long deadline = System.nanoTime() + timeoutMillis * 1_000_000L;
        while (true) {
            int left = timeoutMillis < 0 ? -1 : (int) Math.max(0, (deadline - System.nanoTime() + 999_999) / 1_000_000);
            int result = events.awaitCall(left);
            drainCalls();
            // VIRTIO 1.3 §2.7.7: the driver handles spurious calls; so the ring decides, not the eventfd.
            if (ring.hasUsed()) {
                return true;
            }
            if (result == 0 && left == 0) {
                return false;
            }
        }
    }

    /**
     * Asks for a call on {@link #callFd()} once {@code completions} requests more are used; for a thread that waits for
     * several queues, see {@link CallSet}.
     *
     * @return true where they are used already: do not sleep
     */
    public boolean armCall(int completions) {
        return ring.armCall(completions);
    }

    /** Asks for no more calls. */
    public void disarmCall() {
        ring.disarmCall();
    }

    /** Takes the calls that have arrived out of the eventfd. */
    public void drainCalls() {
        if (EventFd.drain(events.callFd()) > 0) {
            calls++;
        }
    }

    /** The memory that {@link #dataOffset} counts in. */
    public MemorySegment memory() {
        return ring.region().memory();
    }

    /** Where the data buffer of a slot starts in {@link #memory()}. */
    public long dataOffset(int slot) {
        return slots.data(Objects.checkIndex(slot, shape.slots()));
    }

    /** The data buffer of a slot. Allocates: not for the data path. */
    public MemorySegment data(int slot) {
        return memory().asSlice(dataOffset(slot), shape.slotDataBytes());
    }

    /** Requests submitted and not reaped yet. */
    public int inFlight() {
        return shape.slots() - slots.freeCount();
    }

    /** The queue's number on its device. */
    public int index() {
        return index;
    }

    /** Its sizes. */
    public QueueShape shape() {
        return shape;
    }

    /** The ring underneath. */
    public DriverRing ring() {
        return ring;
    }

    /** The same with its indexes and raw access to its entries: for tests of devices against hostile drivers. */
    public SplitDriverRing splitRing() {
        return switch (ring) {
            case SplitDriverRing split -> split;
        };
    }

    /** The eventfd that the driver signals. */
    public int kickFd() {
        return events.kickFd();
    }

    /** The eventfd that the device signals for used requests. */
    public int callFd() {
        return events.callFd();
    }

    /** The eventfd that the device signals when it gives the queue up. */
    public int errFd() {
        return events.errFd();
    }

    /** True where the device has signalled the err eventfd since the last look. */
    public boolean errSignalled() {
        return EventFd.drain(events.errFd()) > 0;
    }

    /** Kicks made. */
    public long kicks() {
        return kicks;
    }

    /** Times that calls were found in the eventfd. */
    public long calls() {
        return calls;
    }

    /** Closes the eventfds. */
    @Override
    public void close() {
        events.close();
    }

    private void checkDataBytes(int dataBytes) {
        if (dataBytes < 0 || dataBytes > shape.slotDataBytes()) {
            throw new IllegalArgumentException(
                    dataBytes + " bytes do not fit into a slot's " + shape.slotDataBytes() + " bytes of data");
        }
    }
}
