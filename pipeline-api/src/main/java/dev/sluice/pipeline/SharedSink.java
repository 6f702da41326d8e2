package dev.sluice.pipeline;

import dev.sluice.linux.Errno;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A loop's sink as its queues share it: asks for one flush a tick and keeps what a full sink could not take, from where queues get their turns.
 *
 * <p>Once it is closed, requests that still come, and those that wait, fail with ESHUTDOWN. One that the sink throws at, which it must not, fails with EIO.
 *
 * <p>Loop thread only. No allocation once the waiting line has grown to the most that its queues can have out.
 */
final class SharedSink {
    private static final Logger LOG = LoggerFactory.getLogger(SharedSink.class);

    private final RateLimitedLog failures = new RateLimitedLog(LOG);
    private final IoLoop loop;
    private final BlockSink sink;
    private final PendingQueue waiting = new PendingQueue();
    private final IoLoop.TickEndHook endOfTick = this::endTick;
    private boolean hooked;
    private boolean closed;

    SharedSink(IoLoop loop, BlockSink sink) {
        this.loop = loop;
        this.sink = sink;
    }

    int capacity() {
        return sink.capacity();
    }

    /** Any thread. */
    SinkCounters counters() {
        return sink.counters();
    }

    boolean registerBuffers(long address, long bytes) {
        return !closed && sink.registerBuffers(address, bytes);
    }

    void unregisterBuffers(long address) {
        if (!closed) {
            sink.unregisterBuffers(address);
        }
    }

    void submit(BlockRequest request) {
        if (closed) {
            refuse(request);
        } else if (!waiting.isEmpty() || !taken(request)) {
            waiting.add(request);
        } else {
            hook();
        }
    }

    private boolean taken(BlockRequest request) {
        int incarnation = request.incarnation();
        BlockRequest.State before = request.state();
        try {
            return sink.submit(request);
        } catch (Throwable broken) {
            if (failures.admits()) {
                LOG.error("the sink failed on {}; the request fails", request, broken);
            }
            if (request.incarnation() == incarnation && request.state() == before) {
                request.submitted();
            }
            // Later, as in refuse(), and not where the sink has completed it before it threw.
            loop.execute(() -> {
                if (request.incarnation() == incarnation && request.state() == BlockRequest.State.SUBMITTED) {
                    request.complete(-Errno.EIO);
                }
            });
            return true;
        }
    }

    /** A request of this sink has completed: there is room. */
    void completed() {
        if (!waiting.isEmpty()) {
            hook();
        }
    }

    private void hook() {
        if (!hooked) {
            hooked = true;
            loop.atTickEnd(endOfTick);
        }
    }

    private void endTick() {
        hooked = false;
        BlockRequest next = waiting.peek();
        while (next != null && taken(next)) {
            waiting.remove();
            next = waiting.peek();
        }
        sink.flush();
    }

    /** Never inside the call that brought the request: a stage that tries again and again must not keep the loop. */
    private void refuse(BlockRequest request) {
        request.submitted();
        int incarnation = request.incarnation();
        loop.execute(() -> {
            if (request.incarnation() == incarnation && request.state() == BlockRequest.State.SUBMITTED) {
                request.complete(-Errno.ESHUTDOWN);
            }
        });
    }

    void close() {
        if (!closed) {
            closed = true;
            waiting.clear(this::refuse);
            sink.flush();
            sink.close();
        }
    }
}
