package dev.sluice.virtio.vhostuser;

import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.FrontEndObserver;
import dev.sluice.pipeline.PipelineObserver;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;

/** Counts what an observer is told. Any thread reads. */
public final class RecordedEvents implements PipelineObserver, FrontEndObserver {
    public final AtomicLong kicks = new AtomicLong();
    public final AtomicLong publications = new AtomicLong();
    public final AtomicLong elements = new AtomicLong();
    public final AtomicLong calls = new AtomicLong();
    public final AtomicLong malformed = new AtomicLong();
    public final AtomicLong broken = new AtomicLong();
    public final AtomicLong started = new AtomicLong();
    public final AtomicLong stopped = new AtomicLong();

    public final AtomicLong taken = new AtomicLong();
    /** Requests by the errno that they ended with, 0 where they did well. */
    public final Map<Integer, Long> completed = new ConcurrentHashMap<>();

    public final List<ConnectionEvent> connections = new CopyOnWriteArrayList<>();

    @Override
    public void requestCompleted(int queue, BlockOp op, long bytes, int errno, long waitNanos, long deviceNanos, int flags) {
        completed.merge(errno, 1L, Long::sum);
    }

    @Override
    public void taken(int queue, int requests, int inFlight) {
        taken.addAndGet(requests);
    }

    @Override
    public void connectionEvent(ConnectionEvent event, int peerPid) {
        if (peerPid == ProcessHandle.current().pid()) {
            connections.add(event);
        }
    }

    @Override
    public void kicked(int queue) {
        kicks.incrementAndGet();
    }

    @Override
    public void published(int queue, int count, boolean called) {
        publications.incrementAndGet();
        elements.addAndGet(count);
        if (called) {
            calls.incrementAndGet();
        }
    }

    @Override
    public void queueEvent(int queue, QueueEvent event) {
        (switch (event) {
            case STARTED -> started;
            case STOPPED -> stopped;
            case MALFORMED_CHAIN -> malformed;
            case BROKEN -> broken;
        }).incrementAndGet();
    }
}
