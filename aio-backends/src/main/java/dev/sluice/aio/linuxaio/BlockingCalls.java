package dev.sluice.aio.linuxaio;

import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * Threads for what Linux AIO has no opcode for and what would block in io_submit.
 *
 * <p>At most {@value #THREADS} an image, made when first needed and gone after {@value #IDLE_SECONDS} s without work. The queue is bounded by the
 * slots of the sinks, each of which has at most one call out.
 *
 * <p><b>Threading:</b> any. <b>Ownership:</b> the backend's. <b>Allocation:</b> a task a call.
 */
final class BlockingCalls {
    private static final int THREADS = 4;
    private static final int IDLE_SECONDS = 10;

    private final ThreadPoolExecutor threads;

    BlockingCalls(String name) {
        threads = new ThreadPoolExecutor(
                THREADS, THREADS, IDLE_SECONDS, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), Thread.ofPlatform().daemon().name(name, 0).factory());
        threads.allowCoreThreadTimeOut(true);
    }

    void run(Runnable call) {
        threads.execute(call);
    }

    /** What was given to it is still done. */
    void close() {
        threads.shutdown();
    }
}
