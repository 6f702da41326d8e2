package dev.sluice.aio.mapped;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.aio.sink.CopyBudget;
import dev.sluice.aio.sink.ZeroBuffer;
import dev.sluice.linux.Errno;
import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.testing.LoopDevice;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the sink that copies does beside the contract: budgets, holes, ranges. */
class MappedSinkTest {
    private static final int MIB = 1 << 20;
    private static final int PAGE = 4096;

    private static MappedRig rig(long sizeBytes) throws IOException {
        return MappedRig.sparse(MappedRig.MEMORY, sizeBytes);
    }

    // ---- budgets

    /** Has a window been looked at before, which has its price. */
    private static void look(MappedRig rig, long offset) {
        assertThat(rig.read(offset, PAGE)).containsOnly(0);
        rig.loop.nextWaits(1);
        rig.loop.ticks(2);
    }

    @Test
    void shouldCopyNoMoreInATickThanImagesInMemoryMay() throws IOException {
        try (MappedRig rig = rig(16 * MIB)) {
            int length = 16 << 10;
            int perTick = (int) (CopyBudget.BYTES_PER_BATCH / length);
            look(rig, 0);
            List<GuestRequest> reads = new ArrayList<>();
            for (int i = 0; i < 3 * perTick; i++) {
                reads.add(rig.request(length, PAGE).as(BlockOp.READ, (long) i * length));
                rig.submit(reads.get(i));
                // A tick may have several flushes.
                if (i % 3 == 0) {
                    rig.sink.flush();
                }
            }
            rig.sink.flush();
            assertThat(completed(reads)).isEqualTo(perTick);
            rig.loop.ticks(1);
            assertThat(completed(reads)).isEqualTo(2 * perTick);
            rig.loop.ticks(1);
            assertThat(completed(reads)).isEqualTo(3 * perTick);
            assertThat(reads).allMatch(read -> read.result() == length && read.completions == 1);
        }
    }

    private static int completed(List<GuestRequest> requests) {
        return requests.stream().mapToInt(request -> request.completions).sum();
    }

    @ParameterizedTest
    @ValueSource(ints = {PAGE, 3 * MIB})
    void shouldLetOthersHaveTheirTurnAfterAMegabyteOfARequest(int segmentBytes) throws IOException {
        try (MappedRig rig = rig(16 * MIB)) {
            look(rig, 0);
            look(rig, 8 * MIB);
            GuestRequest large = rig.request(3 * MIB, segmentBytes).as(BlockOp.WRITE, 0);
            GuestRequest small = rig.request(PAGE, PAGE).as(BlockOp.WRITE, 8 * MIB);
            rig.submit(large);
            rig.submit(small);
            rig.sink.flush();
            assertThat(small.completions).as("the budget of the tick is spent").isZero();
            rig.loop.ticks(1);
            assertThat(small.completions).as("before the large one continues").isEqualTo(1);
            assertThat(large.completions).isZero();
            rig.loop.ticks(1);
            assertThat(large.completions).isEqualTo(1);
            assertThat(large.result()).isEqualTo(3 * MIB);
            assertThat(rig.sink.counters().continuations()).isEqualTo(2);
        }
    }

    @Test
    void shouldPunchALongRangeInPiecesAndPassOverHoles() throws IOException {
        long tebibyte = 1L << 40;
        try (MappedRig rig = rig(tebibyte)) {
            for (int at = 0; at < 8 * MIB; at += MIB) {
                assertThat(rig.write(at, MIB, (byte) 1)).isEqualTo(MIB);
                assertThat(rig.write(tebibyte / 2 + at, MIB, (byte) 1)).isEqualTo(MIB);
            }
            GuestRequest discard = rig.request(0, 0, 1).as(BlockOp.DISCARD, 0, tebibyte);
            rig.submit(discard);
            rig.sink.flush();
            int ticks = 0;
            for (; discard.completions == 0; ticks++) {
                rig.loop.ticks(1);
            }
            assertThat(ticks).as("ticks for 16 MiB of data in 1 TiB").isBetween(7, 20);
            assertThat(discard.result()).isZero();
            assertThat(rig.allocatedBytes()).isZero();
        }
    }

    /** One that is notified and submits again, again and again, must not keep the loop. */
    @Test
    void shouldLeaveWhatCompletionsBringToTheNextTick() throws IOException {
        try (MappedRig rig = rig(MIB)) {
            int[] left = {5};
            GuestRequest[] again = new GuestRequest[1];
            again[0] = new GuestRequest(rig.loop, rig.memory.address(), PAGE, PAGE) {
                @Override
                protected void completed(int result) {
                    super.completed(result);
                    if (left[0]-- > 0) {
                        rig.submit(as(BlockOp.READ, 0));
                        rig.sink.flush();
                    }
                }
            };
            rig.submit(again[0].as(BlockOp.READ, 0));
            rig.sink.flush();
            for (int tick = 1; tick <= 6; tick++) {
                assertThat(again[0].completions).isEqualTo(tick);
                rig.loop.ticks(1);
            }
            assertThat(again[0].completions).isEqualTo(6);
            again[0].close();
        }
    }

    // ---- holes

    @Test
    void shouldTakeNoSpaceToReadHoles() throws IOException {
        try (MappedRig rig = rig(64L * MIB)) {
            assertThat(rig.read(0, MIB)).containsOnly(0);
            assertThat(rig.read(64L * MIB - PAGE, PAGE)).containsOnly(0);
            assertThat(rig.allocatedBytes()).isZero();
            assertThat(rig.write(MIB + PAGE, PAGE, (byte) 7)).isEqualTo(PAGE);
            byte[] expected = new byte[4 * PAGE];
            Arrays.fill(expected, PAGE, 2 * PAGE, (byte) 7);
            assertThat(rig.read(MIB, 4 * PAGE)).as("a hole, data, a hole").isEqualTo(expected);
            assertThat(rig.allocatedBytes()).isEqualTo(PAGE);
        }
    }

    @Test
    void shouldTakeNoSpaceToReadWhatWasDiscarded() throws IOException {
        try (MappedRig rig = rig(4 * MIB)) {
            assertThat(rig.write(0, MIB, (byte) 7)).isEqualTo(MIB);
            assertThat(rig.read(0, MIB)).containsOnly(7);
            assertThat(rig.range(BlockOp.DISCARD, 0, MIB, false)).isZero();
            assertThat(rig.read(0, MIB)).containsOnly(0);
            assertThat(rig.allocatedBytes()).isZero();
        }
    }

    @Test
    void shouldReadDataThatIsThereFromTheBegin() throws IOException {
        Path image = Files.createTempFile(MappedRig.MEMORY, "sluice-mapped", ".raw");
        byte[] content = new byte[MIB];
        Arrays.fill(content, (byte) 9);
        Files.write(image, content);
        for (boolean readOnly : new boolean[] {false, true}) {
            try (MappedRig rig = new MappedRig(image, readOnly)) {
                assertThat(rig.read(0, MIB)).isEqualTo(content);
                assertThat(rig.write(0, PAGE, (byte) 9)).isEqualTo(readOnly ? -Errno.EROFS : PAGE);
                assertThat(rig.read(MIB - 512, 512)).containsOnly(9);
            }
        }
        Files.delete(image);
    }

    /** The bits are a hint: whatever others do to the file is seen. */
    @Test
    void shouldSeeWhatOthersDoToTheFile() throws IOException {
        try (MappedRig rig = rig(MIB);
                Fd other = LinuxFile.openOrThrow(rig.path.toString(), LinuxFile.O_RDWR | LinuxFile.O_CLOEXEC, 0)) {
            assertThat(rig.write(0, 4 * PAGE, (byte) 7)).isEqualTo(4 * PAGE);
            NativeMemory.fill(rig.memory.address(), PAGE, (byte) 8);
            assertThat(LinuxFile.pwrite(other.number(), rig.memory.address(), PAGE, PAGE)).isEqualTo(PAGE);
            assertThat(rig.read(PAGE, PAGE)).containsOnly(8);
            assertThat(LinuxFile.fallocate(other.number(), LinuxFile.FALLOC_FL_PUNCH_HOLE | LinuxFile.FALLOC_FL_KEEP_SIZE, 0, 4 * PAGE)).isZero();
            assertThat(rig.read(0, 4 * PAGE)).containsOnly(0);
            assertThat(rig.write(0, PAGE, (byte) 9)).isEqualTo(PAGE);
            assertThat(rig.read(0, PAGE)).containsOnly(9);
        }
    }

    /** What a request costs must not depend on how much data an image has. */
    @Test
    void shouldLookAtAWindowAroundARequestOnce() throws IOException {
        long window = ResidentPages.WINDOW_BYTES;
        try (MappedRig rig = rig(3 * window - PAGE + 512);
                Fd other = LinuxFile.openOrThrow(rig.path.toString(), LinuxFile.O_RDWR | LinuxFile.O_CLOEXEC, 0)) {
            KnownPages known = rig.backend.mappedImage().current().known;
            for (long at = 0; at < 3 * window - PAGE; at += PAGE) {
                if (at != window + 8 * PAGE) {
                    assertThat(LinuxFile.pwrite(other.number(), rig.memory.address(), 512, at)).isEqualTo(512);
                }
            }
            assertThat(rig.read(window + PAGE, PAGE)).containsOnly(0);
            assertThat(known.contain(window, 8 * PAGE)).as("what is around it").isTrue();
            assertThat(known.contain(window + 9 * PAGE, window - 9 * PAGE)).isTrue();
            assertThat(known.contain(window + 8 * PAGE, 1)).as("a hole").isFalse();
            assertThat(known.contain(window - PAGE, 1)).as("another window").isFalse();
            assertThat(known.contain(2 * window, 1)).isFalse();
            NativeMemory.fill(rig.memory.address(), PAGE, (byte) 7);
            assertThat(LinuxFile.pwrite(other.number(), rig.memory.address(), PAGE, window + 8 * PAGE)).isEqualTo(PAGE);
            assertThat(rig.read(window + 8 * PAGE, PAGE)).containsOnly(7);
            assertThat(known.contain(window + 8 * PAGE, 1)).as("looked at once").isFalse();
            assertThat(rig.range(BlockOp.DISCARD, window, PAGE, false)).isZero();
            assertThat(rig.read(window + 8 * PAGE, PAGE)).containsOnly(7);
            assertThat(known.contain(window + 8 * PAGE, 1)).as("again, as something in the window was forgotten").isTrue();
            assertThat(known.contain(window, 1)).isFalse();
            assertThat(rig.read(3 * window - PAGE, 512)).as("the last window is shorter").containsOnly(0);
            assertThat(known.contain(2 * window, window - PAGE)).isTrue();
        }
    }

    @Test
    void shouldKnowNothingOfAnImageThatMayNotBeWritten() throws IOException {
        Path image = LoopDevice.sparse(Files.createTempFile(MappedRig.MEMORY, "sluice-mapped", ".raw"), MIB);
        try (MappedRig writing = new MappedRig(image, false)) {
            assertThat(writing.write(0, PAGE, (byte) 9)).isEqualTo(PAGE);
        }
        try (MappedRig rig = new MappedRig(image, true)) {
            assertThat(rig.read(0, PAGE)).containsOnly(9);
            assertThat(rig.read(PAGE, MIB - PAGE)).containsOnly(0);
            assertThat(rig.backend.mappedImage().current().known.contain(0, 1)).as("even where its owner learns it").isFalse();
            assertThat(rig.allocatedBytes()).isEqualTo(PAGE);
        }
        Files.delete(image);
    }

    @Test
    void shouldLookAtFewWindowsInATick() throws IOException {
        try (MappedRig rig = rig(MappedRig.CAPACITY * ResidentPages.WINDOW_BYTES)) {
            List<GuestRequest> reads = new ArrayList<>();
            for (int i = 0; i < MappedRig.CAPACITY; i++) {
                reads.add(rig.request(512, 512).as(BlockOp.READ, i * ResidentPages.WINDOW_BYTES));
                rig.submit(reads.get(i));
            }
            rig.sink.flush();
            for (int tick = 1; tick <= MappedRig.CAPACITY; tick++) {
                assertThat(completed(reads)).as("tick %d", tick).isLessThanOrEqualTo(tick);
                rig.loop.ticks(1);
            }
            assertThat(completed(reads)).isEqualTo(MappedRig.CAPACITY);
        }
    }

    /** Whether a page is there may change between any two calls. */
    @Test
    void shouldReadAPageThatOthersFillAndPunchMeanwhile() throws Exception {
        try (MappedRig rig = rig(MIB);
                Fd other = LinuxFile.openOrThrow(rig.path.toString(), LinuxFile.O_RDWR | LinuxFile.O_CLOEXEC, 0)) {
            AtomicBoolean stop = new AtomicBoolean();
            Thread changes = Thread.ofPlatform().start(() -> {
                while (!stop.get()) {
                    LinuxFile.pwrite(other.number(), ZeroBuffer.ADDRESS, PAGE, 0);
                    LinuxFile.fallocate(other.number(), LinuxFile.FALLOC_FL_PUNCH_HOLE | LinuxFile.FALLOC_FL_KEEP_SIZE, 0, PAGE);
                }
            });
            GuestRequest read = rig.request(PAGE, PAGE);
            try {
                for (int i = 0; i < 30_000; i++) {
                    rig.backend.mappedImage().current().known.remove(0, PAGE);
                    assertThat(rig.run(read.as(BlockOp.READ, 0))).as("round %d", i).isEqualTo(PAGE);
                }
            } finally {
                stop.set(true);
                changes.join();
            }
        }
    }

    // ---- ranges

    @Test
    void shouldZeroPartsOfPagesAroundThosePunched() throws IOException {
        try (MappedRig rig = rig(MIB)) {
            byte[] expected = new byte[16 * PAGE];
            Arrays.fill(expected, (byte) 7);
            assertThat(rig.write(0, 16 * PAGE, (byte) 7)).isEqualTo(16 * PAGE);
            assertThat(rig.range(BlockOp.WRITE_ZEROES, PAGE + 512, 8 * PAGE, true)).isZero();
            Arrays.fill(expected, PAGE + 512, 9 * PAGE + 512, (byte) 0);
            assertThat(rig.read(0, 16 * PAGE)).isEqualTo(expected);
            assertThat(rig.allocatedBytes()).as("seven whole pages were punched").isEqualTo(9 * PAGE);
            assertThat(rig.range(BlockOp.WRITE_ZEROES, 12 * PAGE + 512, 1024, true)).as("no whole page").isZero();
            Arrays.fill(expected, 12 * PAGE + 512, 12 * PAGE + 1536, (byte) 0);
            assertThat(rig.read(0, 16 * PAGE)).isEqualTo(expected);
        }
    }

    @Test
    void shouldDiscardWholePagesAlone() throws IOException {
        try (MappedRig rig = rig(MIB)) {
            assertThat(rig.write(0, 4 * PAGE, (byte) 7)).isEqualTo(4 * PAGE);
            assertThat(rig.range(BlockOp.DISCARD, 512, PAGE, false)).isZero();
            assertThat(rig.read(0, 4 * PAGE)).containsOnly(7);
            assertThat(rig.range(BlockOp.DISCARD, 512, 2 * PAGE, false)).isZero();
            assertThat(rig.read(0, PAGE)).containsOnly(7);
            assertThat(rig.read(PAGE, PAGE)).containsOnly(0);
            assertThat(rig.read(2 * PAGE, 2 * PAGE)).containsOnly(7);
        }
    }

    @Test
    void shouldWriteZeroesThatKeepTheSpaceInPieces() throws IOException {
        try (MappedRig rig = rig(8 * MIB)) {
            assertThat(rig.range(BlockOp.WRITE_ZEROES, 0, 4 * MIB, false)).isZero();
            assertThat(rig.allocatedBytes()).isEqualTo(4 * MIB);
            assertThat(rig.read(0, MIB)).containsOnly(0);
        }
    }
}
