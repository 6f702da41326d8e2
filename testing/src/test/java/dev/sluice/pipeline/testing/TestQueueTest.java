package dev.sluice.pipeline.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockStatus;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.RequestQueue;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class TestQueueTest extends RequestQueueContract {

    @Override
    protected OtherSide open(IoLoop loop, int index, int size) {
        TestQueue queue = new TestQueue(loop, index, size);
        List<TestIo> unanswered = new ArrayList<>();
        return new OtherSide() {
            @Override
            public RequestQueue queue() {
                return queue;
            }

            @Override
            public void offer(BlockOp op, long sector, int lengthBytes) {
                unanswered.add(queue.submit(switch (op) {
                    case READ -> TestIo.read(sector, lengthBytes);
                    case WRITE -> TestIo.write(sector, new byte[lengthBytes]);
                    case FLUSH -> TestIo.flush();
                    case DISCARD -> TestIo.discard(sector, lengthBytes);
                    case WRITE_ZEROES -> TestIo.writeZeroes(sector, lengthBytes);
                }));
            }

            @Override
            public List<BlockStatus> takeStatuses() {
                List<BlockStatus> answers = unanswered.stream().map(TestIo::status).toList();
                unanswered.clear();
                return answers;
            }

            @Override
            public boolean breakRing() {
                queue.breakRing("made up");
                return true;
            }

            @Override
            public void close() {
                queue.close();
            }
        };
    }

    @Test
    void shouldFailOnCloseWhenARequestIsOut() {
        try (ManualLoop loop = new ManualLoop()) {
            TestQueue queue = new TestQueue(loop, 0, 1);
            queue.submit(TestIo.flush());
            queue.poll();
            assertThatThrownBy(queue::close).hasMessageContaining("never completed");
            queue.request(0).complete(0);
            queue.close();
            assertThat(queue.completions()).isEqualTo(1);
        }
    }
}
