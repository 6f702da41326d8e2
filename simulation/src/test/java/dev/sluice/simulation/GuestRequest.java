package dev.sluice.simulation;

import java.util.ArrayList;
import java.util.List;

/** What the driver knows of a request that it has made available. */
final class GuestRequest {
    enum Kind {
        READ(0),
        WRITE(1),
        FLUSH(4),
        GET_ID(8),
        DISCARD(11),
        WRITE_ZEROES(13),
        /** A write behind the end of the disk. */
        BEYOND(1),
        /** A chain that no driver makes. */
        MALFORMED(0);

        final int type;

        Kind(int type) {
            this.type = type;
        }
    }

    final Kind kind;
    final int sector;
    final int sectors;
    GuestRegion region;
    /** Of the data, in the region. */
    long dataAt;
    long headerAt;
    long statusAt;
    int dataSlot = -1;
    int head;
    final List<Integer> descriptors = new ArrayList<>();
    long stamp;
    boolean durable;
    long failuresBefore;
    boolean[] covered = {};
    long[] generationsThen = {};

    GuestRequest(Kind kind, int sector, int sectors, GuestRegion region) {
        this.kind = kind;
        this.sector = sector;
        this.sectors = sectors;
        this.region = region;
    }

    int bytes() {
        return switch (kind) {
            case READ, WRITE, BEYOND, MALFORMED -> sectors * DiskModel.SECTOR;
            case GET_ID -> 20;
            case DISCARD, WRITE_ZEROES -> 16;
            case FLUSH -> 0;
        };
    }

    boolean deviceWritesData() {
        return kind == Kind.READ || kind == Kind.GET_ID || kind == Kind.MALFORMED;
    }

    boolean changesDisk() {
        return kind == Kind.WRITE || kind == Kind.DISCARD || kind == Kind.WRITE_ZEROES;
    }

    @Override
    public String toString() {
        return kind + " " + sector + "+" + sectors + " head " + head;
    }
}
