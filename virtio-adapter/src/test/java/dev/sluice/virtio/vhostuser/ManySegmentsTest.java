package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.testing.Patience;
import dev.sluice.virtio.driver.BlkRequest;
import dev.sluice.virtio.driver.BlockDriver;
import dev.sluice.virtio.driver.BlockDriverOptions;
import dev.sluice.virtio.driver.ChainShape;
import dev.sluice.virtio.driver.DriverQueue;
import dev.sluice.virtio.driver.QueueShape;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Requests of more data segments than seg_max, which stays 126: Windows' viostor sends 129. */
final class ManySegmentsTest {
    private static final int DATA_BYTES = 64 << 10;

    private static ChainShape shape(int segments, int direct) {
        int[] cuts = new int[segments + 1];
        for (int i = 0; i < segments; i++) {
            cuts[i] = 16 + (int) ((long) i * DATA_BYTES / segments);
        }
        cuts[segments] = -1;
        return ChainShape.of(direct, cuts);
    }

    private static BlockDriver open(ServerFixture fixture, int ring) throws IOException {
        BlockDriverOptions options = BlockDriverOptions.defaults()
                .withShape(new QueueShape(ring, 1, DATA_BYTES, 2048))
                .withTimeout(Duration.ofSeconds(Patience.seconds(60)));
        return fixture.open(options);
    }

    private static void assertServed(BlockDriver driver, int segments, int direct) {
        DriverQueue queue = driver.queue(0);
        byte[] data = new byte[DATA_BYTES];
        new SplittableRandom(segments).nextBytes(data);
        boolean served = segments <= 1024;
        queue.data(0).copyFrom(MemorySegment.ofArray(data));
        assertThat(run(queue, BlkRequest.T_OUT, shape(segments, direct)))
                .as("write of %d segments", segments)
                .containsExactly(served ? BlkRequest.S_OK : BlkRequest.S_IOERR, 1);
        queue.data(0).fill((byte) 0);
        assertThat(run(queue, BlkRequest.T_IN, shape(segments, direct)))
                .as("read of %d segments", segments)
                .containsExactly(served ? BlkRequest.S_OK : BlkRequest.S_IOERR, served ? DATA_BYTES + 1 : 1);
        byte[] read = queue.data(0).toArray(ValueLayout.JAVA_BYTE);
        assertThat(read).isEqualTo(served ? data : new byte[DATA_BYTES]);
    }

    /** Status and bytes written. */
    private static int[] run(DriverQueue queue, int type, ChainShape shape) {
        assertThat(queue.submit(type, 0, DATA_BYTES, shape)).isZero();
        boolean _ = queue.publish();
        assertThat(queue.await(60_000)).isTrue();
        int[] result = new int[2];
        int _ = queue.poll((slot, status, written) -> {
            result[0] = status;
            result[1] = written;
        });
        return result;
    }

    @ParameterizedTest
    @ValueSource(ints = {126, 127, 129, 1024, 1025})
    void shouldServeUpToATableOf1024SegmentsThatIsLongerThanTheQueue(int segments) throws IOException {
        try (ServerFixture fixture = ServerFixture.start(1);
                BlockDriver driver = open(fixture, 16)) {
            assertThat(driver.config().segMax()).isEqualTo(126);
            assertServed(driver, segments, 0);
            assertServed(driver, segments, 3);
            assertServed(driver, 1, 0);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {126, 127, 129, 1024, 1025})
    void shouldServeUpTo1024SegmentsInDescriptorsOfTheRing(int segments) throws IOException {
        try (ServerFixture fixture = ServerFixture.start(1, 1, builder -> builder.queueSize(2048));
                BlockDriver driver = open(fixture, 2048)) {
            assertServed(driver, segments, Integer.MAX_VALUE);
            assertServed(driver, 1, Integer.MAX_VALUE);
        }
    }
}
