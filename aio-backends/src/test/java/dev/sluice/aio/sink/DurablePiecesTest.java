package dev.sluice.aio.sink;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import dev.sluice.linux.LinuxFile;
import dev.sluice.pipeline.testing.TestIo;
import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A durable WRITE that takes several calls, some past the page cache and some through it: it is synced if any of them has left something there. */
@Timeout(60)
class DurablePiecesTest {
    private static final int LENGTH = 12288;

    @Test
    void shouldSyncWhatOnePieceOfManyHasLeftInThePageCache() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            int block = rig.image.alignment().offsetBytes();
            assertThat(block).as("what O_DIRECT wants here").isBetween(2, 4096);
            TestIo write = rig.submit(TestIo.write(0, new byte[LENGTH]).asDurable());
            rig.end(block / 2);
            rig.end(block - block / 2);
            assertThat(rig.started()).containsExactly(
                    "writev direct " + LENGTH + " in 3 at 0 dsync",
                    "writev buffered " + (LENGTH - block / 2) + " in 3 at " + block / 2,
                    "writev direct " + (LENGTH - block) + " in " + (block == 4096 ? 2 : 3) + " at " + block + " dsync");
            rig.end();
            assertThat(write.completed()).as("a piece is in the page cache alone").isFalse();
            assertThat(rig.started()).containsExactly("sync of its sync file");
            rig.end(0);
            assertThat(write.result()).isEqualTo(LENGTH);
        }
    }

    @Test
    void shouldSyncNothingMoreWhenEachPieceWasSyncedByItsWrite() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            TestIo write = rig.submit(TestIo.write(0, new byte[LENGTH]).asDurable());
            rig.end(4096);
            rig.end();
            assertThat(rig.started()).containsExactly("writev direct " + LENGTH + " in 3 at 0 dsync",
                    "writev direct " + (LENGTH - 4096) + " in 2 at 4096 dsync");
            assertThat(write.result()).isEqualTo(LENGTH);
            TestIo refused = rig.submit(TestIo.write(0, new byte[4096]).asDurable());
            rig.end(-Errno.EINVAL);
            rig.end();
            assertThat(rig.started()).containsExactly("write direct 4096 at 0 dsync", "write buffered 4096 at 0", "sync of its sync file");
            rig.end(0);
            assertThat(refused.result()).isEqualTo(4096);
            rig.submit(TestIo.write(0, new byte[4096]).asDurable());
            rig.end();
            assertThat(rig.started()).as("the next request starts afresh").containsExactly("write direct 4096 at 0 dsync");
        }
    }

    @Test
    void shouldHaveAFileForTheSyncsOfEachSink() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            try (var first = rig.image.takeSyncFd();
                    var second = rig.image.takeSyncFd()) {
                assertThat(first.number()).isNotEqualTo(second.number());
                assertThat(new int[] {first.number(), second.number()}).doesNotContain(rig.image.fd(), rig.image.bufferedFd(), rig.sink.syncFd());
                assertThat(LinuxFile.fdatasync(second.number())).isZero();
            }
        }
    }
}
