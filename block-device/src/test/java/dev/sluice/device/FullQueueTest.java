package dev.sluice.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.device.DeviceRig.Outcome;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.testing.ManualLoop;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A queue whose slots are all taken, and calls that wait for one. */
@Timeout(60)
class FullQueueTest {
    private final List<Throwable> refused = new ArrayList<>();

    /** A read that is offered when it is made. */
    private class Read extends DeviceIo {
        private int completions;

        Read(DeviceQueue queue, NativeBlock memory) {
            super(BlockOp.READ, 0, 512);
            memory(memory.address(), 512);
            assertThat(move(State.IDLE, State.WAITING)).isTrue();
            queue.submit(this);
        }

        @Override
        void completed(int result) {
            completions++;
        }

        @Override
        void refused(Throwable reason) {
            refused.add(reason);
        }
    }

    private static DeviceQueue queueOfOne(IoLoop loop) {
        return new DeviceQueue(loop, 0, BlockDeviceOptions.builder().queueDepth(1).build());
    }

    private static BlockRequest polled(DeviceQueue queue) {
        BlockRequest request = queue.poll();
        if (request == null) {
            throw new AssertionError("the queue shows nothing");
        }
        return request;
    }

    /** Operators that ask for everything never ask again: it is the queue that has to say that there is room for the next. */
    @Test
    void shouldTakeCallsThatWaitedForASlotThoughNobodyAsksAgain() {
        BlockDeviceOptions.Builder options = BlockDeviceOptions.builder().queueDepth(1);
        try (DeviceRig rig = new DeviceRig(options.pipeline(builder -> builder.operator(requests -> requests.onBackpressureBuffer())))) {
            List<Outcome<Integer>> outcomes = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                outcomes.add(DeviceRig.start(rig.device.read(4096L * i, ByteBuffer.allocateDirect(4096))));
            }
            rig.loop.tickUntilIdle();
            assertThat(outcomes).allMatch(Outcome::ended);
            outcomes.forEach(outcome -> outcome.assertValue(4096));
        }
    }

    @Test
    void shouldHaveASlotForTheCallThatACompletionLeadsTo() {
        try (ManualLoop loop = new ManualLoop(); NativeBlock memory = NativeMemory.allocate(512, 512)) {
            DeviceQueue queue = queueOfOne(loop);
            List<BlockRequest> next = new ArrayList<>();
            new Read(queue, memory) {
                @Override
                void completed(int result) {
                    assertThat(queue.inFlight()).isZero();
                    Read _ = new Read(queue, memory);
                    assertThat(queue.available()).isTrue();
                    next.add(polled(queue));
                }
            };
            polled(queue).complete(512);
            assertThat(next).hasSize(1);
            assertThat(queue.inFlight()).isEqualTo(1);
            next.getFirst().complete(512);
            assertThat(queue.inFlight()).isZero();
            assertThat(refused).isEmpty();
            queue.free();
        }
    }

    /** A loop that has no memory for one wake-up: that call fails, and the next wakes the loop for all. */
    @Test
    void shouldWakeTheLoopAgainAfterAWakeUpThatFailed() {
        try (ManualLoop loop = new ManualLoop(); NativeBlock memory = NativeMemory.allocate(512, 512)) {
            int[] wakeUps = {0};
            OutOfMemoryError failure = new OutOfMemoryError("made up");
            IoLoop failing = (IoLoop) Proxy.newProxyInstance(IoLoop.class.getClassLoader(), new Class<?>[] {IoLoop.class}, (_, method, arguments) -> {
                if (method.getName().equals("inLoop")) {
                    return wakeUps[0] > 1;
                }
                if (method.getName().equals("execute")) {
                    if (wakeUps[0]++ == 0) {
                        throw failure;
                    }
                    return null;
                }
                return method.invoke(loop, arguments);
            });
            DeviceQueue queue = queueOfOne(failing);
            Read first = new Read(queue, memory);
            assertThat(refused).containsExactly(failure);
            assertThat(first.state()).isEqualTo(DeviceIo.State.ENDED);
            Read second = new Read(queue, memory);
            assertThat(wakeUps[0]).isEqualTo(2);
            polled(queue).complete(512);
            assertThat(second.completions).isEqualTo(1);
            assertThat(first.completions).isZero();
            assertThat(refused).hasSize(1);
            queue.free();
        }
    }
}
