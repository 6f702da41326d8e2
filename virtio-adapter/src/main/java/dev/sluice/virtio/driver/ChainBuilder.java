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
     * Header, data, status: in the slot's table if indirect descriptors were negotiated. Returns the chain's identifier.
     *
     * <p>VIRTIO 1.3 §2.7.5.3, §5.2.6.
     */
    int build(int slot, int type, long sector, long dataAddress, int dataBytes) {
        int dataFlags = BlkRequest.deviceWritesData(type) ? F_WRITE | F_NEXT : F_NEXT;
        slots.writeHeader(slot, type, sector, (dataFlags & F_WRITE) == 0 ? 1 : dataBytes + 1);
        if (indirect) {
            int i = 0;
            tableEntry(slot, i++, slots.headerAddress(slot), VirtioBlkRequestHeader.SIZE, F_NEXT);
            if (dataBytes > 0) {
                tableEntry(slot, i++, dataAddress, dataBytes, dataFlags);
            }
            tableEntry(slot, i++, slots.statusAddress(slot), 1, F_WRITE);
            ring.link(slots.tableAddress(slot), VirtqDesc.SIZE * i, F_INDIRECT);
        } else {
            ring.link(slots.headerAddress(slot), VirtioBlkRequestHeader.SIZE, F_NEXT);
            if (dataBytes > 0) {
                ring.link(dataAddress, dataBytes, dataFlags);
            }
            ring.link(slots.statusAddress(slot), 1, F_WRITE);
        }
        return ring.offer();
    }

    /** Header, data and status as one stream, cut as the shape says. Returns the chain's identifier. */
    int buildFramed(int slot, int type, long sector, int dataBytes, ChainShape chain) {
        int stream = ChainShape.streamBytes(dataBytes);
        int turn = ChainShape.turn(type, dataBytes);
        int pieces = chain.pieces(turn, stream);
        int direct = Math.min(pieces, chain.directDescriptors());
        slots.writeFrame(slot, type, sector, dataBytes, stream - turn);
        long start = slots.dataAddress(slot) - VirtioBlkRequestHeader.SIZE;
        int piece = 0;
        for (int at = 0; at < stream; piece++) {
            int end = chain.endOfPiece(at, turn, stream);
            int flags = (at >= turn ? F_WRITE : 0) | (piece + 1 < pieces ? F_NEXT : 0);
            if (piece < direct) {
                ring.link(start + at, end - at, flags);
            } else {
                tableEntry(slot, piece - direct, start + at, end - at, flags);
            }
            at = end;
        }
        int inTable = pieces - direct;
        if (inTable > 0) {
            ring.link(slots.tableAddress(slot), VirtqDesc.SIZE * inTable, F_INDIRECT);
        }
        return ring.offer();
    }

    private void tableEntry(int slot, int index, long guestAddress, int length, int flags) {
        ring.writeTableEntry(slots.table(slot), index, guestAddress, length, flags);
    }
}
