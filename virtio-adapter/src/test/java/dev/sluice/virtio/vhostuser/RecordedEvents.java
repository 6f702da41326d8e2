package dev.sluice.virtio.vhostuser;

import dev.sluice.pipeline.PipelineObserver;
import java.util.concurrent.atomic.AtomicLong;

/** Counts what an observer is told. Any thread reads. */
public final class RecordedEvents implements PipelineObserver {
    public final AtomicLong kicks = new AtomicLong();
    public final AtomicLong publications = new AtomicLong();
    public final AtomicLong elements = new AtomicLong();
    public final AtomicLong calls = new AtomicLong();
    public final AtomicLong malformed = new AtomicLong();
    public final AtomicLong broken = new AtomicLong();
    public final AtomicLong started = new AtomicLong();
    public final AtomicLong stopped = new AtomicLong();

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
