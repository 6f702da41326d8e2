package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.sluice.linux.Errno;
import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.Memfd;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.virtio.queue.MemoryRegion;
import dev.sluice.virtio.vhostuser.FrontEndMessage.Region;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which memory a front end may share, and that nothing of it stays mapped that nobody may use. */
final class MemoryTableTest {
    private static final int PAGE = 4096;
    private static final long GUEST = 1L << 32;
    private static final long USER = 1L << 40;
    private static final String NAME = "sluice-table";

    private final AtomicLong quarantined = new AtomicLong();
    private final MappingQuarantine quarantine = new MappingQuarantine(quarantined);
    private final MemoryTable table = new MemoryTable(false, quarantine);
    private final List<Fd> files = new ArrayList<>();

    @TempDir
    Path directory;

    @AfterEach
    void closeFiles() throws IOException {
        table.close();
        files.forEach(Fd::close);
        assertThat(mapped()).as("mapped in the end").isZero();
    }

    private Fd memfd(String name, long bytes) {
        Fd made = Fd.adopt(Memfd.create(NAME + name, Memfd.MFD_CLOEXEC));
        files.add(made);
        assertThat(LinuxFile.ftruncate(made.number(), bytes)).isZero();
        return made;
    }

    private Fd memfd(long bytes) {
        return memfd("", bytes);
    }

    /** Region number {@code i} of those that lie apart from each other. */
    private static Region region(int i, long sizeBytes, long offset) {
        return new Region(GUEST + ((long) i << 24), sizeBytes, USER + ((long) i << 24), offset);
    }

    private static long mapped(String name) throws IOException {
        try (Stream<String> lines = Files.lines(Path.of("/proc/self/maps"))) {
            return lines.filter(line -> line.contains("memfd:" + NAME + name)).count();
        }
    }

    private static long mapped() throws IOException {
        return mapped("");
    }

    private static String refusal(ThrowingCallable call) {
        ProtocolViolation refused = catchThrowableOfType(ProtocolViolation.class, call);
        assertThat(refused).isNotNull();
        assertThat(refused.isFatal()).isFalse();
        return refused.rule();
    }

    private String refusal(Region region, Fd file) {
        List<MemoryRegion> before = table.memory().regions();
        String rule = refusal(() -> table.replace(List.of(region), List.of(file)));
        assertThat(refusal(() -> table.add(region, file))).isEqualTo(rule);
        assertThat(table.memory().regions()).isEqualTo(before);
        return rule;
    }

    private void add(Region region, Fd file) throws ProtocolViolation {
        table.finish(table.add(region, file));
    }

    // ---- what is mapped

    @Test
    void shouldMapARegionFromWhereItIsInItsFile() throws Exception {
        Fd file = memfd(4 * PAGE);
        add(region(0, 2 * PAGE, PAGE), file);
        MemoryRegion mapped = table.memory().regions().getFirst();
        assertThat(mapped.guestAddress()).isEqualTo(GUEST);
        assertThat(mapped.userAddress()).isEqualTo(USER);
        assertThat(mapped.sizeBytes()).isEqualTo(2 * PAGE);
        add(region(1, PAGE, 0), file);
        add(region(2, PAGE, 3 * PAGE), file);
        mapped.memory().set(ValueLayout.JAVA_INT, 0, 0x11);
        mapped.memory().set(ValueLayout.JAVA_INT, 2 * PAGE - 4, 0x22);
        // The same file, once more and whole.
        add(region(3, 4 * PAGE, 0), file);
        MemoryRegion whole = table.memory().regions().getLast();
        assertThat(whole.memory().get(ValueLayout.JAVA_INT, PAGE)).isEqualTo(0x11);
        assertThat(whole.memory().get(ValueLayout.JAVA_INT, 3 * PAGE - 4)).isEqualTo(0x22);
        assertThat(table.memory().regions()).hasSize(4);
    }

    /** The part of a guest's memory that is behind its hole below 4 GiB comes from far into the same file. */
    @Test
    void shouldMapARegionFromBeyond4GiBOfItsFile() throws Exception {
        long offset = (5L << 30) + PAGE;
        Fd file = memfd(offset + PAGE);
        add(region(0, PAGE, offset), file);
        table.memory().regions().getFirst().memory().set(ValueLayout.JAVA_LONG, 0, 0x1122_3344_5566_7788L);
        try (NativeBlock found = NativeMemory.allocate(8, 8)) {
            assertThat(LinuxFile.pread(file.number(), found.address(), 8, offset)).isEqualTo(8);
            assertThat(NativeMemory.getLong(found.address())).isEqualTo(0x1122_3344_5566_7788L);
        }
    }

    @Test
    void shouldReplaceAllRegionsAndUnmapTheOldOnesWhenItIsFinished() throws Exception {
        table.finish(table.replace(List.of(region(0, PAGE, 0), region(1, PAGE, 0)), List.of(memfd("-old", PAGE), memfd("-old", PAGE))));
        MemoryTable.Change change = table.replace(List.of(region(1, PAGE, 0), region(2, PAGE, 0), region(0, PAGE, 0)),
                List.of(memfd("-new", PAGE), memfd("-new", PAGE), memfd("-new", PAGE)));
        assertThat(table.memory().regions()).as("queues still use the old ones").hasSize(2);
        assertThat(mapped("-old")).isEqualTo(2);
        table.finish(change);
        assertThat(table.memory()).isSameAs(change.memory());
        assertThat(table.memory().regions()).extracting(MemoryRegion::guestAddress).containsExactly(GUEST, GUEST + (1L << 24), GUEST + (2L << 24));
        assertThat(mapped("-old")).isZero();
        assertThat(mapped("-new")).isEqualTo(3);
    }

    @Test
    void shouldRemoveTheRegionOfThatDescriptionWhereverItIsInItsFile() throws Exception {
        Region known = region(1, 2 * PAGE, PAGE);
        add(region(0, PAGE, 0), memfd("-a", PAGE));
        add(known, memfd("-b", 3 * PAGE));
        for (Region other : List.of(
                new Region(known.guestAddress() + 1, known.sizeBytes(), known.userAddress(), PAGE),
                new Region(known.guestAddress(), known.sizeBytes() + 1, known.userAddress(), PAGE),
                new Region(known.guestAddress(), known.sizeBytes(), known.userAddress() + 1, PAGE))) {
            assertThat(refusal(() -> table.remove(other))).startsWith("REM_MEM_REG: no region at guest 0x" + Long.toHexString(other.guestAddress()));
        }
        MemoryTable.Change change = table.remove(new Region(known.guestAddress(), known.sizeBytes(), known.userAddress(), 0));
        assertThat(mapped("-b")).as("queues still use it").isEqualTo(1);
        table.finish(change);
        assertThat(mapped("-b")).isZero();
        assertThat(mapped("-a")).isEqualTo(1);
        assertThat(table.memory().regions()).extracting(MemoryRegion::guestAddress).containsExactly(GUEST);
        assertThat(refusal(() -> table.remove(known))).startsWith("REM_MEM_REG: no region");
    }

    @Test
    void shouldKeepWhatWasGivenUpMappedWhileAStageMayUseIt() throws Exception {
        add(region(0, PAGE, 0), memfd("-a", PAGE));
        add(region(1, PAGE, 0), memfd("-b", PAGE));
        quarantine.hold();
        table.finish(table.remove(region(0, PAGE, 0)));
        table.close();
        assertThat(mapped()).isEqualTo(2);
        assertThat(quarantined).hasValue(2 * PAGE);
        quarantine.release();
        assertThat(mapped()).isZero();
        assertThat(quarantined).hasValue(0);
    }

    @Test
    void shouldKeepOldAndNewMappedUntilTheEndWhenAChangeCannotBeFinished() throws Exception {
        add(region(0, PAGE, 0), memfd("-both", PAGE));
        add(region(1, PAGE, 0), memfd("-old", PAGE));
        table.keepAll(table.remove(region(1, PAGE, 0)));
        table.keepAll(table.replace(List.of(region(2, PAGE, 0)), List.of(memfd("-new", PAGE))));
        assertThat(mapped("-both")).isEqualTo(1);
        assertThat(mapped("-old")).isEqualTo(1);
        assertThat(mapped("-new")).isEqualTo(1);
        assertThat(table.memory().regions()).as("what the queues have").hasSize(2);
        table.close();
        assertThat(mapped()).isZero();
        assertThat(table.memory().regions()).isEmpty();
    }

    @Test
    void shouldBeginAgainWhenItWasClosed() throws Exception {
        add(region(0, PAGE, 0), memfd(PAGE));
        table.close();
        assertThat(table.memory().regions()).isEmpty();
        add(region(0, PAGE, 0), memfd(PAGE));
        assertThat(table.memory().regions()).hasSize(1);
    }

    // ---- what is refused

    @Test
    void shouldMapNothingWhenOneOfTheRegionsIsRefused() throws Exception {
        add(region(7, PAGE, 0), memfd("-kept", PAGE));
        List<Fd> good = List.of(memfd("-new", PAGE), memfd("-new", PAGE));
        List<Region> overlapping = List.of(region(0, PAGE, 0), new Region(GUEST, PAGE, USER + (9L << 24), 0));
        assertThat(refusal(() -> table.replace(overlapping, good))).startsWith("memory regions overlap");
        assertThat(mapped("-new")).isZero();
        List<Region> tooLarge = List.of(region(0, PAGE, 0), region(1, 2 * PAGE, 0));
        assertThat(refusal(() -> table.replace(tooLarge, good))).contains(" has 4096 bytes; the region ends at 8192");
        assertThat(mapped("-new")).isZero();
        assertThat(refusal(() -> table.add(new Region(GUEST + (7L << 24) + 1, PAGE, USER, 0), good.getFirst()))).startsWith("memory regions overlap");
        assertThat(mapped("-new")).isZero();
        assertThat(mapped("-kept")).isEqualTo(1);
        assertThat(table.memory().regions()).hasSize(1);
    }

    @Test
    void shouldRefuseMoreRegionsThanItHasSlotsFor() throws Exception {
        Fd file = memfd(PAGE);
        for (int i = 0; i < MemoryTable.MAX_SLOTS; i++) {
            add(region(i, PAGE, 0), file);
        }
        assertThat(refusal(() -> table.add(region(256, PAGE, 0), file))).isEqualTo("ADD_MEM_REG: all 256 memory slots are in use");
        table.finish(table.remove(region(3, PAGE, 0)));
        add(region(256, PAGE, 0), file);
        assertThat(mapped()).isEqualTo(256);
    }

    @Test
    void shouldRefuseRegionsThatAreEmptyOrWrapAround() throws Exception {
        Fd file = memfd(4 * PAGE);
        assertThat(refusal(new Region(GUEST, 0, USER, 0), file)).contains("guest physical", "is empty or wraps around");
        assertThat(refusal(new Region(-PAGE, 2 * PAGE, USER, 0), file)).contains("guest physical", "is empty or wraps around");
        assertThat(refusal(new Region(GUEST, 2 * PAGE, -PAGE, 0), file)).contains("front-end virtual", "is empty or wraps around");
        assertThat(refusal(new Region(GUEST, PAGE, USER, -PAGE), file)).endsWith(" of 4096 bytes ends beyond any file");
        assertThat(refusal(new Region(GUEST, PAGE, USER, Long.MAX_VALUE), file)).endsWith(" of 4096 bytes ends beyond any file");
        // The very end of both address spaces is not beyond them; offset 0 is in the file.
        add(new Region(-PAGE, PAGE, -PAGE, 0), file);
        assertThat(table.memory().regions()).hasSize(1);
    }

    @Test
    void shouldRefuseARegionThatEndsBehindItsFile() throws Exception {
        Fd file = memfd("-small", 2 * PAGE);
        assertThat(refusal(region(0, PAGE, PAGE + 1), file))
                .isEqualTo("guest memory /memfd:sluice-table-small (deleted) has 8192 bytes; the region ends at 8193");
        add(region(0, PAGE, PAGE), file);
        assertThat(table.memory().regions()).hasSize(1);
    }

    @Test
    void shouldRefuseMoreAddressSpaceThanAProcessCanSpare() throws Exception {
        Fd vast = memfd(MemoryTable.MAX_MAPPED_BYTES + PAGE);
        assertThat(refusal(region(0, MemoryTable.MAX_MAPPED_BYTES + 1, 0), vast))
                .isEqualTo("memory region of 17592186044417 bytes, from the start of its file, is more than 17592186044416, "
                        + "which is what is left of 17592186044416");
        quarantined.set(MemoryTable.MAX_MAPPED_BYTES - 4 * PAGE);
        add(region(0, PAGE, 0), vast);
        // What lies before a region in its file is mapped with it.
        assertThat(refusal(() -> table.add(region(1, PAGE, 3 * PAGE), vast))).contains("of 16384 bytes", "is more than 12288, ");
        assertThat(refusal(() -> table.replace(List.of(region(0, 2 * PAGE, 0), region(1, 2 * PAGE + 1, 0)), List.of(vast, vast))))
                .contains("is more than 8192, ");
        add(region(1, PAGE, 2 * PAGE), vast);
        assertThat(refusal(() -> table.add(region(2, 1, 0), vast))).contains("of 1 bytes", "is more than 0, ");
        quarantined.set(0);
    }

    @Test
    void shouldRefuseWhatIsNotInMemoryUnlessFilesAreAllowed() throws Exception {
        String advice = "is not a memfd or a file on tmpfs or hugetlbfs (allow other files with --allow-file-memory)";
        try (MemoryTable allowing = new MemoryTable(true, quarantine);
                Fd running = LinuxFile.openOrThrow("/proc/self/exe", LinuxFile.O_RDONLY, 0);
                Fd folder = LinuxFile.openOrThrow(directory.toString(), LinuxFile.O_RDONLY, 0);
                Fd file = LinuxFile.openOrThrow(Files.createFile(directory.resolve("f")).toString(), LinuxFile.O_RDWR, 0)) {
            assertThat(LinuxFile.ftruncate(file.number(), PAGE)).isZero();
            assertThat(refusal(region(0, 1, 0), running)).startsWith("guest memory /").endsWith(advice);
            assertThat(refusal(() -> allowing.add(region(0, 1, 0), running))).as("opened for reading").startsWith("memory region cannot be mapped: mmap");
            assertThat(refusal(() -> allowing.add(region(0, 1, 0), folder))).endsWith(advice);
            allowing.finish(allowing.add(region(0, PAGE, 0), file));
            assertThat(allowing.memory().regions()).hasSize(1);
        }
    }

    /** munmap(2): a part of a huge page cannot be unmapped, so the whole file is mapped; here it is too large for that, as no huge page may be free. */
    @Test
    void shouldMapTheWholeOfAFileOfHugePages() {
        int made = Memfd.create(NAME + "-huge", Memfd.MFD_CLOEXEC | Memfd.MFD_HUGETLB);
        Assumptions.assumeTrue(made >= 0, () -> "this kernel has no huge pages: " + Errno.describe(made));
        Fd huge = Fd.adopt(made);
        files.add(huge);
        assertThat(LinuxFile.ftruncate(made, 2 * MemoryTable.MAX_MAPPED_BYTES)).isZero();
        assertThat(refusal(region(0, PAGE, 0), huge)).startsWith("memory region of " + 2 * MemoryTable.MAX_MAPPED_BYTES + " bytes, ");
    }
}
