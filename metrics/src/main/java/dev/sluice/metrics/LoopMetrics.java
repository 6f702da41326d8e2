package dev.sluice.metrics;

import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.LoopCounters;
import io.micrometer.core.instrument.Tags;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.List;

/**
 * What the loops of a process do, which all its disks share.
 *
 * <p><b>Threading:</b> any thread. <b>Ownership:</b> the loops stay their owner's. <b>Allocation:</b> none on the loops.
 */
public final class LoopMetrics extends SluiceBinder {
    private static final double NANOS = 1e9;

    private final List<IoLoop> loops;
    private final ThreadMXBean threads = ManagementFactory.getThreadMXBean();

    public LoopMetrics(List<IoLoop> loops) {
        this.loops = List.copyOf(loops);
    }

    @Override
    void register(Registration registration) {
        for (IoLoop loop : loops) {
            Tags tags = Tags.of(SluiceKey.LOOP.asString(), loop.name());
            registration.counter(SluiceMeter.LOOP_TICKS, tags, loop, IoLoop::counters, LoopCounters::ticks);
            registration.counter(SluiceMeter.LOOP_ENTERS, tags, loop, IoLoop::counters, LoopCounters::enters);
            registration.counter(SluiceMeter.LOOP_SUBMISSIONS, tags, loop, IoLoop::counters, LoopCounters::submissions);
            registration.counter(SluiceMeter.LOOP_COMPLETIONS, tags, loop, IoLoop::counters, LoopCounters::completions);
            registration.counter(SluiceMeter.LOOP_TASKS, tags, loop, IoLoop::counters, LoopCounters::tasks);
            registration.counter(SluiceMeter.LOOP_BUSY_TIME, tags, loop, of -> of.counters().busyNanos() / NANOS);
            // Negative if the thread has terminated or the platform does not support the measurement.
            registration.counter(SluiceMeter.LOOP_CPU_TIME, tags, loop, of -> Math.max(0, threads.getThreadCpuTime(of.counters().threadId())) / NANOS);
            if (threads instanceof com.sun.management.ThreadMXBean allocations) {
                registration.counter(SluiceMeter.LOOP_ALLOCATED, tags, loop, of -> Math.max(0, allocations.getThreadAllocatedBytes(of.counters().threadId())));
            }
        }
    }
}
