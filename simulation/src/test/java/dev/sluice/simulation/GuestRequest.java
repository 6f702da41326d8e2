package dev.sluice.simulation;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

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
        BEYOND(1);

        final int type;

        Kind(int type) {
            this.type = type;
        }
    }

    /** What is wrong with a chain that no driver makes. The device executes none of them. */
    enum Flaw {
        /** Data, or a header, at an address where there is no memory. */
        NOWHERE(true),
        STATUS_NOWHERE(false),
        NO_STATUS(false),
        SHORT_HEADER(true),
        LOOP(false),
        NEXT_BEYOND(false),
        TABLE_ODD(false),
        TABLE_WITH_NEXT(false),
        TABLE_NESTED(false),
        TOO_MANY_SEGMENTS(true),
        INDIRECT_NOT_NEGOTIATED(false);

        /** The device finds the status byte: it writes IOERR there. Otherwise it writes nothing. */
        final boolean hasStatus;

        Flaw(boolean hasStatus) {
            this.hasStatus = hasStatus;
        }
    }

    final Kind kind;
    final int sector;
    final int sectors;
    final @Nullable Flaw flaw;
    GuestRegion region;
    /** Of the data, in the region. */
    long dataAt;
    long headerAt;
    int dataSlot = -1;
    int head;
    /** In how many pieces the data comes; 0 for a few. */
    int segments;
    int wideTable = -1;
    /** Buffers that the device has no use for. */
    boolean extraBuffers;
    final List<Integer> descriptors = new ArrayList<>();
    long stamp;
    /** Has to be durable when it is acknowledged. */
    boolean durable;
    /** May need a sync, and so fail with one. */
    boolean mayNeedSync;
    boolean unmap;
    /** The feature was not negotiated. */
    boolean unsupported;
    long failuresBefore;
    long stopsBefore;
    boolean[] covered = {};
    long[] generationsThen = {};

    GuestRequest(Kind kind, int sector, int sectors, GuestRegion region, @Nullable Flaw flaw) {
        this.kind = kind;
        this.sector = sector;
        this.sectors = sectors;
        this.region = region;
        this.flaw = flaw;
    }

    /** The cache mode in which it is made available. */
    void madeInMode(boolean writeThrough) {
        durable = writeThrough;
        mayNeedSync = writeThrough;
    }

    /** It may be executed in this cache mode instead, by the next process. */
    void mayBeExecutedInMode(boolean writeThrough) {
        durable &= writeThrough;
        mayNeedSync |= writeThrough;
    }

    int bytes() {
        return switch (kind) {
            case READ, WRITE, BEYOND -> sectors * DiskModel.SECTOR;
            case GET_ID -> 20;
            case DISCARD, WRITE_ZEROES -> 16;
            case FLUSH -> 0;
        };
    }

    long statusAt() {
        return headerAt + Layout.STATUS;
    }

    /** The data is the device's to write. */
    boolean writableData() {
        return kind == Kind.READ || kind == Kind.GET_ID;
    }

    /** The device has reason to write the data. */
    boolean deviceWritesData() {
        return writableData() && flaw == null;
    }

    boolean changesDisk() {
        return flaw == null && !unsupported && (kind == Kind.WRITE || kind == Kind.DISCARD || kind == Kind.WRITE_ZEROES);
    }

    boolean readsDisk() {
        return flaw == null && kind == Kind.READ;
    }

    @Override
    public String toString() {
        return kind + " " + sector + "+" + sectors + " head " + head + (flaw != null ? " " + flaw : "") + (segments > 0 ? " in " + segments + " segments" : "")
                + (unsupported ? " not negotiated" : "");
    }
}
