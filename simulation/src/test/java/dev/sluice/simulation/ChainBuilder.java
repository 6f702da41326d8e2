package dev.sluice.simulation;

import dev.sluice.simulation.GuestRequest.Flaw;
import dev.sluice.simulation.GuestRequest.Kind;
import dev.sluice.virtio.layout.VirtqDesc;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;

/** Makes the descriptors of a request: cut at random places, direct or indirect, legal or with one flaw. Owns the descriptors and the tables. */
final class ChainBuilder {
    private static final long NOWHERE = 0x7777_0000_0000L;

    private final GuestRegion rings;
    private final long base;
    private final MemorySegment memory;
    private final SplittableRandom random;
    private final boolean indirectNegotiated;
    private final boolean[] descriptorUsed = new boolean[Layout.QUEUE_SIZE];
    private final boolean[] wideUsed = new boolean[Layout.WIDE_TABLES];

    private final long[] addresses = new long[Layout.WIDE_ENTRIES];
    private final int[] lengths = new int[Layout.WIDE_ENTRIES];
    private final boolean[] writable = new boolean[Layout.WIDE_ENTRIES];
    private int parts;

    ChainBuilder(GuestRegion rings, long base, MemorySegment memory, SplittableRandom random, boolean indirectNegotiated) {
        this.rings = rings;
        this.base = base;
        this.memory = memory;
        this.random = random;
        this.indirectNegotiated = indirectNegotiated;
    }

    int freeDescriptor() {
        for (int i = 0; i < descriptorUsed.length; i++) {
            if (!descriptorUsed[i]) {
                descriptorUsed[i] = true;
                return i;
            }
        }
        return -1;
    }

    void free(GuestRequest request) {
        descriptorUsed[request.head] = false;
        request.descriptors.forEach(descriptor -> descriptorUsed[descriptor] = false);
        if (request.wideTable >= 0) {
            wideUsed[request.wideTable] = false;
            request.wideTable = -1;
        }
    }

    /** False if there is no room for it. */
    boolean build(GuestRequest request) {
        if (request.segments > 0 && !takeWideTable(request)) {
            return false;
        }
        gather(request);
        request.descriptors.add(request.head);
        Flaw flaw = request.flaw;
        if (flaw == Flaw.INDIRECT_NOT_NEGOTIATED) {
            return indirect(request);
        }
        boolean tableOnly = flaw == Flaw.TABLE_ODD || flaw == Flaw.TABLE_NESTED || flaw == Flaw.TABLE_WITH_NEXT || request.segments > 0;
        boolean inTable = tableOnly || (indirectNegotiated && random.nextInt(4) != 0);
        return inTable ? indirect(request) : direct(request);
    }

    private boolean takeWideTable(GuestRequest request) {
        for (int i = 0; i < wideUsed.length; i++) {
            if (!wideUsed[i]) {
                wideUsed[i] = true;
                request.wideTable = i;
                return true;
            }
        }
        return false;
    }

    // ---- the parts in their order

    private void gather(GuestRequest request) {
        parts = 0;
        long ringsGuest = rings.guestAddress() + base;
        int headerBytes = request.flaw == Flaw.SHORT_HEADER ? 15 : 16;
        int headerCut = random.nextInt(4) == 0 ? random.nextInt(1, headerBytes) : headerBytes;
        part(ringsGuest + request.headerAt, headerCut, false);
        if (headerCut < headerBytes) {
            part(ringsGuest + request.headerAt + headerCut, headerBytes - headerCut, false);
        }
        if (request.extraBuffers && (request.writableData() || request.kind == Kind.FLUSH)) {
            part(ringsGuest + request.headerAt + Layout.EXTRA_READABLE, random.nextInt(1, Layout.EXTRA_BYTES + 1), false);
        }
        gatherData(request);
        if (request.extraBuffers && request.kind == Kind.WRITE) {
            part(ringsGuest + request.headerAt + Layout.EXTRA_WRITABLE, random.nextInt(1, Layout.EXTRA_BYTES + 1), true);
        }
        if (request.flaw == Flaw.NOWHERE) {
            // An address without memory anywhere but in the status.
            addresses[random.nextInt(parts)] = NOWHERE;
        }
        if (request.flaw != Flaw.NO_STATUS) {
            part(request.flaw == Flaw.STATUS_NOWHERE ? NOWHERE : ringsGuest + request.statusAt(), 1, true);
        }
    }

    private void gatherData(GuestRequest request) {
        int bytes = request.bytes();
        long dataGuest = request.region.guestAddress() + request.dataAt;
        int done = 0;
        int pieces = request.segments > 0 ? request.segments : 1 + random.nextInt(4);
        while (done < bytes) {
            int longest = bytes - done - (pieces - 1);
            int length = pieces > 1 && longest >= 1 ? 1 + random.nextInt(Math.min(longest, request.segments > 0 ? 3 : longest)) : bytes - done;
            part(dataGuest + done, length, request.writableData());
            done += length;
            pieces--;
        }
    }

    private void part(long address, int length, boolean write) {
        addresses[parts] = address;
        lengths[parts] = length;
        writable[parts++] = write;
    }

    // ---- descriptors

    private boolean direct(GuestRequest request) {
        for (int i = 1; i < parts; i++) {
            int next = freeDescriptor();
            if (next < 0) {
                return false;
            }
            request.descriptors.add(next);
        }
        for (int i = 0; i < parts; i++) {
            boolean more = i + 1 < parts;
            set(Layout.DESCRIPTORS, request.descriptors.get(i), i, more, more ? request.descriptors.get(i + 1) : 0);
        }
        spoilEnd(request, Layout.DESCRIPTORS, request.descriptors.getLast(), request.head, Layout.QUEUE_SIZE);
        return true;
    }

    private boolean indirect(GuestRequest request) {
        long table = request.wideTable >= 0
                ? Layout.WIDE + (long) request.wideTable * Layout.WIDE_ENTRIES * VirtqDesc.SIZE
                : Layout.TABLES + (long) request.head * Layout.TABLE_ENTRIES * VirtqDesc.SIZE;
        for (int i = 0; i < parts; i++) {
            boolean more = i + 1 < parts;
            set(table, i, i, more, more ? i + 1 : 0);
        }
        spoilEnd(request, table, parts - 1, 0, parts);
        long tableGuest = rings.guestAddress() + base + table;
        long bytes = (long) parts * VirtqDesc.SIZE;
        int flags = VirtqDesc.F_INDIRECT;
        int next = 0;
        if (request.flaw == Flaw.TABLE_ODD) {
            bytes += random.nextInt(1, VirtqDesc.SIZE);
        } else if (request.flaw == Flaw.TABLE_WITH_NEXT) {
            flags |= VirtqDesc.F_NEXT;
            next = request.head;
        } else if (request.flaw == Flaw.TABLE_NESTED) {
            // In place of its last entry a table of that entry.
            VirtqDesc.set(memory, table + (long) parts * VirtqDesc.SIZE, addresses[parts - 1], lengths[parts - 1], VirtqDesc.F_WRITE, 0);
            VirtqDesc.set(memory, table + (long) (parts - 1) * VirtqDesc.SIZE, tableGuest + (long) parts * VirtqDesc.SIZE, VirtqDesc.SIZE, VirtqDesc.F_INDIRECT,
                    0);
        }
        VirtqDesc.set(memory, Layout.DESCRIPTORS + (long) request.head * VirtqDesc.SIZE, tableGuest, bytes, flags, next);
        return true;
    }

    private void set(long table, int entry, int part, boolean more, int next) {
        VirtqDesc.set(memory, table + (long) entry * VirtqDesc.SIZE, addresses[part], lengths[part],
                (writable[part] ? VirtqDesc.F_WRITE : 0) | (more ? VirtqDesc.F_NEXT : 0), next);
    }

    private void spoilEnd(GuestRequest request, long table, int last, int first, int entries) {
        if (request.flaw == Flaw.LOOP || request.flaw == Flaw.NEXT_BEYOND) {
            int flags = (writable[parts - 1] ? VirtqDesc.F_WRITE : 0) | VirtqDesc.F_NEXT;
            int next = request.flaw == Flaw.LOOP ? first : entries + random.nextInt(1000);
            VirtqDesc.set(memory, table + (long) last * VirtqDesc.SIZE, addresses[parts - 1], lengths[parts - 1], flags, next);
        }
    }
}
