package dev.sluice.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockStatus;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.RequestQueue;
import dev.sluice.pipeline.testing.RequestQueueContract;
import java.util.ArrayList;
import java.util.List;

/** The queue of a program: its calls are what is offered. */
class DeviceQueueTest extends RequestQueueContract {

    private static final class Program implements OtherSide {
        private final DeviceQueue queue;
        private final NativeBlock memory = NativeMemory.allocate(8192, 512);
        private final List<BlockStatus> answers = new ArrayList<>();

        Program(IoLoop loop, int index, int size) {
            queue = new DeviceQueue(loop, index, BlockDeviceOptions.builder().queueDepth(size).build());
        }

        @Override
        public RequestQueue queue() {
            return queue;
        }

        @Override
        public void offer(BlockOp op, long sector, int lengthBytes) {
            DeviceIo io = new DeviceIo(op, sector * 512, lengthBytes) {
                @Override
                void completed(int result) {
                    answers.add(BlockStatus.ofResult(result));
                }

                @Override
                void refused(Throwable reason) {
                    throw new AssertionError(reason);
                }
            };
            if (lengthBytes > 512) {
                io.memory(new long[] {memory.address(), 512, memory.address() + 1024, lengthBytes - 512}, lengthBytes);
            } else if (lengthBytes > 0) {
                io.memory(memory.address(), lengthBytes);
            }
            assertThat(io.move(DeviceIo.State.IDLE, DeviceIo.State.WAITING)).isTrue();
            queue.submit(io);
        }

        @Override
        public List<BlockStatus> takeStatuses() {
            List<BlockStatus> taken = List.copyOf(answers);
            answers.clear();
            return taken;
        }

        @Override
        public boolean breakRing() {
            return false;
        }

        @Override
        public void close() {
            assertThat(queue.inFlight()).isZero();
            queue.free();
            memory.close();
        }
    }

    @Override
    protected OtherSide open(IoLoop loop, int index, int size) {
        return new Program(loop, index, size);
    }
}
