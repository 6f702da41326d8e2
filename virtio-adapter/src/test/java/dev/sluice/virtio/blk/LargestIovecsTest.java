package dev.sluice.virtio.blk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.BlockRequest;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** One in four of the large requests may have more segments than the driver was told: enough for progress, few enough for their memory. */
final class LargestIovecsTest extends BareQueue {
    private static final int LARGE_REQUESTS = 8;
    /** More than 126 and the spare ones of a large block. */
    private static final int SEGMENTS = 200;

    LargestIovecsTest() throws IOException {}

    @Test
    void shouldHaveBlocksOfTheLargestSizeForAQuarterOfTheLargeRequests() throws IOException {
        QueueUnderTest.Setup setup = bare();
        setup.largeRequests = LARGE_REQUESTS;
        reopen(setup);
        for (int head = 0; head < 32; head += 8) {
            large(head, SEGMENTS);
        }
        guest.publish();
        List<BlockRequest> out = List.of(polled(), polled());
        assertThat(queue.poll()).as("the third waits").isNull();
        out.getFirst().complete(SEGMENTS * 512);
        assertThat(wakes).isEqualTo(1);
        BlockRequest third = polled();
        assertThat(queue.poll()).isNull();
        out.getLast().complete(SEGMENTS * 512);
        third.complete(SEGMENTS * 512);
        polled().complete(SEGMENTS * 512);
        assertThat(usedAfterTick()).hasSize(4);
    }

    /** They take nothing from those that keep to what they were told. */
    @Test
    void shouldHaveAllLargeBlocksBesidesTheLargest() throws IOException {
        QueueUnderTest.Setup setup = bare();
        setup.largeRequests = LARGE_REQUESTS;
        reopen(setup);
        large(0, SEGMENTS);
        large(8, SEGMENTS);
        for (int head = 16; head < 16 + LARGE_REQUESTS + 1; head++) {
            large(head, 9);
        }
        guest.publish();
        List<BlockRequest> out = new ArrayList<>();
        for (int i = 0; i < 2 + LARGE_REQUESTS; i++) {
            out.add(polled());
        }
        assertThat(queue.poll()).as("the last waits").isNull();
        out.forEach(request -> request.complete((int) request.lengthBytes()));
        polled().complete(9 * 512);
        assertThat(usedAfterTick()).hasSize(LARGE_REQUESTS + 3);
    }
}
