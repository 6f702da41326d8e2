package dev.sluice.virtio.driver;

import static dev.sluice.virtio.layout.VirtqDesc.F_INDIRECT;
import static dev.sluice.virtio.layout.VirtqDesc.F_NEXT;
import static dev.sluice.virtio.layout.VirtqDesc.F_WRITE;

import dev.sluice.virtio.layout.VirtioBlkRequestHeader;
import dev.sluice.virtio.layout.VirtqDesc;

/**
 * Writes the descriptors of a request and offers their chain. The caller has looked whether there are enough.
 *
 * <p><b>Threading</b>: that of its queue. <b>Allocation</b>: none.
 */
final class ChainBuilder {
    private final DriverRing ring;
    private final RequestSlots slots;
    private final boolean indirect;

    ChainBuilder(DriverRing ring, RequestSlots slots, boolean indirect) {
        this.ring = ring;
        this.slots = slots;
        this.indirect = indirect;
    }

    /** What {@link #build} takes of the ring at most. */
    int mostDescriptors() {
        return indirect ? 1 : 3;
    }

    /**
     * Header, data, status: in the slot's table if indirect descriptors were negotiated. Returns the head.
     *
     * <p>VIRTIO 1.3 §2.7.5.3, §5.2.6.
     */
    int build(int slot, int type, long sector, long dataAddress, int dataBytes) {
        int dataFlags = BlkRequest.deviceWritesData(type) ? F_WRITE | F_NEXT : F_NEXT;
        slots.writeHeader(slot, type, sector, (dataFlags & F_WRITE) == 0 ? 1 : dataBytes + 1);
        int head = ring.upcomingDescriptor();
        if (indirect) {
            int i = 0;
            slots.writeTableDescriptor(slot, i++, slots.headerAddress(slot), VirtioBlkRequestHeader.SIZE, F_NEXT);
            if (dataBytes > 0) {
                slots.writeTableDescriptor(slot, i++, dataAddress, dataBytes, dataFlags);
            }
            slots.writeTableDescriptor(slot, i++, slots.statusAddress(slot), 1, F_WRITE);
            link(slots.tableAddress(slot), VirtqDesc.SIZE * i, F_INDIRECT);
            ring.offer(head, 1);
        } else {
            link(slots.headerAddress(slot), VirtioBlkRequestHeader.SIZE, F_NEXT);
            if (dataBytes > 0) {
                link(dataAddress, dataBytes, dataFlags);
            }
            link(slots.statusAddress(slot), 1, F_WRITE);
            ring.offer(head, dataBytes > 0 ? 3 : 2);
        }
        return head;
    }

    /** Header, data and status as one stream, cut as the shape says. Returns the head. */
    int buildFramed(int slot, int type, long sector, int dataBytes, ChainShape chain) {
        int stream = ChainShape.streamBytes(dataBytes);
        int turn = ChainShape.turn(type, dataBytes);
        int pieces = chain.pieces(turn, stream);
        int direct = Math.min(pieces, chain.directDescriptors());
        slots.writeFrame(slot, type, sector, dataBytes, stream - turn);
        int head = ring.upcomingDescriptor();
        long start = slots.dataAddress(slot) - VirtioBlkRequestHeader.SIZE;
        int piece = 0;
        for (int at = 0; at < stream; piece++) {
            int end = chain.endOfPiece(at, turn, stream);
            int flags = (at >= turn ? F_WRITE : 0) | (piece + 1 < pieces ? F_NEXT : 0);
            if (piece < direct) {
                link(start + at, end - at, flags);
            } else {
                slots.writeTableDescriptor(slot, piece - direct, start + at, end - at, flags);
            }
            at = end;
        }
        int inTable = pieces - direct;
        if (inTable > 0) {
            link(slots.tableAddress(slot), VirtqDesc.SIZE * inTable, F_INDIRECT);
        }
        ring.offer(head, direct + (inTable > 0 ? 1 : 0));
        return head;
    }

    private void link(long guestAddress, int length, int flags) {
        int descriptor = ring.takeDescriptor();
        int next = (flags & F_NEXT) == 0 ? 0 : ring.upcomingDescriptor();
        ring.writeDescriptor(descriptor, guestAddress, length, flags, next);
    }
}
