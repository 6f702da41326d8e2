package dev.sluice.virtio.blk;

import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.PipelineObserver;
import dev.sluice.pipeline.RateLimitedLog;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An observer that cannot harm what it observes: whatever it throws is logged, as often as a {@link RateLimitedLog} admits.
 *
 * <p><b>Threading:</b> one loop, or the control thread; each queue has its own. <b>Failure:</b> throws nothing. <b>Allocation:</b> none
 * where the observer does not throw.
 */
public final class GuardedObserver {
    private static final Logger LOG = LoggerFactory.getLogger(GuardedObserver.class);

    private final PipelineObserver observer;
    private final int queue;
    private final RateLimitedLog limit = new RateLimitedLog(LOG);

    public GuardedObserver(PipelineObserver observer, int queue) {
        this.observer = observer;
        this.queue = queue;
    }

    /** See {@link PipelineObserver#kicked}. */
    public void kicked() {
        try {
            observer.kicked(queue);
        } catch (Throwable failed) {
            log(failed);
        }
    }

    /** See {@link PipelineObserver#requestCompleted}; of a request that no stage and no sink has seen. */
    public void completedAtOnce(BlockOp op, int errno) {
        try {
            observer.requestCompleted(queue, op, 0, errno, 0, 0, PipelineObserver.BYPASSED);
        } catch (Throwable failed) {
            log(failed);
        }
    }

    /** See {@link PipelineObserver#published}. */
    public void published(int elements, boolean called) {
        try {
            observer.published(queue, elements, called);
        } catch (Throwable failed) {
            log(failed);
        }
    }

    /** See {@link PipelineObserver#queueEvent}. */
    public void queueEvent(PipelineObserver.QueueEvent event) {
        try {
            observer.queueEvent(queue, event);
        } catch (Throwable failed) {
            log(failed);
        }
    }

    private void log(Throwable failed) {
        if (limit.admits()) {
            LOG.error("queue {}: the observer of the pipeline failed", queue, failed);
        }
    }
}
