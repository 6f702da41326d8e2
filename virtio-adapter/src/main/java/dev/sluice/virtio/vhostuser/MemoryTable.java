package dev.sluice.virtio.vhostuser;

import dev.sluice.linux.ErrnoException;
import dev.sluice.linux.Fd;
import dev.sluice.linux.FileStatus;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.Mapping;
import dev.sluice.virtio.queue.GuestMemory;
import dev.sluice.virtio.queue.MemoryRegion;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * The guest memory of one connection: its mappings, and the map that queues translate addresses with.
 *
 * <p><b>Threading:</b> the control thread. <b>Ownership:</b> owns the mappings; descriptors are closed as soon as they are mapped. Mappings that a
 * change has made superfluous are unmapped by {@link #finish}, when no queue uses them any more. <b>Failure:</b> {@link ProtocolViolation}, with
 * the table as it was. Source: vhost-user, "Memory region description".
 */
final class MemoryTable implements AutoCloseable {
    /** Regions that a front end may add one by one; a look-up is logarithmic in them. */
    static final int MAX_SLOTS = 256;

    /**
     * Address space that a front end may take: far more than any guest has, far less than a process has. With all of it taken the virtual machine
     * would die of its own next allocation.
     */
    static final long MAX_MAPPED_BYTES = 1L << 44;

    /** Another map, and what is to be unmapped once nobody uses the old one. */
    record Change(GuestMemory memory, List<Slot> next, List<Slot> superfluous) {}

    private record Slot(FrontEndMessage.Region description, Mapping mapping, MemoryRegion region) {}

    private final boolean allowFileMemory;
    private final MappingQuarantine quarantine;
    private List<Slot> slots = List.of();
    private GuestMemory memory = GuestMemory.NONE;

    MemoryTable(boolean allowFileMemory, MappingQuarantine quarantine) {
        this.allowFileMemory = allowFileMemory;
        this.quarantine = quarantine;
    }

    GuestMemory memory() {
        return memory;
    }

    /** Prepares a table of these regions and no others. */
    Change replace(List<FrontEndMessage.Region> regions, List<Fd> files) throws ProtocolViolation {
        List<Slot> next = new ArrayList<>();
        try {
            for (int i = 0; i < regions.size(); i++) {
                next.add(map(regions.get(i), files.get(i), next));
            }
            return change(next, slots);
        } catch (Throwable refused) {
            next.forEach(slot -> slot.mapping().close());
            throw refused;
        }
    }

    Change add(FrontEndMessage.Region region, Fd file) throws ProtocolViolation {
        if (slots.size() == MAX_SLOTS) {
            throw ProtocolViolation.refused("ADD_MEM_REG: all " + MAX_SLOTS + " memory slots are in use");
        }
        Slot added = map(region, file, slots);
        List<Slot> next = new ArrayList<>(slots);
        next.add(added);
        try {
            return change(next, List.of());
        } catch (Throwable refused) {
            added.mapping().close();
            throw refused;
        }
    }

    Change remove(FrontEndMessage.Region region) throws ProtocolViolation {
        for (Slot slot : slots) {
            // vhost-user, "REM_MEM_REG": found by guest address, size and user address; the offset is not looked at.
            FrontEndMessage.Region known = slot.description();
            if (known.guestAddress() == region.guestAddress()
                    && known.sizeBytes() == region.sizeBytes()
                    && known.userAddress() == region.userAddress()) {
                List<Slot> next = new ArrayList<>(slots);
                next.remove(slot);
                return change(next, List.of(slot));
            }
        }
        throw ProtocolViolation.refused("REM_MEM_REG: no region at guest 0x" + Long.toHexString(region.guestAddress()) + " of "
                + Long.toUnsignedString(region.sizeBytes()) + " bytes");
    }

    private static Change change(List<Slot> next, List<Slot> superfluous) throws ProtocolViolation {
        try {
            return new Change(new GuestMemory(next.stream().map(Slot::region).toList()), next, superfluous);
        } catch (IllegalArgumentException overlap) {
            throw ProtocolViolation.refused(String.valueOf(overlap.getMessage()));
        }
    }

    /** The prepared map is the map from now on. No queue uses a superfluous mapping any more. */
    void finish(Change change) {
        slots = List.copyOf(change.next());
        memory = change.memory();
        change.superfluous().forEach(slot -> quarantine.close(slot.mapping()));
    }

    /** Where it could not be {@linkplain #finish finished}: everything stays mapped until {@link #close}, as a queue may use the old or the new. */
    void keepAll(Change change) {
        slots = Stream.concat(slots.stream(), change.next().stream()).distinct().toList();
    }

    /** Maps a region beside others that stay. */
    private Slot map(FrontEndMessage.Region region, Fd file, List<Slot> others) throws ProtocolViolation {
        try {
            MemoryRegion.requireRange("guest physical", region.guestAddress(), region.sizeBytes());
            MemoryRegion.requireRange("front-end virtual", region.userAddress(), region.sizeBytes());
            long end = region.mmapOffset() + region.sizeBytes();
            if (region.mmapOffset() < 0 || end < 0) {
                throw ProtocolViolation.refused("memory region at file offset 0x" + Long.toHexString(region.mmapOffset()) + " of "
                        + region.sizeBytes() + " bytes ends beyond any file");
            }
            // From offset 0: hugetlbfs maps whole huge pages only, and the region may start within one.
            long mappedBytes = mappedBytes(file, end);
            long othersBytes = others.stream().mapToLong(slot -> slot.mapping().bytes()).sum() + quarantine.waitingBytes();
            if (mappedBytes > MAX_MAPPED_BYTES - othersBytes) {
                throw ProtocolViolation.refused("memory region of " + mappedBytes + " bytes, from the start of its file, is more than "
                        + (MAX_MAPPED_BYTES - othersBytes) + ", which is what is left of " + MAX_MAPPED_BYTES);
            }
            Mapping mapping = Mapping.shared(file.number(), 0, mappedBytes);
            return new Slot(region, mapping,
                    new MemoryRegion(region.guestAddress(), region.userAddress(), mapping.view(region.mmapOffset(), region.sizeBytes())));
        } catch (IllegalArgumentException empty) {
            throw ProtocolViolation.refused(String.valueOf(empty.getMessage()));
        } catch (IOException failed) {
            throw ProtocolViolation.refused("memory region cannot be mapped: " + failed.getMessage());
        }
    }

    private long mappedBytes(Fd file, long end) throws ErrnoException, ProtocolViolation {
        FileStatus status = LinuxFile.status(file.number());
        long type = LinuxFile.fileSystemType(file.number());
        boolean inMemory = type == LinuxFile.TMPFS_MAGIC || type == LinuxFile.HUGETLBFS_MAGIC;
        if (status.type() != FileStatus.Type.REGULAR || !(inMemory || allowFileMemory)) {
            throw ProtocolViolation.refused("guest memory " + LinuxFile.descriptorName(file.number())
                    + " is not a memfd or a file on tmpfs or hugetlbfs (allow other files with --allow-file-memory)");
        }
        if (status.sizeBytes() < end) {
            throw ProtocolViolation.refused("guest memory " + LinuxFile.descriptorName(file.number()) + " has " + status.sizeBytes()
                    + " bytes; the region ends at " + end);
        }
        // munmap(2): lengths on hugetlbfs are multiples of the huge page, which the size of a file there always is.
        return type == LinuxFile.HUGETLBFS_MAGIC ? status.sizeBytes() : end;
    }

    /** Unmaps everything: an empty table, which may be filled again. No queue uses it any more. */
    @Override
    public void close() {
        List<Slot> all = slots;
        slots = List.of();
        memory = GuestMemory.NONE;
        all.forEach(slot -> quarantine.close(slot.mapping()));
    }
}
