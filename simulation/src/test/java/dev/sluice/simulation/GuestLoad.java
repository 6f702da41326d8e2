package dev.sluice.simulation;

import dev.sluice.simulation.GuestRequest.Flaw;
import dev.sluice.simulation.GuestRequest.Kind;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.LongSupplier;

/** What the guest's programs ask for: mostly short reads and writes, some long ones, some of very many segments, some that no driver makes. */
final class GuestLoad {
    private static final List<Integer> MANY_SEGMENTS = List.of(9, 126, 127, 143, 144, 145, 146, 1023, 1024);
    /** Bytes of requests of many segments, which have one each. */
    private static final int WIDE_SECTORS = 3;

    private static final List<Flaw> FLAWS = List.of(Flaw.values());
    private static final int BUSY_SECTORS = 384;

    private final SimulatedGuest guest;
    private final DiskModel disk;
    private final SplittableRandom random;
    private final LongSupplier stops;

    GuestLoad(SimulatedGuest guest, DiskModel disk, SplittableRandom random, LongSupplier stops) {
        this.guest = guest;
        this.disk = disk;
        this.random = random;
        this.stops = stops;
    }

    /** Makes some requests available, as far as there is room. */
    void submit(GuestQueue queue, Faults faults) {
        if (guest.cacheModeChanges) {
            return;
        }
        if (guest.negotiated.indirect() && random.nextInt(200) == 0) {
            for (int i = 0; i < Layout.WIDE_TABLES; i++) {
                submitWide(queue, 1024);
            }
            return;
        }
        for (int i = random.nextInt(6); i >= 0; i--) {
            if (random.nextInt(1024) < faults.hostile() * 8) {
                submitFlawed(queue);
            } else if (guest.negotiated.indirect() && random.nextInt(100) == 0) {
                submitWide(queue, MANY_SEGMENTS.get(random.nextInt(MANY_SEGMENTS.size())));
            } else {
                submitAny(queue);
            }
        }
    }

    private void submitAny(GuestQueue queue) {
        Kind kind = switch (random.nextInt(32)) {
            case 0, 1, 2 -> guest.negotiated.flush() ? Kind.FLUSH : Kind.READ;
            case 3, 4 -> Kind.DISCARD;
            case 5, 6 -> Kind.WRITE_ZEROES;
            case 7 -> Kind.GET_ID;
            case 8 -> Kind.BEYOND;
            default -> random.nextBoolean() ? Kind.READ : Kind.WRITE;
        };
        boolean data = kind == Kind.READ || kind == Kind.WRITE || kind == Kind.DISCARD || kind == Kind.WRITE_ZEROES;
        boolean large = data && random.nextInt(40) == 0;
        int sectors = large ? random.nextInt(513, 620) : random.nextInt(1, 8);
        GuestRequest request = request(kind, sector(sectors, large), sectors, random.nextBoolean());
        if (large) {
            request.region = guest.first;
        }
        request.extraBuffers = random.nextInt(8) == 0;
        if (mayGo(request)) {
            boolean _ = queue.submit(request);
        }
    }

    /** Most short requests leave the part of the disk alone where the long ones need room. */
    private int sector(int sectors, boolean large) {
        int from = large ? BUSY_SECTORS : 0;
        int end = large || random.nextInt(20) == 0 ? disk.sectors() : BUSY_SECTORS;
        return random.nextInt(from, end - sectors);
    }

    private void submitWide(GuestQueue queue, int segments) {
        GuestRequest request = request(random.nextInt(4) != 0 ? Kind.READ : Kind.WRITE, sector(WIDE_SECTORS, false), WIDE_SECTORS, false);
        request.segments = segments;
        if (mayGo(request)) {
            boolean _ = queue.submit(request);
        }
    }

    private boolean mayGo(GuestRequest request) {
        if (request.readsDisk()) {
            return disk.mayRead(request.sector, request.sectors);
        }
        return !request.changesDisk() || disk.mayWrite(request.sector, request.sectors);
    }

    /** A request as the driver makes it with what it has negotiated. */
    GuestRequest request(Kind kind, int sector, int sectors, boolean unmap) {
        GuestRegion region = guest.secondThere && random.nextInt(3) == 0 ? guest.second : guest.first;
        GuestRequest request = new GuestRequest(kind, sector, sectors, region, null);
        request.stopsBefore = stops.getAsLong();
        request.unmap = unmap;
        request.madeInMode(guest.writeThrough());
        request.unsupported = !supported(kind);
        return request;
    }

    private boolean supported(Kind kind) {
        return switch (kind) {
            case DISCARD -> guest.negotiated.discard();
            case WRITE_ZEROES -> guest.negotiated.writeZeroes();
            default -> true;
        };
    }

    // ---- chains that no driver makes

    private void submitFlawed(GuestQueue queue) {
        Flaw flaw = FLAWS.get(random.nextInt(FLAWS.size()));
        Negotiated negotiated = guest.negotiated;
        boolean needsIndirect = flaw == Flaw.TABLE_ODD || flaw == Flaw.TABLE_WITH_NEXT || flaw == Flaw.TABLE_NESTED || flaw == Flaw.TOO_MANY_SEGMENTS;
        if (needsIndirect ? !negotiated.indirect() : flaw == Flaw.INDIRECT_NOT_NEGOTIATED && negotiated.indirect()) {
            return;
        }
        Kind kind = switch (flaw) {
            case SHORT_HEADER -> random.nextBoolean() ? Kind.READ : Kind.FLUSH;
            case NO_STATUS -> random.nextBoolean() ? Kind.WRITE : Kind.FLUSH;
            case TOO_MANY_SEGMENTS -> random.nextBoolean() ? Kind.READ : Kind.WRITE;
            case NOWHERE ->
                    anyOf(Kind.READ, Kind.WRITE, negotiated.discard() ? Kind.DISCARD : Kind.READ, negotiated.writeZeroes() ? Kind.WRITE_ZEROES : Kind.WRITE);
            default -> anyOf(Kind.READ, Kind.WRITE, Kind.DISCARD, Kind.FLUSH);
        };
        GuestRequest request = new GuestRequest(kind, random.nextInt(disk.sectors() - 4), WIDE_SECTORS, guest.first, flaw);
        request.segments = flaw == Flaw.TOO_MANY_SEGMENTS ? 1025 : 0;
        boolean _ = queue.submit(request);
    }

    private Kind anyOf(Kind... kinds) {
        return kinds[random.nextInt(kinds.length)];
    }
}
