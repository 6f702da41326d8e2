package dev.sluice.virtio.driver;

import java.util.Arrays;

/**
 * How a request is spread over descriptors. A request is a stream of bytes: 16 of header, its data, 1 of status; a
 * shape says where the stream is cut and how many of the pieces get a descriptor of the ring before the rest goes into
 * an indirect table.
 *
 * <p>The device may assume nothing about it (VIRTIO 1.3 §2.6.4). Where the stream turns from device-readable to
 * device-writable there is always a cut.
 *
 * <p><b>Threading</b>: immutable. <b>Allocation</b>: none by using it.
 */
public final class ChainShape {
    private static final int ALL = Integer.MAX_VALUE;
    private static final int HEADER_BYTES = 16;

    /** Header, data, status in an indirect table: what Linux does. */
    public static final ChainShape INDIRECT = new ChainShape(0, new int[] {HEADER_BYTES, -1});

    /** Header, data, status in descriptors of the ring. */
    public static final ChainShape DIRECT = new ChainShape(ALL, new int[] {HEADER_BYTES, -1});

    private final int directDescriptors;
    private final int[] cuts;

    private ChainShape(int directDescriptors, int[] cuts) {
        this.directDescriptors = directDescriptors;
        this.cuts = cuts;
    }

    /**
     * A shape of one's own.
     *
     * @param directDescriptors pieces with a descriptor of the ring; 0 puts all into the table, {@code Integer.MAX_VALUE} none
     * @param cuts ascending positions in the stream where a piece ends; negative ones count from its end ({@code -1}: before
     *     the status byte). Those outside the stream are ignored.
     */
    public static ChainShape of(int directDescriptors, int... cuts) {
        if (directDescriptors < 0) {
            throw new IllegalArgumentException("directDescriptors " + directDescriptors + " is negative");
        }
        return new ChainShape(directDescriptors, cuts.clone());
    }

    int directDescriptors() {
        return directDescriptors;
    }

    /** Bytes of the whole stream. */
    static int streamBytes(int dataBytes) {
        return HEADER_BYTES + dataBytes + 1;
    }

    /** Where the stream turns from device-readable to device-writable. */
    static int turn(int type, int dataBytes) {
        return BlkRequest.deviceWritesData(type) ? HEADER_BYTES : HEADER_BYTES + dataBytes;
    }

    /** Descriptors of the ring that a request takes in this shape. */
    int ringDescriptors(int type, int dataBytes) {
        int pieces = pieces(turn(type, dataBytes), streamBytes(dataBytes));
        return pieces <= directDescriptors ? pieces : directDescriptors + 1;
    }

    /** Throws {@code IllegalArgumentException} where a request in this shape could never fit into the queue. */
    void check(int type, int dataBytes, QueueShape queue) {
        int pieces = pieces(turn(type, dataBytes), streamBytes(dataBytes));
        int inTable = pieces - Math.min(pieces, directDescriptors);
        if (inTable > queue.tableDescriptors()) {
            throw new IllegalArgumentException(
                    this + " needs " + inTable + " of " + queue.tableDescriptors() + " indirect descriptors");
        }
        int descriptors = ringDescriptors(type, dataBytes);
        if (descriptors > queue.queueSize()) {
            throw new IllegalArgumentException(
                    this + " needs " + descriptors + " of " + queue.queueSize() + " descriptors");
        }
    }

    int pieces(int turn, int streamBytes) {
        int pieces = 0;
        for (int at = 0; at < streamBytes; at = endOfPiece(at, turn, streamBytes)) {
            pieces++;
        }
        return pieces;
    }

    /** Where the piece that starts at {@code from} ends: at the nearest cut, at {@code turn} or at the end. */
    int endOfPiece(int from, int turn, int streamBytes) {
        int end = from < turn ? turn : streamBytes;
        for (int cut : cuts) {
            int position = cut < 0 ? streamBytes + cut : cut;
            if (position > from && position < end) {
                end = position;
            }
        }
        return end;
    }

    @Override
    public String toString() {
        return "ChainShape[" + directDescriptors + " direct, cut at " + Arrays.toString(cuts) + "]";
    }
}
