package dev.sluice.aio.sink;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.CapturedLog;
import dev.sluice.linux.Errno;
import dev.sluice.linux.Fd;
import dev.sluice.linux.Iovec;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.Mapping;
import dev.sluice.linux.Memfd;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.SinkCounters;
import dev.sluice.pipeline.testing.LoopDevice;
import dev.sluice.pipeline.testing.TestIo;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Which calls a READ or WRITE takes, and what it comes to. */
@Timeout(60)
class TransferCallsTest {
    private static final int PIECE = BouncePool.BUFFER_BYTES;

    private static byte[] bytes(int length) {
        byte[] made = new byte[length];
        new SplittableRandom(length).nextBytes(made);
        return made;
    }

    private static long[] iovecs(BlockRequest request) {
        long[] words = new long[2 * request.iovecCount()];
        for (int i = 0; i < request.iovecCount(); i++) {
            words[2 * i] = Iovec.base(request.iovecsAddress(), i);
            words[2 * i + 1] = Iovec.length(request.iovecsAddress(), i);
        }
        return words;
    }

    @ParameterizedTest
    @CsvSource({"4096, read direct 4096 at 8192", "8192, readv direct 8192 in 2 at 8192", "10240, readv direct 10240 in 3 at 8192"})
    void shouldReadStraightIntoTheGuestsSegments(int length, String call) throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            byte[] content = bytes(length);
            System.arraycopy(content, 0, rig.sink.disk, 8192, length);
            TestIo read = rig.submit(TestIo.read(16, length));
            assertThat(rig.started()).containsExactly(call);
            rig.end();
            assertThat(read.result()).isEqualTo(length);
            assertThat(read.data()).isEqualTo(content);
            assertThat(rig.sink.counters()).isEqualTo(new SinkCounters(1, 1, 0, 0, 0));
        }
    }

    /** After an odd byte O_DIRECT takes neither the offset nor the address: the rest goes through the page cache. */
    @ParameterizedTest
    @CsvSource({"4096, readv direct 8192 in 2 at 4096", "4608, readv direct 7680 in 2 at 4608", "100, readv buffered 12188 in 3 at 100",
        "8292, read buffered 3996 at 8292"})
    void shouldReadTheRestAfterAShortRead(int moved, String next) throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            byte[] content = bytes(12288);
            System.arraycopy(content, 0, rig.sink.disk, 0, content.length);
            BlockRequest request = rig.request(TestIo.read(0, 12288));
            long[] given = iovecs(request);
            assertThat(rig.sink.submit(request)).isTrue();
            rig.sink.flush();
            assertThat(rig.started()).containsExactly("readv direct 12288 in 3 at 0");
            rig.end(moved);
            assertThat(rig.started()).containsExactly(next);
            assertThat(rig.sink.counters().continuations()).isEqualTo(1);
            rig.end();
            assertThat(iovecs(request)).as("segments as the guest gave them").isEqualTo(given);
            assertThat(request.result()).isEqualTo(12288);
        }
    }

    @Test
    void shouldWriteWhatTheGuestGaveHoweverShortTheWritesAre() throws IOException {
        try (SinkRig rig = new SinkRig(1024)) {
            byte[] content = bytes(20480);
            TestIo write = rig.submit(TestIo.write(8, content));
            int left = content.length;
            for (int moved = 1; left > 0; moved = Math.min(left, 2 * moved + 1)) {
                rig.end(moved);
                left -= moved;
            }
            assertThat(write.result()).isEqualTo(content.length);
            assertThat(Arrays.copyOfRange(rig.sink.disk, 4096, 4096 + content.length)).isEqualTo(content);
            assertThat(rig.sink.disk[4095]).isZero();
            assertThat(rig.sink.disk[4096 + content.length]).isZero();
        }
    }

    @Test
    void shouldGiveTheKernelNoMoreSegmentsThanItTakesAtOnce() throws IOException {
        try (SinkRig rig = SinkRig.large(512)) {
            byte[] content = bytes(1500 * 512);
            TestIo write = rig.submit(TestIo.write(0, content));
            assertThat(rig.started()).containsExactly("writev direct 524288 in 1024 at 0");
            rig.end();
            assertThat(rig.sink.counters().continuations()).isEqualTo(1);
            assertThat(rig.started()).containsExactly("writev direct 243712 in 476 at 524288");
            rig.end();
            assertThat(write.result()).isEqualTo(content.length);
            assertThat(Arrays.copyOf(rig.sink.disk, content.length)).isEqualTo(content);
        }
    }

    // ---- bounce buffers

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void shouldMoveSegmentsThatAreNotAlignedThroughABufferPieceByPiece(boolean reads) throws IOException {
        int length = 2 * PIECE + 8192;
        try (SinkRig rig = SinkRig.large(1000)) {
            byte[] content = bytes(length);
            if (reads) {
                System.arraycopy(content, 0, rig.sink.disk, 0, length);
            }
            TestIo io = rig.submit(reads ? TestIo.read(0, length) : TestIo.write(0, content));
            String what = reads ? "read" : "write";
            rig.end();
            rig.end();
            assertThat(rig.sink.counters().continuations()).as("a piece is no short transfer").isZero();
            assertThat(rig.started())
                    .containsExactly(what + " direct 262144 at 0", what + " direct 262144 at 262144", what + " direct 8192 at 524288");
            assertThat(io.completed()).isFalse();
            rig.end();
            assertThat(io.result()).isEqualTo(length);
            assertThat(reads ? io.data() : Arrays.copyOf(rig.sink.disk, length)).isEqualTo(content);
            assertThat(rig.sink.counters().bounces()).as("requests, not pieces").isEqualTo(1);
        }
    }

    @Test
    void shouldContinueAPieceThatWasShort() throws IOException {
        try (SinkRig rig = SinkRig.large(1000)) {
            byte[] content = bytes(PIECE + 4096);
            TestIo write = rig.submit(TestIo.write(0, content));
            rig.end(PIECE - 512);
            assertThat(rig.sink.counters().continuations()).isEqualTo(1);
            rig.end(4096);
            assertThat(rig.sink.counters().continuations()).isEqualTo(2);
            assertThat(rig.started()).containsExactly("write direct 262144 at 0", "write direct 4608 at 261632", "write direct 512 at 265728");
            rig.end();
            assertThat(write.result()).isEqualTo(content.length);
            assertThat(Arrays.copyOf(rig.sink.disk, content.length)).isEqualTo(content);
        }
    }

    @Test
    void shouldLetRequestsWaitInOrderWhileAllBuffersAreTaken() throws IOException {
        try (SinkRig rig = new SinkRig(1000)) {
            List<TestIo> writes = new ArrayList<>();
            for (int i = 0; i < BouncePool.BUFFERS + 3; i++) {
                writes.add(rig.add(TestIo.write(8L * i, bytes(4096))));
            }
            TestIo aligned = rig.add(TestIo.read(0, 512));
            rig.sink.flush();
            assertThat(rig.started()).hasSize(BouncePool.BUFFERS + 1).last().isEqualTo("read direct 512 at 0");
            rig.sink.end(BouncePool.BUFFERS, 512);
            rig.tick();
            assertThat(rig.started()).as("no buffer has come back").isEmpty();
            rig.end();
            assertThat(rig.started()).containsExactly("write direct 4096 at " + 4096 * BouncePool.BUFFERS);
            rig.end();
            assertThat(rig.started()).containsExactly("write direct 4096 at " + 4096 * (BouncePool.BUFFERS + 1));
            rig.endAll();
            assertThat(writes).allSatisfy(write -> assertThat(write.result()).isEqualTo(4096));
            assertThat(aligned.result()).isEqualTo(512);
            assertThat(rig.sink.counters().bounces()).isEqualTo(BouncePool.BUFFERS + 3);
            assertThat(rig.sink.bounceBuffers.borrowed()).isZero();
        }
    }

    /** The guest may change its memory while a WRITE is under way; nobody else does. */
    @Test
    void shouldLeaveTheMemoryOfAWriteAlone() throws IOException {
        try (SinkRig rig = new SinkRig(1000)) {
            BlockRequest request = rig.request(TestIo.write(0, bytes(4096)));
            assertThat(rig.sink.submit(request)).isTrue();
            rig.sink.flush();
            long address = Iovec.base(request.iovecsAddress(), 0);
            NativeMemory.putLong(address, 0x1234_5678_9abc_def0L);
            rig.end();
            assertThat(request.result()).isEqualTo(4096);
            assertThat(NativeMemory.getLong(address)).isEqualTo(0x1234_5678_9abc_def0L);
        }
    }

    /** The front end has truncated its memory. */
    private static final class Truncated extends BlockRequest {
        private int answer = 1;

        Truncated(SinkRig rig, BlockOp op, long iovecs) {
            super(rig.loop, 0, 0);
            parsed(op, 0, 512, iovecs, 1);
        }

        @Override
        protected void completed(int result) {
            answer = result;
        }
    }

    @Test
    void shouldFailWithEfaultIfTheMemoryIsGoneBehindABuffer() throws IOException {
        try (Fd file = Fd.adopt(Memfd.create("guest", Memfd.MFD_CLOEXEC));
                NativeBlock iovecs = NativeMemory.allocate(Iovec.SIZE, 16);
                SinkRig rig = new SinkRig(4096)) {
            assertThat(LinuxFile.ftruncate(file.number(), 2 * 4096)).isZero();
            try (Mapping guest = Mapping.shared(file.number(), 0, 2 * 4096)) {
                assertThat(LinuxFile.ftruncate(file.number(), 4096)).isZero();
                Iovec.set(iovecs.address(), 0, guest.address() + 4096 + 8, 512);
                Truncated write = new Truncated(rig, BlockOp.WRITE, iovecs.address());
                assertThat(rig.sink.submit(write)).isTrue();
                rig.sink.flush();
                rig.tick();
                assertThat(rig.started()).isEmpty();
                assertThat(write.answer).isEqualTo(-Errno.EFAULT);
                Truncated read = new Truncated(rig, BlockOp.READ, iovecs.address());
                assertThat(rig.sink.submit(read)).isTrue();
                rig.sink.flush();
                assertThat(rig.started()).as("its memory is not touched before").containsExactly("read direct 512 at 0");
                rig.end();
                assertThat(read.answer).isEqualTo(-Errno.EFAULT);
                assertThat(rig.sink.bounceBuffers.borrowed()).isZero();
            }
        }
    }

    /** A device of 4096-byte blocks takes nothing smaller with O_DIRECT. */
    @Test
    void shouldGoThroughThePageCacheWithWhatIsNotWholeBlocksOfADevice() throws IOException {
        Path file = Files.createTempFile(Path.of("target"), "sluice-blocks", ".raw");
        try (LoopDevice device = LoopDevice.attach(LoopDevice.sparse(file, SinkRig.SIZE), "-b", "4096")) {
            try (SinkRig rig = SinkRig.on(device.path(), 4096)) {
                rig.submit(TestIo.write(0, bytes(4608)));
                rig.endAll();
                assertThat(rig.started()).as("its length").containsExactly("writev buffered 4608 in 2 at 0");
                rig.submit(TestIo.write(1, bytes(4096)));
                rig.endAll();
                assertThat(rig.started()).as("its offset").containsExactly("write buffered 4096 at 512");
                rig.submit(TestIo.write(1, bytes(7680)));
                rig.end(3584);
                assertThat(rig.started()).as("the memory of what is left")
                        .containsExactly("writev buffered 7680 in 2 at 512", "writev buffered 4096 in 2 at 4096");
                rig.endAll();
                rig.submit(TestIo.write(0, bytes(8192)));
                rig.endAll();
                assertThat(rig.started()).containsExactly("writev direct 8192 in 2 at 0");
                assertThat(rig.sink.counters().bounces()).isZero();
            }
            try (SinkRig rig = SinkRig.on(device.path(), 1000)) {
                rig.submit(TestIo.write(0, bytes(512)));
                rig.endAll();
                rig.submit(TestIo.write(1, bytes(4096)));
                rig.endAll();
                assertThat(rig.started()).containsExactly("write buffered 512 at 0", "writev buffered 4096 in 5 at 512");
                assertThat(rig.sink.counters().bounces()).as("the page cache takes any memory").isZero();
                rig.submit(TestIo.write(8, bytes(4096)));
                assertThat(rig.sink.counters().bounces()).isEqualTo(1);
            }
        } finally {
            Files.delete(file);
        }
    }

    // ---- O_DIRECT refused

    @Test
    void shouldGoThroughThePageCacheIfODirectIsRefusedAndWarnOnce() throws IOException {
        try (CapturedLog logged = new CapturedLog();
                SinkRig rig = new SinkRig(4096)) {
            TestIo write = rig.submit(TestIo.write(0, bytes(8192)).asDurable());
            rig.end(-Errno.EINVAL);
            assertThat(rig.started()).containsExactly("writev direct 8192 in 2 at 0 dsync", "writev buffered 8192 in 2 at 0");
            rig.end();
            assertThat(rig.started()).containsExactly("sync of its sync file");
            rig.end();
            assertThat(write.result()).isEqualTo(8192);
            TestIo read = rig.submit(TestIo.read(0, 4096));
            rig.end(-Errno.EINVAL);
            assertThat(rig.started()).as("asked again for the next request").containsExactly("read direct 4096 at 0", "read buffered 4096 at 0");
            rig.end(-Errno.EINVAL);
            assertThat(read.result()).as("refused there too").isEqualTo(-Errno.EINVAL);
            assertThat(rig.image.writeback().failed()).isFalse();
            assertThat(logged.containing("the file system refuses O_DIRECT for WRITE sector 0 length 8192")).hasSize(1);
            assertThat(logged.containing("refuses O_DIRECT")).hasSize(1);
        }
    }

    @Test
    void shouldNotTryAgainIfEinvalHasNothingToDoWithODirect() throws IOException {
        try (SinkRig rig = SinkRig.buffered()) {
            TestIo write = rig.submit(TestIo.write(0, bytes(4096)));
            rig.end(-Errno.EINVAL);
            assertThat(write.result()).isEqualTo(-Errno.EINVAL);
        }
        try (SinkRig rig = new SinkRig(4096)) {
            TestIo write = rig.submit(TestIo.write(0, bytes(4096)));
            rig.end(-Errno.EFBIG);
            assertThat(write.result()).isEqualTo(-Errno.EFBIG);
        }
    }

    // ---- ends

    @Test
    void shouldFailAReadThatFindsTheEndOfTheFileAndLookAtItsSize() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            TestIo read = rig.submit(TestIo.read(8, 8192));
            rig.end(4096);
            SinkRig.setLength(rig.path, 8192);
            rig.end(0);
            assertThat(read.result()).isEqualTo(-Errno.EIO);
            assertThat(rig.image.size().missingBytes()).isEqualTo(SinkRig.SIZE - 8192);
            TestIo behind = rig.submit(TestIo.read(15, 1024));
            TestIo before = rig.submit(TestIo.read(15, 512));
            rig.tick();
            assertThat(behind.result()).isEqualTo(-Errno.EIO);
            assertThat(before.completed()).isFalse();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {4096, 1000})
    void shouldFailAWriteThatMovesNothing(int segmentBytes) throws IOException {
        try (SinkRig rig = new SinkRig(segmentBytes)) {
            TestIo write = rig.submit(TestIo.write(8, bytes(8192)));
            rig.end(0);
            assertThat(write.result()).isEqualTo(-Errno.ENOSPC);
        }
    }

    @Test
    void shouldCutTheFileBackIfTheDiskHasShrunkUnderAWrite() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            TestIo before = rig.add(TestIo.write(8, bytes(4096)));
            TestIo across = rig.add(TestIo.write(16, bytes(8192)));
            TestIo read = rig.add(TestIo.read(16, 8192));
            rig.sink.flush();
            rig.image.resize(12288);
            // What the write that is under way does to the file.
            SinkRig.setLength(rig.path, 16384);
            rig.end();
            assertThat(before.result()).isEqualTo(4096);
            assertThat(rig.path.toFile()).hasSize(16384);
            rig.end();
            assertThat(across.result()).isEqualTo(-Errno.EIO);
            assertThat(rig.path.toFile()).hasSize(12288);
            rig.end();
            assertThat(read.result()).isEqualTo(8192);
        }
    }

    @Test
    void shouldCompleteAtOnceWhatTheKernelNeedNotBeAskedAboutInTheNextTick() throws IOException {
        try (SinkRig rig = SinkRig.readOnly()) {
            TestIo[] changes = {TestIo.write(0, bytes(512)), TestIo.discard(0, 4096), TestIo.writeZeroes(0, 4096)};
            TestIo empty = TestIo.read(0, 0);
            TestIo beyond = TestIo.read(SinkRig.SIZE / 512 - 1, 1024);
            for (TestIo io : changes) {
                rig.add(io);
            }
            rig.add(empty);
            rig.submit(beyond);
            assertThat(rig.sink.inFlight()).isEqualTo(5);
            assertThat(beyond.completed()).as("never inside submit").isFalse();
            rig.tick();
            assertThat(changes).allSatisfy(io -> assertThat(io.result()).isEqualTo(-Errno.EROFS));
            assertThat(empty.result()).isZero();
            assertThat(beyond.result()).isEqualTo(-Errno.EIO);
            assertThat(rig.started()).isEmpty();
            assertThat(rig.sink.counters().batches()).isZero();
            TestIo last = rig.submit(TestIo.read(SinkRig.SIZE / 512 - 1, 512));
            rig.end();
            assertThat(last.result()).isEqualTo(512);
        }
    }
}
