package dev.sluice.aio.mapped;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.aio.loop.HandDrivenLoop;
import dev.sluice.aio.loop.OpenFiles;
import dev.sluice.linux.Errno;
import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.Memfd;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.testing.LoopDevice;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.assertj.core.api.AbstractThrowableAssert;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is mapped, for how long, and the one line that says why something is not. */
class MappedImageTest {
    private static final int MIB = 1 << 20;
    private static final int PAGE = 4096;

    @TempDir
    Path directory = Path.of("/");

    private static AbstractThrowableAssert<?, ? extends Throwable> assertRefused(Path image) {
        return assertThatThrownBy(() -> MappedImage.open(BackendOptions.of(image)).close())
                .isInstanceOf(IOException.class)
                .hasMessageContaining(image + ": ")
                .hasMessageNotContaining("\n");
    }

    /** Mappings of a file. */
    private static long mappings(Path file) throws IOException {
        try (var lines = Files.lines(Path.of("/proc/self/maps"))) {
            return lines.filter(line -> line.endsWith(file.toString())).count();
        }
    }

    private static Path inMemory(long bytes) throws IOException {
        return LoopDevice.sparse(Files.createTempFile(MappedRig.MEMORY, "sluice-mapped", ".raw"), bytes);
    }

    // ---- what is refused

    @Test
    void shouldSayWhatToDoOnAnotherFileSystem() throws IOException {
        Path onDisk = Files.createTempFile(Files.createDirectories(Path.of("target")), "sluice-mapped", ".raw");
        Files.write(onDisk, new byte[MIB]);
        assertRefused(onDisk).hasMessageContaining("tmpfs or hugetlbfs alone").hasMessageContaining("--backend auto").hasMessageContaining("/dev/shm");
        try (LoopDevice device = LoopDevice.attach(onDisk)) {
            assertRefused(device.path()).hasMessageContaining("tmpfs or hugetlbfs alone");
        }
        Files.delete(onDisk);
        assertRefused(directory.resolve("none")).hasMessageContaining("ENOENT").hasMessageContaining("truncate -s");
    }

    @Test
    void shouldSayThatAnImageIsTooLargeToBeMapped() throws IOException {
        Path huge = inMemory(ImageMapping.MAX_BYTES + 512);
        assertRefused(huge).hasMessageContaining("up to 16 TiB");
        LoopDevice.sparse(huge, ImageMapping.MAX_BYTES);
        MappedImage image = MappedImage.open(BackendOptions.of(huge));
        assertThatThrownBy(() -> image.resize(ImageMapping.MAX_BYTES + 512)).isInstanceOf(IOException.class).hasMessageContaining("up to 16 TiB");
        assertThat(image.geometry().sizeBytes()).isEqualTo(ImageMapping.MAX_BYTES);
        image.close();
        assertThat(mappings(huge)).isZero();
        Files.delete(huge);
    }

    @Test
    void shouldKeepTheLockOfTheImage() throws IOException {
        Path path = inMemory(MIB);
        MappedImage image = MappedImage.open(BackendOptions.of(path));
        assertRefused(path).hasMessageContaining("in use");
        image.close();
        MappedImage.open(BackendOptions.of(path)).close();
        Files.delete(path);
    }

    @Test
    void shouldLeaveNeitherDescriptorNorMappingBehind() throws IOException {
        Path onDisk = Files.createTempFile(Files.createDirectories(Path.of("target")), "sluice-mapped", ".raw");
        Files.write(onDisk, new byte[MIB]);
        Path path = inMemory(MIB);
        MappedImage.open(BackendOptions.of(path)).close();
        long before = OpenFiles.count();
        for (int i = 0; i < 50; i++) {
            MappedImage.open(BackendOptions.of(path)).close();
            assertRefused(onDisk).hasMessageContaining("tmpfs or hugetlbfs alone");
        }
        assertThat(OpenFiles.count()).isLessThanOrEqualTo(before);
        assertThat(mappings(path)).isZero();
        Files.delete(path);
        Files.delete(onDisk);
    }

    // ---- growing

    /** Each sink uses one mapping: what was mapped before goes once the last has moved on. */
    @Test
    void shouldUnmapWhatNoSinkUsesAnyMoreWhenTheImageGrows() throws IOException {
        try (MappedRig rig = MappedRig.sparse(MappedRig.MEMORY, MIB)) {
            HandDrivenLoop otherLoop = new HandDrivenLoop();
            BlockSink other = rig.backend.openSink(otherLoop);
            assertThat(mappings(rig.path)).isEqualTo(1);
            for (int size = 2; size <= 5; size++) {
                rig.backend.resize((long) size * MIB);
                assertThat(rig.write((size - 1L) * MIB, MIB, (byte) size)).isEqualTo(MIB);
                assertThat(rig.read((size - 1L) * MIB, MIB)).containsOnly(size);
                assertThat(mappings(rig.path)).as("the current one, and that of a sink that has slept").isEqualTo(2);
            }
            other.flush();
            assertThat(mappings(rig.path)).isEqualTo(1);
            rig.backend.resize(MIB);
            assertThat(rig.run(rig.request(PAGE, PAGE).as(BlockOp.READ, MIB))).isEqualTo(-Errno.EIO);
            rig.backend.resize(3 * MIB);
            assertThat(mappings(rig.path)).as("it is mapped already").isEqualTo(1);
            assertThat(rig.read(MIB, 2 * MIB)).as("what was cut off").containsOnly(0);
            other.close();
            otherLoop.end();
        }
    }

    /** Whoever shares a sink may have asked for a flush before it was closed. */
    @Test
    void shouldReleaseItsMappingOnceWhereASinkIsFlushedAfterItWasClosed() throws IOException {
        try (MappedRig rig = MappedRig.sparse(MappedRig.MEMORY, MIB)) {
            HandDrivenLoop otherLoop = new HandDrivenLoop();
            BlockSink other = rig.backend.openSink(otherLoop);
            other.close();
            rig.backend.resize(2 * MIB);
            other.flush();
            assertThat(mappings(rig.path)).as("the current one, and that of the sink that is open").isEqualTo(2);
            rig.sink.flush();
            assertThat(mappings(rig.path)).isEqualTo(1);
            otherLoop.end();
        }
    }

    @Test
    void shouldNotMapMoreOfAnImageThatMayNotGrow() throws IOException {
        Path path = inMemory(MIB);
        try (MappedRig rig = new MappedRig(path, true)) {
            assertThatThrownBy(() -> rig.backend.resize(2 * MIB)).isInstanceOf(IOException.class).hasMessageContaining("EROFS");
            assertThat(mappings(path)).isEqualTo(1);
            assertThat(Files.size(path)).isEqualTo(MIB);
        }
        Files.delete(path);
    }

    // ---- hugetlbfs

    private static Fd hugeFile(long bytes) {
        Fd file = Fd.adopt(Memfd.create("huge", Memfd.MFD_CLOEXEC | Memfd.MFD_HUGETLB));
        assertThat(LinuxFile.ftruncate(file.number(), bytes)).isZero();
        return file;
    }

    private static Path pathOf(Fd file) {
        return Path.of("/proc/self/fd/" + file.number());
    }

    private static long freeHugePages() throws IOException {
        try (var lines = Files.lines(Path.of("/proc/meminfo"))) {
            return lines.filter(line -> line.startsWith("HugePages_Free:")).mapToLong(line -> Long.parseLong(line.replaceAll("\\D+", ""))).sum();
        }
    }

    @Test
    void shouldReportThatThereAreNoHugePages() throws IOException {
        if (freeHugePages() > 0) {
            System.err.println("*** SKIPPED: an image without huge pages: this machine has some ***");
            return;
        }
        try (Fd file = hugeFile(8L * MIB);
                MappedRig rig = new MappedRig(pathOf(file), false)) {
            assertThat(rig.backend.mappedImage().pageBytes()).isGreaterThan(Integer.highestOneBit(MIB));
            assertThat(rig.write(0, PAGE, (byte) 7)).isEqualTo(-Errno.ENOSPC);
            assertThat(rig.read(0, PAGE)).containsOnly(0);
        }
    }

    @Test
    void shouldNotMapPartOfAHugePageToGrow() throws IOException {
        try (Fd file = hugeFile(8L * MIB);
                MappedRig rig = new MappedRig(pathOf(file), false)) {
            assertThatThrownBy(() -> rig.backend.resize(9L * MIB)).isInstanceOf(IOException.class).hasMessageContaining("multiple of its huge pages");
            assertThat(LinuxFile.lseek(file.number(), 0, LinuxFile.SEEK_END)).as("nothing extends the file").isEqualTo(8L * MIB);
            assertThat(rig.backend.geometry().sizeBytes()).isEqualTo(8L * MIB);
        }
    }

    @Test
    void shouldServeHugePages() throws IOException {
        String before = Files.readString(Path.of("/proc/sys/vm/nr_hugepages")).strip();
        LoopDevice.require("huge pages", List.of("sysctl", "-w", "vm.nr_hugepages=" + (Integer.parseInt(before) + 4)));
        try (Fd file = hugeFile(8L * MIB);
                MappedRig rig = new MappedRig(pathOf(file), false)) {
            if (freeHugePages() < 4) {
                System.err.println("*** SKIPPED: huge pages: this machine has no memory for four ***");
                return;
            }
            int huge = (int) rig.backend.mappedImage().pageBytes();
            assertThat(rig.read(0, MIB)).containsOnly(0);
            assertThat(rig.allocatedBytes()).as("read without being touched").isZero();
            assertThat(rig.write(huge - PAGE, 2 * PAGE, (byte) 7)).isEqualTo(2 * PAGE);
            assertThat(rig.read(huge - PAGE, 2 * PAGE)).containsOnly(7);
            assertThat(rig.read(0, PAGE)).containsOnly(0);
            assertThat(rig.allocatedBytes()).isEqualTo(2L * huge);
            assertThat(rig.range(BlockOp.WRITE_ZEROES, 512, 2L * huge - 512, true)).isZero();
            assertThat(rig.read(huge - PAGE, 2 * PAGE)).containsOnly(0);
            assertThat(rig.allocatedBytes()).as("the page that was zeroed as a whole").isEqualTo(huge);
            rig.backend.resize(4L * huge);
            assertThat(rig.write(3L * huge, PAGE, (byte) 9)).isEqualTo(PAGE);
            rig.backend.resize(5L * huge);
            assertThat(rig.read(4L * huge, PAGE)).containsOnly(0);
            assertThat(LinuxFile.lseek(file.number(), 0, LinuxFile.SEEK_END)).isEqualTo(5L * huge);
            assertThat(rig.read(3L * huge, PAGE)).containsOnly(9);
            assertThat(rig.write(3L * huge, PAGE, (byte) 7)).isEqualTo(PAGE);
            assertThat(LinuxFile.ftruncate(file.number(), huge)).isZero();
            assertThat(rig.run(rig.request(PAGE, PAGE).as(BlockOp.WRITE, 2L * huge))).as("of a page that is not known").isEqualTo(-Errno.EIO);
            rig.backend.mappedImage().size().look();
            assertThat(rig.run(rig.request(PAGE, PAGE).as(BlockOp.WRITE, 3L * huge))).isEqualTo(-Errno.EIO);
            assertThat(rig.run(rig.request(PAGE, PAGE).as(BlockOp.READ, 3L * huge))).isEqualTo(-Errno.EIO);
        } finally {
            LoopDevice.require("huge pages", List.of("sysctl", "-w", "vm.nr_hugepages=" + before));
        }
    }

    @Test
    void shouldCopyFromHugePagesThatWereThereBefore() throws IOException {
        String before = Files.readString(Path.of("/proc/sys/vm/nr_hugepages")).strip();
        LoopDevice.require("huge pages", List.of("sysctl", "-w", "vm.nr_hugepages=" + (Integer.parseInt(before) + 4)));
        try (Fd file = hugeFile(4L * MIB)) {
            if (freeHugePages() < 2 || LinuxFile.fallocate(file.number(), 0, 0, 4L * MIB) < 0) {
                System.err.println("*** SKIPPED: huge pages: this machine has no memory for two ***");
                return;
            }
            for (boolean readOnly : new boolean[] {false, true}) {
                try (MappedRig rig = new MappedRig(pathOf(file), readOnly)) {
                    assertThat(rig.write(0, MIB, (byte) 7)).isEqualTo(readOnly ? -Errno.EROFS : MIB);
                    assertThat(rig.read(0, MIB)).containsOnly(7);
                    assertThat(rig.backend.mappedImage().current().known.contain(0, 4L * MIB)).isTrue();
                }
            }
        } finally {
            LoopDevice.require("huge pages", List.of("sysctl", "-w", "vm.nr_hugepages=" + before));
        }
    }
}
