package dev.sluice.aio.sink;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.testing.LoopDevice;
import dev.sluice.pipeline.testing.TestIo;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Which calls a DISCARD, WRITE_ZEROES or FLUSH takes, and what it comes to. */
@Timeout(60)
class RangeCallsTest {
    private static final int ZEROES = ZeroBuffer.BYTES;

    /** Ends each call in turn with a result, and gives the calls. */
    private static List<String> calls(SinkRig rig, int... results) {
        List<String> calls = new ArrayList<>(rig.started());
        for (int result : results) {
            rig.end(result);
            calls.addAll(rig.started());
        }
        return calls;
    }

    @Test
    void shouldPunchADiscard() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            TestIo discard = rig.submit(TestIo.discard(8, 12288));
            assertThat(calls(rig, 0)).containsExactly("punch 12288 at 4096");
            assertThat(discard.result()).isZero();
            TestIo failed = rig.submit(TestIo.discard(8, 12288).asDurable());
            assertThat(calls(rig, -Errno.EIO)).containsExactly("punch 12288 at 4096");
            assertThat(failed.result()).isEqualTo(-Errno.EIO);
            TestIo empty = rig.submit(TestIo.discard(8, 0));
            rig.tick();
            assertThat(empty.result()).isZero();
            assertThat(rig.started()).isEmpty();
        }
    }

    @Test
    void shouldSyncADurableRange() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            TestIo discard = rig.submit(TestIo.discard(8, 4096).asDurable());
            assertThat(calls(rig, 0)).containsExactly("punch 4096 at 4096", "sync of its sync file");
            assertThat(discard.completed()).isFalse();
            rig.end(0);
            assertThat(discard.result()).isZero();
            TestIo zeroes = rig.submit(TestIo.writeZeroes(8, 4096).asDurable());
            assertThat(calls(rig, -Errno.EOPNOTSUPP, 4096, 0))
                    .containsExactly("zero 4096 at 4096", "write direct 4096 zeroes at 4096", "sync of its sync file");
            assertThat(zeroes.result()).isZero();
            TestIo failed = rig.submit(TestIo.writeZeroes(8, 4096).asDurable());
            assertThat(calls(rig, 4096, -Errno.EIO)).containsExactly("write direct 4096 zeroes at 4096", "sync of its sync file");
            assertThat(failed.result()).isEqualTo(-Errno.EIO);
        }
    }

    @Test
    void shouldAskOnceOnlyWhetherHolesCanBePunched() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            TestIo discard = rig.submit(TestIo.discard(8, 4096));
            assertThat(calls(rig, -Errno.EOPNOTSUPP)).containsExactly("punch 4096 at 4096");
            assertThat(discard.result()).isEqualTo(-Errno.EOPNOTSUPP);
            TestIo again = rig.submit(TestIo.discard(8, 4096));
            rig.tick();
            assertThat(again.result()).isEqualTo(-Errno.EOPNOTSUPP);
            rig.submit(TestIo.writeZeroes(8, 4096).asUnmapping());
            assertThat(calls(rig, 0)).containsExactly("zero 4096 at 4096");
        }
    }

    /** The cheapest way to zeroes that the file system knows, each asked for once. */
    @Test
    void shouldZeroByPunchingByZeroingOrByWriting() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            TestIo keeping = rig.submit(TestIo.writeZeroes(8, 4096));
            assertThat(calls(rig, 0)).containsExactly("zero 4096 at 4096");
            assertThat(keeping.result()).isZero();
            TestIo unmapping = rig.submit(TestIo.writeZeroes(8, 4096).asUnmapping());
            assertThat(calls(rig, 0)).containsExactly("punch 4096 at 4096");
            assertThat(unmapping.result()).isZero();
            TestIo refused = rig.submit(TestIo.writeZeroes(8, 8192).asUnmapping());
            assertThat(calls(rig, -Errno.EOPNOTSUPP, -Errno.EOPNOTSUPP, 8192))
                    .containsExactly("punch 8192 at 4096", "zero 8192 at 4096", "write direct 8192 zeroes at 4096");
            assertThat(refused.result()).isZero();
            rig.submit(TestIo.writeZeroes(8, 8192).asUnmapping());
            assertThat(calls(rig, 8192)).containsExactly("write direct 8192 zeroes at 4096");
            TestIo empty = rig.submit(TestIo.writeZeroes(8, 0));
            rig.tick();
            assertThat(empty.result()).isZero();
        }
    }

    @Test
    void shouldFailWithWhatZeroingFailedWith() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            for (boolean unmaps : new boolean[] {false, true}) {
                TestIo zeroes = TestIo.writeZeroes(8, 4096);
                rig.submit(unmaps ? zeroes.asUnmapping() : zeroes);
                rig.end(-Errno.ENOSPC);
                assertThat(zeroes.result()).isEqualTo(-Errno.ENOSPC);
            }
        }
    }

    /** Zeroes are written piece by piece, and go on where a write was short. */
    @Test
    void shouldWriteZeroesPieceByPiece() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            Arrays.fill(rig.sink.disk, (byte) 7);
            int length = 2 * ZEROES + 4096;
            TestIo zeroes = rig.submit(TestIo.writeZeroes(8, length));
            assertThat(calls(rig, -Errno.EOPNOTSUPP, ZEROES, 512, 100))
                    .containsExactly(
                            "zero " + length + " at 4096",
                            "write direct 262144 zeroes at 4096",
                            "write direct 262144 zeroes at 266240",
                            "write direct 262144 zeroes at 266752",
                            "write buffered 262144 zeroes at 266852");
            rig.endAll();
            assertThat(zeroes.result()).isZero();
            assertThat(Arrays.copyOfRange(rig.sink.disk, 4096, 4096 + length)).containsOnly(0);
            assertThat(rig.sink.disk[4095]).isEqualTo((byte) 7);
            assertThat(rig.sink.disk[4096 + length]).isEqualTo((byte) 7);
        }
    }

    @ParameterizedTest
    @CsvSource({"0, " + Errno.ENOSPC, "-" + Errno.EIO + ", " + Errno.EIO})
    void shouldFailIfZeroesCannotBeWritten(int result, int errno) throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            TestIo zeroes = rig.submit(TestIo.writeZeroes(8, 8192));
            rig.end(-Errno.EOPNOTSUPP);
            rig.end(4096);
            rig.end(result);
            assertThat(zeroes.result()).isEqualTo(-errno);
        }
    }

    @Test
    void shouldWriteZeroesThroughThePageCacheIfODirectIsRefused() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            TestIo zeroes = rig.submit(TestIo.writeZeroes(8, 8192));
            assertThat(calls(rig, -Errno.EOPNOTSUPP, -Errno.EINVAL, 8192))
                    .containsExactly("zero 8192 at 4096", "write direct 8192 zeroes at 4096", "write buffered 8192 zeroes at 4096");
            assertThat(zeroes.result()).isZero();
        }
    }

    @Test
    void shouldCutTheFileBackIfTheDiskHasShrunkUnderZeroes() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            TestIo zeroes = rig.submit(TestIo.writeZeroes(8, 8192));
            rig.end(-Errno.EOPNOTSUPP);
            rig.image.resize(8192);
            SinkRig.setLength(rig.path, 12288);
            rig.end(8192);
            assertThat(zeroes.result()).isEqualTo(-Errno.EIO);
            assertThat(rig.path.toFile()).hasSize(8192);
        }
    }

    /** A device of 4096-byte blocks zeroes and discards whole blocks alone. */
    @Test
    void shouldWriteTheZeroesThatAreNotWholeBlocksOfADevice() throws IOException {
        Path file = Files.createTempFile(Path.of("target"), "sluice-blocks", ".raw");
        try (LoopDevice device = LoopDevice.attach(LoopDevice.sparse(file, SinkRig.SIZE), "-b", "4096");
                SinkRig rig = SinkRig.on(device.path(), 4096)) {
            assertThat(rig.image.geometry().logicalBlockBytes()).isEqualTo(4096);
            TestIo both = rig.submit(TestIo.writeZeroes(7, 9216));
            assertThat(calls(rig, 512, 0, 512)).containsExactly("write buffered 512 zeroes at 3584", "zero 8192 at 4096", "write buffered 512 zeroes at 12288");
            assertThat(both.result()).isZero();
            TestIo head = rig.submit(TestIo.writeZeroes(7, 4608).asDurable());
            assertThat(calls(rig, 512, 0, 0)).containsExactly("write buffered 512 zeroes at 3584", "zero 4096 at 4096", "sync of its sync file");
            assertThat(head.result()).isZero();
            TestIo tail = rig.submit(TestIo.writeZeroes(8, 4608).asUnmapping());
            assertThat(calls(rig, 0, 512)).containsExactly("punch 4096 at 4096", "write buffered 512 zeroes at 8192");
            assertThat(tail.result()).isZero();
            TestIo none = rig.submit(TestIo.writeZeroes(7, 1024));
            assertThat(calls(rig, 1024)).containsExactly("write buffered 1024 zeroes at 3584");
            assertThat(none.result()).isZero();
            rig.submit(TestIo.writeZeroes(6, 5120));
            assertThat(calls(rig, 512, 512, 0)).as("a head that is short")
                    .containsExactly("write buffered 1024 zeroes at 3072", "write buffered 512 zeroes at 3584", "zero 4096 at 4096");
            rig.submit(TestIo.discard(7, 9216));
            assertThat(calls(rig, 0)).containsExactly("punch 8192 at 4096");
            for (long length : new long[] {512, 1024, 4608 - 512}) {
                TestIo parts = rig.submit(TestIo.discard(7, length));
                rig.tick();
                assertThat(parts.result()).as("parts of blocks stay").isZero();
                assertThat(rig.started()).isEmpty();
            }
            TestIo small = rig.submit(TestIo.write(1, new byte[512]));
            assertThat(calls(rig, 512)).containsExactly("write buffered 512 at 512");
            assertThat(small.result()).isEqualTo(512);
            TestIo refused = rig.submit(TestIo.writeZeroes(7, 9216));
            assertThat(calls(rig, 512, -Errno.EOPNOTSUPP, 8704))
                    .containsExactly("write buffered 512 zeroes at 3584", "zero 8192 at 4096", "write buffered 8704 zeroes at 4096");
            assertThat(refused.result()).isZero();
        } finally {
            Files.delete(file);
        }
    }

    // ---- syncs

    @Test
    void shouldServeAllFlushesOfABatchWithOneSyncAndLaterOnesWithTheNext() throws IOException {
        try (SinkRig rig = SinkRig.buffered()) {
            TestIo write = TestIo.write(0, new byte[4096]).asDurable();
            rig.submit(write);
            TestIo[] first = {TestIo.flush(), TestIo.flush(), TestIo.flush()};
            rig.end();
            assertThat(rig.started()).containsExactly("write buffered 4096 at 0", "sync of its sync file");
            rig.submit(first);
            TestIo later = rig.submit(TestIo.flush());
            assertThat(rig.started()).as("one sync at a time").isEmpty();
            rig.end(0);
            assertThat(write.result()).isEqualTo(4096);
            assertThat(first).allSatisfy(io -> assertThat(io.completed()).as("came after the sync had begun").isFalse());
            assertThat(rig.started()).containsExactly("sync of its sync file");
            rig.end(0);
            assertThat(first).allSatisfy(io -> assertThat(io.result()).isZero());
            assertThat(later.result()).isZero();
            assertThat(rig.started()).isEmpty();
            TestIo alone = rig.submit(TestIo.flush());
            rig.end(0);
            assertThat(alone.result()).isZero();
        }
    }

    @Test
    void shouldGiveEachMemberOfASyncItsOwnResult() throws IOException {
        try (SinkRig rig = SinkRig.buffered()) {
            TestIo write = rig.add(TestIo.write(0, new byte[4096]).asDurable());
            TestIo zeroes = rig.add(TestIo.writeZeroes(8, 4096).asDurable());
            rig.sink.flush();
            rig.sink.end(1, 0);
            rig.sink.end(0, 4096);
            TestIo flush = rig.add(TestIo.flush());
            rig.tick();
            assertThat(rig.started()).containsExactly("write buffered 4096 at 0", "zero 4096 at 4096", "sync of its sync file");
            rig.end(0);
            assertThat(write.result()).isEqualTo(4096);
            assertThat(zeroes.result()).isZero();
            assertThat(flush.result()).isZero();
        }
    }

    @Test
    void shouldFailAllThatShareASyncThatFails() throws IOException {
        try (SinkRig rig = SinkRig.buffered()) {
            TestIo[] flushes = {TestIo.flush(), TestIo.flush(), TestIo.flush()};
            rig.submit(flushes);
            assertThat(rig.started()).containsExactly("sync of its sync file");
            TestIo waits = rig.submit(TestIo.flush());
            rig.end(-Errno.EIO);
            assertThat(flushes).allSatisfy(io -> assertThat(io.result()).isEqualTo(-Errno.EIO));
            rig.end(0);
            assertThat(waits.result()).as("the pages are gone although the next sync succeeds").isEqualTo(-Errno.EIO);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {Errno.EAGAIN, Errno.EINTR})
    void shouldSyncAgainIfTheKernelRefusesAndLetOthersShareThatOne(int errno) throws IOException {
        try (SinkRig rig = SinkRig.buffered()) {
            TestIo flush = rig.submit(TestIo.flush());
            rig.end(-errno);
            assertThat(rig.started()).containsExactly("sync of its sync file", "sync of its sync file");
            TestIo other = rig.submit(TestIo.flush());
            rig.end(3);
            assertThat(flush.result()).as("a sync moves nothing").isZero();
            assertThat(other.completed()).isFalse();
            rig.end(0);
            assertThat(other.result()).isZero();
        }
    }
}
