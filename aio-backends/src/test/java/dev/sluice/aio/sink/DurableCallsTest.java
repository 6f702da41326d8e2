package dev.sluice.aio.sink;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.testing.TestIo;
import java.io.IOException;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Durable writes: which of their calls sync, and what an error of one means for later promises. */
@Timeout(60)
class DurableCallsTest {
    private static byte[] bytes(int length) {
        byte[] made = new byte[length];
        new SplittableRandom(length).nextBytes(made);
        return made;
    }

    @ParameterizedTest
    @ValueSource(ints = {4096, 1000})
    void shouldSyncADurableWriteByItsOwnCall(int segmentBytes) throws IOException {
        try (SinkRig rig = new SinkRig(segmentBytes)) {
            TestIo write = rig.submit(TestIo.write(0, bytes(4096)).asDurable());
            assertThat(rig.started()).containsExactly("write direct 4096 at 0 dsync");
            rig.end();
            assertThat(write.result()).isEqualTo(4096);
            TestIo read = rig.submit(TestIo.read(0, 4096).asDurable());
            assertThat(rig.started()).containsExactly("read direct 4096 at 0");
            rig.end();
            assertThat(read.result()).isEqualTo(4096);
            rig.submit(TestIo.write(0, bytes(4096)));
            assertThat(rig.started()).as("the one after it is not durable").containsExactly("write direct 4096 at 0");
        }
    }

    @Test
    void shouldSyncADurableWriteAfterwardsIfAPartOfItWentThroughThePageCache() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            TestIo write = rig.submit(TestIo.write(0, bytes(8192)).asDurable());
            rig.end(100);
            assertThat(rig.started()).containsExactly("writev direct 8192 in 2 at 0 dsync", "writev buffered 8092 in 2 at 100");
            rig.end();
            assertThat(write.completed()).isFalse();
            assertThat(rig.started()).containsExactly("sync of its sync file");
            rig.end();
            assertThat(write.result()).isEqualTo(8192);
            rig.submit(TestIo.write(0, bytes(4096)).asDurable());
            rig.end();
            assertThat(rig.started()).as("the next one in its slot").containsExactly("write direct 4096 at 0 dsync");
        }
    }

    @Test
    void shouldSyncEveryDurableWriteToABufferedImageAfterwards() throws IOException {
        try (SinkRig rig = SinkRig.buffered()) {
            TestIo write = rig.submit(TestIo.write(1, bytes(512)).asDurable());
            rig.end();
            assertThat(rig.started()).containsExactly("write buffered 512 at 512", "sync of its sync file");
            rig.end(-Errno.EIO);
            assertThat(write.result()).isEqualTo(-Errno.EIO);
            TestIo next = rig.submit(TestIo.write(1, bytes(512)).asDurable());
            rig.tick();
            assertThat(next.result()).as("nothing is promised any more").isEqualTo(-Errno.EIO);
            assertThat(rig.started()).isEmpty();
        }
    }

    /** RWF_DSYNC: the kernel does not tell whether the write or its sync failed. */
    @Test
    void shouldCountTheErrorOfAWriteThatSyncsItselfAsAFailureOfWriteback() throws IOException {
        try (SinkRig rig = new SinkRig(4096)) {
            TestIo plain = rig.submit(TestIo.write(0, bytes(4096)));
            rig.end(-Errno.EIO);
            assertThat(plain.result()).isEqualTo(-Errno.EIO);
            assertThat(rig.image.writeback().failed()).as("a write that is not durable promises nothing").isFalse();
            TestIo inFlight = rig.add(TestIo.write(0, bytes(4096)).asDurable());
            TestIo durable = rig.add(TestIo.write(8, bytes(4096)).asDurable());
            rig.sink.flush();
            rig.sink.end(1, -Errno.EIO);
            rig.tick();
            assertThat(durable.result()).isEqualTo(-Errno.EIO);
            assertThat(rig.image.writeback().failed()).isTrue();
            rig.end();
            assertThat(inFlight.result()).as("was in flight with it").isEqualTo(-Errno.EIO);
            TestIo read = rig.submit(TestIo.read(0, 4096).asDurable());
            TestIo write = rig.submit(TestIo.write(0, bytes(4096)));
            rig.endAll();
            assertThat(read.result()).isEqualTo(4096);
            assertThat(write.result()).isEqualTo(4096);
            for (TestIo refused : List.of(TestIo.flush(), TestIo.discard(0, 4096).asDurable(), TestIo.writeZeroes(0, 4096).asDurable())) {
                rig.submit(refused);
                rig.tick();
                assertThat(refused.result()).isEqualTo(-Errno.EIO);
            }
        }
    }
}
