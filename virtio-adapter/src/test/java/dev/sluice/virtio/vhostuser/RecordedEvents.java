package dev.sluice.virtio.vhostuser;

import dev.sluice.pipeline.PipelineObserver;
import java.util.concurrent.atomic.AtomicLong;

/** Counts what an observer is told. Any thread reads. */
public final class RecordedEvents implements PipelineObserver {
    final AtomicLong kicks = new AtomicLong();
    final AtomicLong publications = new AtomicLong();
    final AtomicLong elements = new AtomicLong();
    final AtomicLong calls = new AtomicLong();
    final AtomicLong malformed = new AtomicLong();
    final AtomicLong broken = new AtomicLong();
    final AtomicLong started = new AtomicLong();
    final AtomicLong stopped = new AtomicLong();

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
