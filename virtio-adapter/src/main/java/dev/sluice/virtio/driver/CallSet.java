package dev.sluice.virtio.driver;

import dev.sluice.linux.Poll;
import dev.sluice.linux.PollSet;

/**
 * Queues that one thread waits for together.
 *
 * <p><b>Threading</b>: the thread of all its queues. <b>Ownership</b>: the queues stay their owner's and are closed after
 * this. <b>Allocation</b>: at creation only.
 */
public final class CallSet implements AutoCloseable {
    private final DriverQueue[] queues;
    private final PollSet polls;

    /** Waits for these; at least one. */
    public CallSet(DriverQueue... queues) {
        this.queues = queues.clone();
        this.polls = new PollSet(queues.length);
        for (DriverQueue queue : queues) {
            int _ = polls.add(queue.callFd(), Poll.POLLIN);
        }
    }

    /**
     * Waits until one of the queues has something to reap, or for the time; calls are asked for only while this waits. May
     * return early for no reason.
     *
     * @param timeoutMillis a negative one waits without end
     * @return false where the time passed and no queue had a call
     */
    public boolean await(int timeoutMillis) {
        boolean ready = false;
        for (DriverQueue queue : queues) {
            ready |= queue.armCall(1);
        }
        if (!ready) {
            ready = polls.await(timeoutMillis) != 0;
            for (int i = 0; i < queues.length; i++) {
                if (polls.revents(i) != 0) {
                    queues[i].drainCalls();
                }
            }
        }
        for (DriverQueue queue : queues) {
            queue.disarmCall();
        }
        return ready;
    }

    @Override
    public void close() {
        polls.close();
    }
}
