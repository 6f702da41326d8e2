package dev.sluice.aio.sink;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.testing.TestIo;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the kernel takes no more of, or refuses for now: it is tried again, in order, after pauses. */
@Timeout(60)
class SinkRetriesTest {
    private static final long MILLIS = 1_000_000;
    private static final int SECTOR = 512;

    private static TestIo read(int sector) {
        return TestIo.read(sector, SECTOR);
    }

    // ---- the kernel takes no more

    @Test
    void shouldOfferAgainInOrderAfterPausesThatDoubleTo128Milliseconds() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            rig.sink.refusals = 11;
            rig.submit(read(0), read(1));
            int tries = 1;
            for (long pause : new long[] {1, 2, 4, 8, 16, 32, 64, 128, 128, 128}) {
                assertThat(rig.sink.refusals).isEqualTo(11 - tries);
                rig.loop.advance(pause * MILLIS - 1);
                rig.tick();
                assertThat(rig.sink.refusals).as("before %d ms", pause).isEqualTo(11 - tries);
                rig.loop.advance(1);
                rig.tick();
                tries++;
                assertThat(rig.sink.counters().retries()).isEqualTo(tries);
            }
            assertThat(rig.started()).isEmpty();
            rig.loop.advance(128 * MILLIS);
            rig.tick();
            assertThat(rig.started()).containsExactly("read direct 512 at 0", "read direct 512 at 512");
            rig.sink.refusals = 1;
            rig.submit(TestIo.read(2, 8192));
            assertThat(rig.started()).isEmpty();
            rig.loop.advance(MILLIS);
            rig.tick();
            assertThat(rig.started()).as("the pause is short again").containsExactly("readv direct 8192 in 2 at 1024");
        }
    }

    @Test
    void shouldTryOnceAPauseHoweverOftenItIsFlushed() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            rig.sink.refusals = 1000;
            rig.submit(read(0));
            rig.sink.flush();
            rig.sink.flush();
            int left = rig.sink.refusals;
            rig.loop.advance(MILLIS);
            rig.tick();
            assertThat(rig.sink.refusals).isEqualTo(left - 1);
            rig.loop.advance(MILLIS);
            rig.tick();
            assertThat(rig.sink.refusals).as("the next pause is 2 ms").isEqualTo(left - 1);
            rig.sink.refusals = 0;
            rig.loop.advance(MILLIS);
            rig.tick();
            assertThat(rig.started()).hasSize(1);
        }
    }

    @Test
    void shouldKeepASyncThatTheKernelRefusesForTheNextTry() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            rig.sink.refusals = 1;
            TestIo first = rig.add(TestIo.flush());
            TestIo second = rig.submit(TestIo.flush());
            assertThat(rig.started()).isEmpty();
            rig.loop.advance(MILLIS);
            rig.tick();
            assertThat(rig.started()).containsExactly("sync of its sync file");
            rig.end(0);
            assertThat(first.result()).isZero();
            assertThat(second.result()).isZero();
        }
    }

    // ---- the kernel refuses a request for now

    @ParameterizedTest
    @ValueSource(ints = {Errno.EAGAIN, Errno.EINTR, Errno.ECANCELED})
    void shouldTryFourTimesAtOnceThenPauseAndGiveUpAfterThirtySeconds(int errno) throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            TestIo read = rig.submit(read(0));
            for (int i = 0; i < 4; i++) {
                rig.end(-errno);
                assertThat(rig.sink.inKernel).as("tried again in the same tick").hasSize(1);
            }
            long pause = 1;
            long waited = 0;
            while (waited < 30_000) {
                rig.end(-errno);
                assertThat(rig.sink.inKernel).isEmpty();
                rig.loop.advance(pause * MILLIS - 1);
                rig.tick();
                assertThat(rig.sink.inKernel).as("not before %d ms", pause).isEmpty();
                rig.loop.advance(1);
                rig.tick();
                assertThat(rig.sink.inKernel).as("after %d ms", pause).hasSize(1);
                waited += pause;
                pause = Math.min(128, 2 * pause);
            }
            assertThat(read.completed()).isFalse();
            long retries = rig.sink.counters().retries();
            rig.end(-errno);
            assertThat(read.result()).isEqualTo(-Errno.EIO);
            assertThat(rig.sink.counters().retries()).isEqualTo(retries + 1);
            assertThat(rig.sink.cancelled).hasSize(errno == Errno.ECANCELED ? (int) retries + 1 : 0).allMatch(slot -> slot == 0);
        }
    }

    /** What an earlier request or piece was refused does not count. */
    @Test
    void shouldCountRefusalsAfreshForEachPieceAndRequest() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            for (TestIo io : List.of(TestIo.read(0, 8192), TestIo.flush(), TestIo.flush(), TestIo.writeZeroes(0, 8192), TestIo.flush())) {
                rig.submit(io);
                if (io.op() == BlockOp.WRITE_ZEROES) {
                    rig.end(-Errno.EOPNOTSUPP);
                }
                while (!io.completed()) {
                    for (int i = 0; i < 4; i++) {
                        rig.end(-Errno.EAGAIN);
                        assertThat(rig.sink.inKernel).as("%s: at once", io).hasSize(1);
                    }
                    rig.end(Math.min(4096, rig.sink.inKernel.getFirst().bytes()));
                }
            }
        }
    }
}
