package dev.sluice.device;

import dev.sluice.linux.NativeBlock;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.OnLoop;
import java.util.List;
import reactor.core.scheduler.Schedulers;

/**
 * The queues of a device, one on each loop, and which of them a thread uses.
 *
 * <p><b>Threading:</b> any thread. <b>Allocation:</b> at creation only.
 */
final class DeviceQueues {
    private final DeviceQueue[] queues;

    DeviceQueues(List<IoLoop> loops, BlockDeviceOptions options) {
        queues = new DeviceQueue[loops.size()];
        for (int i = 0; i < queues.length; i++) {
            queues[i] = new DeviceQueue(loops.get(i), i, options);
        }
    }

    DeviceQueue[] all() {
        return queues;
    }

    void connect(BlockPipeline pipeline) {
        for (DeviceQueue queue : queues) {
            if (queue.loop().inLoop()) {
                queue.connect(pipeline);
            } else {
                OnLoop.run(queue.loop(), () -> queue.connect(pipeline));
            }
        }
    }

    void offerBuffers(NativeBlock memory) {
        for (DeviceQueue queue : queues) {
            queue.offerBuffers(memory.address(), memory.bytes());
        }
    }

    /** The one that the calling thread uses. */
    DeviceQueue ofCaller() {
        DeviceQueue[] all = queues;
        if (all.length == 1) {
            return all[0];
        }
        for (DeviceQueue queue : all) {
            if (queue.loop().inLoop()) {
                return queue;
            }
        }
        // A thread always uses the same queue, so that its requests stay in order and form one batch.
        return all[(int) Long.remainderUnsigned(Thread.currentThread().threadId(), all.length)];
    }

    /**
     * For channels, before a call has any effect.
     *
     * @throws IllegalStateException on a thread that must not block
     */
    void assertMayBlock() {
        assertMayWait();
        if (Schedulers.isInNonBlockingThread()) {
            throw new IllegalStateException("the thread " + Thread.currentThread().getName()
                    + " must not block: use the Mono methods there, or call the channel on Schedulers.boundedElastic()");
        }
    }

    /**
     * For whoever waits for a request.
     *
     * @throws IllegalStateException on a loop, which would wait for itself
     */
    void assertMayWait() {
        for (DeviceQueue queue : queues) {
            if (queue.loop().inLoop()) {
                throw new IllegalStateException("the loop " + queue.loop().name() + " would wait for itself: use the Mono methods there");
            }
        }
    }
}
