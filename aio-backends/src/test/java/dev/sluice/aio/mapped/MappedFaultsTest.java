package dev.sluice.aio.mapped;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.Mapping;
import dev.sluice.linux.Memfd;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.testing.LoopDevice;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Faults in the mapping, and in the guest's memory: each fails its one request, with the error number of the side that is to blame. Before most of them the
 * copy has been made so often that it was compiled, as a fault reaches compiled code late.
 */
@Timeout(120)
class MappedFaultsTest {
    private static final int PAGE = 4096;
    private static final int SIZE = 4 << 20;
    private static final int HALF = SIZE / 2;
    private static final int COMPILED = 30_000;

    private static void warmUp(MappedRig rig) {
        GuestRequest request = rig.request(PAGE, PAGE);
        for (int i = 0; i < COMPILED; i++) {
            assertThat(rig.run(request.as(i % 2 == 0 ? BlockOp.WRITE : BlockOp.READ, i * 512L % HALF))).isEqualTo(PAGE);
        }
    }

    private static void setLength(Path file, long bytes) throws IOException {
        try (RandomAccessFile opened = new RandomAccessFile(file.toFile(), "rw")) {
            opened.setLength(bytes);
        }
    }

    // ---- the guest's memory

    @ParameterizedTest
    @ValueSource(ints = {0, COMPILED})
    void shouldFailTheRequestWhoseMemoryIsGoneAndNoOther(int before) throws IOException {
        try (MappedRig rig = MappedRig.sparse(MappedRig.MEMORY, SIZE);
                Fd guest = Fd.adopt(Memfd.create("guest", Memfd.MFD_CLOEXEC))) {
            assertThat(LinuxFile.ftruncate(guest.number(), 16 * PAGE)).isZero();
            try (Mapping memory = Mapping.shared(guest.number(), 0, 16 * PAGE)) {
                if (before > 0) {
                    warmUp(rig);
                }
                assertThat(rig.write(0, SIZE, (byte) 7)).isEqualTo(SIZE);
                assertThat(LinuxFile.ftruncate(guest.number(), PAGE)).isZero();
                for (BlockOp op : List.of(BlockOp.READ, BlockOp.WRITE)) {
                    for (long offset : new long[] {0, 512, HALF}) {
                        GuestRequest gone = rig.request(memory.address() + 4 * PAGE, PAGE, PAGE).as(op, offset);
                        GuestRequest halfGone = rig.request(memory.address(), 2 * PAGE, 2 * PAGE).as(op, offset);
                        GuestRequest good = rig.request(PAGE, PAGE).as(op, offset + 4 * PAGE);
                        List.of(gone, halfGone, good).forEach(rig::submit);
                        rig.sink.flush();
                        rig.loop.ticks(5);
                        assertThat(gone.result()).as("%s at %d", op, offset).isEqualTo(-Errno.EFAULT);
                        assertThat(halfGone.result()).isEqualTo(-Errno.EFAULT);
                        assertThat(good.result()).isEqualTo(PAGE);
                        assertThat(rig.backend.mappedImage().current().known.contain(0, SIZE)).as("what the guest does to itself is forgiven").isTrue();
                        assertThat(List.of(gone, halfGone, good)).allMatch(request -> request.completions == 1);
                    }
                }
                assertThat(rig.backend.health().missingBytes()).isZero();
                NativeMemory.surfaceFault();
            }
        }
    }

    /** Each copies all but the last page before it fails. */
    @ParameterizedTest
    @ValueSource(ints = {1 << 20, (1 << 20) - PAGE - 512})
    void shouldCopyNoMoreInATickWhereEachCopyFails(int segmentBytes) throws IOException {
        int length = 1 << 20;
        try (MappedRig rig = MappedRig.sparse(MappedRig.MEMORY, SIZE);
                Fd guest = Fd.adopt(Memfd.create("guest", Memfd.MFD_CLOEXEC))) {
            assertThat(LinuxFile.ftruncate(guest.number(), length)).isZero();
            try (Mapping memory = Mapping.shared(guest.number(), 0, length)) {
                assertThat(LinuxFile.ftruncate(guest.number(), length - PAGE)).isZero();
                List<GuestRequest> writes = new ArrayList<>();
                for (int i = 0; i < MappedRig.CAPACITY; i++) {
                    writes.add(rig.request(memory.address(), length, segmentBytes).as(BlockOp.WRITE, 0));
                    rig.submit(writes.get(i));
                }
                rig.sink.flush();
                assertThat(completed(writes)).isLessThanOrEqualTo(1);
                for (int tick = 2; tick <= 8; tick++) {
                    rig.loop.ticks(1);
                    assertThat(completed(writes)).as("one megabyte a tick").isLessThanOrEqualTo(tick);
                }
                rig.loop.ticks(2 * MappedRig.CAPACITY);
                assertThat(writes).allMatch(write -> write.completions == 1 && write.result() == -Errno.EFAULT);
            }
        }
    }

    private static int completed(List<GuestRequest> requests) {
        return requests.stream().mapToInt(request -> request.completions).sum();
    }

    /** A hole is read without the image: what faults then is the guest's. */
    @Test
    void shouldBlameTheGuestForAReadOfAHoleIntoMemoryThatIsGone() throws IOException {
        try (MappedRig rig = MappedRig.sparse(MappedRig.MEMORY, SIZE);
                Fd guest = Fd.adopt(Memfd.create("guest", Memfd.MFD_CLOEXEC))) {
            assertThat(LinuxFile.ftruncate(guest.number(), PAGE)).isZero();
            try (Mapping memory = Mapping.shared(guest.number(), 0, PAGE)) {
                assertThat(LinuxFile.ftruncate(guest.number(), 0)).isZero();
                assertThat(rig.run(rig.request(memory.address(), PAGE, PAGE).as(BlockOp.READ, 0))).isEqualTo(-Errno.EFAULT);
                assertThat(rig.run(rig.request(memory.address(), PAGE, PAGE).as(BlockOp.WRITE, 0))).isEqualTo(-Errno.EFAULT);
                assertThat(rig.read(0, PAGE)).containsOnly(0);
            }
        }
    }

    // ---- the image

    @ParameterizedTest
    @ValueSource(ints = {0, COMPILED})
    void shouldFailWhatLiesBehindTheEndOfATruncatedImage(int before) throws IOException {
        try (MappedRig rig = MappedRig.sparse(MappedRig.MEMORY, SIZE)) {
            if (before > 0) {
                warmUp(rig);
            }
            assertThat(rig.write(0, SIZE, (byte) 7)).isEqualTo(SIZE);
            setLength(rig.path, HALF);
            for (BlockOp op : List.of(BlockOp.WRITE, BlockOp.READ)) {
                assertThat(rig.run(rig.request(PAGE, PAGE).as(op, HALF))).as("%s, found by the copy or known before", op).isEqualTo(-Errno.EIO);
            }
            assertThat(rig.backend.health().missingBytes()).isEqualTo(SIZE - HALF);
            assertThat(Files.size(rig.path)).as("nothing extends the file").isEqualTo(HALF);
            assertThat(rig.read(HALF - PAGE, PAGE)).containsOnly(7);
            setLength(rig.path, SIZE);
            rig.backend.mappedImage().size().look();
            assertThat(rig.read(HALF, PAGE)).containsOnly(0);
            assertThat(rig.write(HALF, PAGE, (byte) 8)).isEqualTo(PAGE);
        }
    }

    /** Pages that the mapping does not know: the kernel is asked, and must not be asked to extend the file. */
    @ParameterizedTest
    @ValueSource(strings = {"READ", "WRITE"})
    void shouldNotExtendATruncatedImageWithWhatWasNeverTouched(BlockOp op) throws IOException {
        try (MappedRig rig = MappedRig.sparse(MappedRig.MEMORY, SIZE)) {
            setLength(rig.path, HALF);
            assertThat(rig.run(rig.request(PAGE, PAGE).as(op, SIZE - PAGE))).isEqualTo(-Errno.EIO);
            assertThat(Files.size(rig.path)).isEqualTo(HALF);
            assertThat(rig.allocatedBytes()).as("nothing is allocated behind it").isZero();
            assertThat(rig.backend.health().missingBytes()).isEqualTo(SIZE - HALF);
        }
    }

    @Test
    void shouldSurviveAnImageThatIsTruncatedAndGrownUnderLoad() throws Exception {
        try (MappedRig rig = MappedRig.sparse(MappedRig.MEMORY, SIZE)) {
            warmUp(rig);
            AtomicBoolean stop = new AtomicBoolean();
            Thread truncates = Thread.ofPlatform().start(() -> {
                while (!stop.get()) {
                    try {
                        setLength(rig.path, HALF);
                        Thread.onSpinWait();
                        setLength(rig.path, SIZE);
                    } catch (IOException failed) {
                        throw new java.io.UncheckedIOException(failed);
                    }
                }
            });
            int[] outcomes = new int[2];
            GuestRequest small = rig.request(PAGE, PAGE);
            GuestRequest large = rig.request(64 * PAGE, PAGE);
            for (int i = 0; i < COMPILED; i++) {
                GuestRequest request = i % 8 == 0 ? large : small;
                int length = i % 8 == 0 ? 64 * PAGE : PAGE;
                long offset = HALF - 32 * PAGE + (i * 7L % 64) * PAGE;
                int result = rig.run(request.as(i % 2 == 0 ? BlockOp.WRITE : BlockOp.READ, offset));
                assertThat(result).as("round %d", i).isIn(length, -Errno.EIO);
                outcomes[result == length ? 1 : 0]++;
                rig.backend.mappedImage().size().look();
            }
            stop.set(true);
            truncates.join();
            assertThat(Files.size(rig.path)).as("nothing extends the file").isEqualTo(SIZE);
            assertThat(outcomes[1]).as("requests that succeeded; %d failed", outcomes[0]).isPositive();
            NativeMemory.surfaceFault();
        }
    }

    // ---- a file system that is full

    /** A small file system, mounted while the test runs. */
    private record Small(Path directory) implements AutoCloseable {
        static Small mount(int bytes) throws IOException {
            Path directory = Files.createTempDirectory("sluice-small");
            LoopDevice.require("a small file system", List.of("mount", "-t", "tmpfs", "-o", "size=" + bytes, "sluice-small", directory.toString()));
            return new Small(directory);
        }

        @Override
        public void close() throws IOException {
            LoopDevice.require("a small file system", List.of("umount", "-l", directory.toString()));
            Files.delete(directory);
        }
    }

    @Test
    void shouldReportThatTheFileSystemIsFullAndServeWhatHasRoom() throws IOException {
        try (Small small = Small.mount(SIZE / 4);
                MappedRig rig = MappedRig.sparse(small.directory, SIZE)) {
            int written = 0;
            int full = 0;
            for (int at = 0; at < SIZE; at += PAGE) {
                int result = rig.write(at, PAGE, (byte) 7);
                assertThat(result).isIn(PAGE, -Errno.ENOSPC);
                written += result == PAGE ? 1 : 0;
                full += result == PAGE ? 0 : 1;
            }
            assertThat(written).isEqualTo(SIZE / 4 / PAGE);
            assertThat(full).isEqualTo(3 * SIZE / 4 / PAGE);
            assertThat(rig.write(0, PAGE, (byte) 8)).as("what has room is written").isEqualTo(PAGE);
            assertThat(rig.read(0, PAGE)).containsOnly(8);
            assertThat(rig.read(SIZE - PAGE, PAGE)).as("a hole is read without room").containsOnly(0);
            assertThat(rig.range(BlockOp.WRITE_ZEROES, SIZE - PAGE, PAGE, false)).isEqualTo(-Errno.ENOSPC);
            assertThat(rig.range(BlockOp.DISCARD, 0, PAGE, false)).isZero();
            assertThat(rig.write(SIZE - PAGE, PAGE, (byte) 9)).as("room again").isEqualTo(PAGE);
            assertThat(rig.read(SIZE - PAGE, PAGE)).containsOnly(9);
        }
    }

    /** Pages are known, but somebody punches them and takes the room: the access faults. */
    @Test
    void shouldReportThatTheFileSystemIsFullWhereAPageWasTakenAway() throws IOException {
        try (Small small = Small.mount(SIZE / 4);
                MappedRig rig = MappedRig.sparse(small.directory, SIZE);
                Fd other = LinuxFile.openOrThrow(rig.path.toString(), LinuxFile.O_RDWR | LinuxFile.O_CLOEXEC, 0)) {
            assertThat(rig.write(0, SIZE / 4, (byte) 7)).isEqualTo(SIZE / 4);
            assertThat(LinuxFile.fallocate(other.number(), LinuxFile.FALLOC_FL_PUNCH_HOLE | LinuxFile.FALLOC_FL_KEEP_SIZE, 0, HALF)).isZero();
            Files.write(small.directory.resolve("other"), new byte[SIZE / 4]);
            assertThat(rig.run(rig.request(PAGE, PAGE).as(BlockOp.WRITE, 0))).isEqualTo(-Errno.ENOSPC);
            assertThat(rig.read(PAGE, PAGE)).as("a hole is read without room").containsOnly(0);
            assertThat(rig.run(rig.request(PAGE, PAGE).as(BlockOp.WRITE, 0))).as("again, now that it is not known any more").isEqualTo(-Errno.ENOSPC);
            Files.delete(small.directory.resolve("other"));
            assertThat(rig.write(0, PAGE, (byte) 8)).isEqualTo(PAGE);
            assertThat(rig.read(0, PAGE)).containsOnly(8);
        }
    }

    // ---- resizing

    /** As where a write was under way: its bytes lie in the last page, behind the new end. */
    @ParameterizedTest
    @ValueSource(ints = {SIZE, HALF + 1024})
    void shouldLeaveNothingBehindTheEndOfADiskThatShrinks(int size) throws IOException {
        try (MappedRig rig = MappedRig.sparse(MappedRig.MEMORY, size)) {
            assertThat(rig.write(0, size, (byte) 7)).isEqualTo(size);
            int length = Math.min(PAGE, size - HALF);
            GuestRequest write = rig.request(length, length).as(BlockOp.WRITE, HALF);
            NativeMemory.fill(rig.memory.address(), length, (byte) 7);
            rig.submit(write);
            rig.backend.resize(HALF + 512);
            rig.sink.flush();
            rig.loop.ticks(2);
            assertThat(write.result()).isEqualTo(-Errno.EIO);
            long allocated = rig.allocatedBytes();
            rig.backend.resize(size);
            assertThat(rig.read(HALF + 512, size - HALF - 512)).containsOnly(0);
            assertThat(rig.allocatedBytes()).as("what was cut off is not known any more").isEqualTo(allocated);
        }
    }
}
