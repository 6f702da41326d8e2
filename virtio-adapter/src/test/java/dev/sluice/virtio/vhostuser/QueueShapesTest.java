package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.pipeline.IoLoop;
import dev.sluice.virtio.driver.BlockDriver;
import dev.sluice.virtio.driver.BlockDriverOptions;
import dev.sluice.virtio.driver.QueueShape;
import dev.sluice.virtio.queue.DeviceRing;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Any number of queues of any size, and guests that use only some of those that they were offered. */
class QueueShapesTest {
    private static final int BLOCK_BYTES = 4096;

    /** Offered, used, size, loops. */
    @ParameterizedTest
    @CsvSource({"1,1,2,1", "1,1,32768,1", "4,1,256,2", "4,3,4,1", "16,5,1024,3", "256,1,64,2", "256,256,8,2", "64,2,32768,2"})
    void shouldServeTheQueuesThatAGuestUses(int offered, int used, int size, int loops) throws IOException {
        try (ServerFixture fixture = ServerFixture.start(offered, loops, builder -> builder.queueSize(size))) {
            BlockDriverOptions options = ServerFixture.options(used).withShape(QueueShape.of(size, Math.min(size, 4), BLOCK_BYTES));
            try (BlockDriver driver = fixture.open(options)) {
                for (int queue = 0; queue < used; queue++) {
                    writeAndRead(driver, queue);
                }
            }
        }
    }

    private static void writeAndRead(BlockDriver driver, int queue) throws IOException {
        byte[] pattern = new byte[BLOCK_BYTES];
        Arrays.fill(pattern, (byte) (queue + 1));
        driver.disk(queue).write((long) queue * BLOCK_BYTES, MemorySegment.ofArray(pattern));
        byte[] read = new byte[BLOCK_BYTES];
        driver.disk(queue).read((long) queue * BLOCK_BYTES, MemorySegment.ofArray(read));
        assertThat(read).as("queue " + queue).isEqualTo(pattern);
    }

    /** All queues of the largest size: with a request for each of 8 million heads they would not fit into the heap of {@code sluice serve}. */
    @Test
    void shouldTakeMemoryForThoseHeadsOnlyThatADriverUses() throws IOException {
        int queues = 16;
        com.sun.management.ThreadMXBean threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (ServerFixture fixture = ServerFixture.start(queues, 1, builder -> builder.queueSize(DeviceRing.MAX_SIZE))) {
            long before = threads.getTotalThreadAllocatedBytes();
            try (BlockDriver driver = fixture.open(ServerFixture.options(queues).withShape(QueueShape.of(DeviceRing.MAX_SIZE, 1, BLOCK_BYTES)))) {
                for (int queue = 0; queue < queues; queue++) {
                    writeAndRead(driver, queue);
                }
            }
            // An index a head in a few arrays, on both sides; a request a head would be 150 bytes more.
            assertThat(threads.getTotalThreadAllocatedBytes() - before).isLessThan((long) queues * DeviceRing.MAX_SIZE * 64);
        }
    }

    @Test
    void shouldServeAQueueOnTheLoopThatItIsMappedTo() throws IOException {
        try (ServerFixture fixture = ServerFixture.start(3, 2, builder -> builder.loopOfQueue(Map.of(0, 1, 1, 1)))) {
            try (BlockDriver driver = fixture.open(3)) {
                writeAndRead(driver, 0);
                writeAndRead(driver, 1);
                writeAndRead(driver, 2);
                assertThat(fixture.server.state().rings()).extracting(VhostUserServer.RingSnapshot::loopName).containsExactly("loop-1", "loop-1", "loop-0");
            }
        }
    }

    @Test
    void shouldRefuseAMapThatNamesWhatIsNotThere() throws IOException {
        try (ServerFixture fixture = ServerFixture.start(1)) {
            VhostUserServerBuilder other = VhostUserServer.builder()
                    .socketPath(fixture.directory.resolve("other"))
                    .pipeline(fixture.pipeline)
                    .loops(List.<IoLoop>copyOf(fixture.loops))
                    .numQueues(2);
            assertThatThrownBy(() -> other.loopOfQueue(Map.of(0, 1)).build()).isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("loop of queue 0");
            assertThatThrownBy(() -> other.loopOfQueue(Map.of(2, 0)).build()).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("queue 2");
        }
    }
}
