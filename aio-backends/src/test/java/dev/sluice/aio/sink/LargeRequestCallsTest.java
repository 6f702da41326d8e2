package dev.sluice.aio.sink;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import dev.sluice.linux.Iovec;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.testing.TestIo;
import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Calls of requests beyond 2 GiB, of their offsets and of their lengths. The memory is never touched: the kernel is the test. */
@Timeout(60)
class LargeRequestCallsTest {
    private static final long GIB = 1L << 30;
    private static final long IMAGE_BYTES = 16 * GIB;

    private static SinkRig large() throws IOException {
        SinkRig rig = new SinkRig(4096);
        rig.image.resize(IMAGE_BYTES);
        return rig;
    }

    private static final class Large extends BlockRequest {
        private int answer = Integer.MIN_VALUE;

        Large(SinkRig rig, BlockOp op, long offset, NativeBlock iovecs, long... lengths) {
            super(rig.loop, 0, 0);
            long sum = 0;
            for (int i = 0; i < lengths.length; i++) {
                Iovec.set(iovecs.address(), i, 1L << 40, lengths[i]);
                sum += lengths[i];
            }
            parsed(op, offset / SECTOR_BYTES, sum, iovecs.address(), lengths.length);
        }

        @Override
        protected void completed(int result) {
            answer = result;
        }
    }

    /** The oldest call moves so many bytes, of which none is copied. */
    private static void moved(SinkRig rig, int bytes) {
        int slot = rig.sink.inKernel.removeFirst().slot();
        rig.sink.collect(slot, bytes);
        rig.loop.completionSeen(rig.sink);
        rig.tick();
    }

    private static void submit(SinkRig rig, BlockRequest request) {
        assertThat(rig.sink.submit(request)).isTrue();
        rig.sink.flush();
    }

    @Test
    void shouldMoveABufferInPiecesThatTheKernelTakes() throws IOException {
        int most = (int) LinuxFile.MAX_RW_COUNT;
        try (NativeBlock iovecs = NativeMemory.allocate(Iovec.SIZE, 16);
                SinkRig rig = large()) {
            Large read = new Large(rig, BlockOp.READ, 4 * GIB, iovecs, 5 * GIB);
            submit(rig, read);
            moved(rig, most);
            moved(rig, most);
            assertThat(rig.started()).containsExactly(
                    "read direct " + most + " at " + 4 * GIB,
                    "read direct " + most + " at " + (4 * GIB + most),
                    "read direct " + (5 * GIB - 2L * most) + " at " + (4 * GIB + 2L * most));
            assertThat(read.answer).isEqualTo(Integer.MIN_VALUE);
            moved(rig, (int) (5 * GIB - 2L * most));
            assertThat(read.answer).as("as much as a result can say").isEqualTo(Integer.MAX_VALUE);
            assertThat(Iovec.length(iovecs.address(), 0)).isEqualTo(5 * GIB);
        }
    }

    @Test
    void shouldContinueInTheElementWhereAShortTransferHasStopped() throws IOException {
        try (NativeBlock iovecs = NativeMemory.allocate(3L * Iovec.SIZE, 16);
                SinkRig rig = large()) {
            Large write = new Large(rig, BlockOp.WRITE, 3 * GIB, iovecs, GIB, GIB, GIB / 2);
            submit(rig, write);
            moved(rig, (int) (GIB + 4096));
            moved(rig, (int) (GIB - 4096));
            assertThat(rig.started()).containsExactly(
                    "writev direct " + 5 * GIB / 2 + " in 3 at " + 3 * GIB,
                    "writev direct " + (3 * GIB / 2 - 4096) + " in 2 at " + (4 * GIB + 4096),
                    "write direct " + GIB / 2 + " at " + 5 * GIB);
            moved(rig, (int) (GIB / 2));
            assertThat(write.answer).isEqualTo(Integer.MAX_VALUE);
        }
    }

    @Test
    void shouldPunchAndZeroRangesBeyond4GiB() throws IOException {
        try (SinkRig rig = large()) {
            TestIo discard = rig.submit(TestIo.discard((4 * GIB + 4096) / 512, 5 * GIB));
            rig.end(0);
            assertThat(discard.result()).isZero();
            TestIo zeroes = rig.submit(TestIo.writeZeroes((6 * GIB + 4096) / 512, 3 * GIB));
            rig.end(-Errno.EOPNOTSUPP);
            assertThat(rig.started()).containsExactly(
                    "punch " + 5 * GIB + " at " + (4 * GIB + 4096),
                    "zero " + 3 * GIB + " at " + (6 * GIB + 4096),
                    "write direct " + ZeroBuffer.BYTES + " zeroes at " + (6 * GIB + 4096));
            for (long left = 3 * GIB; left > 0; left -= ZeroBuffer.BYTES) {
                assertThat(zeroes.completed()).as("with %d bytes left", left).isFalse();
                moved(rig, ZeroBuffer.BYTES);
            }
            assertThat(zeroes.result()).isZero();
            assertThat(rig.started()).hasSize((int) (3 * GIB / ZeroBuffer.BYTES) - 1).last()
                    .isEqualTo("write direct " + ZeroBuffer.BYTES + " zeroes at " + (9 * GIB + 4096 - ZeroBuffer.BYTES));
        }
    }
}
