package dev.sluice.metrics;

import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.LoopCounters;
import io.micrometer.core.instrument.Tags;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.List;
import java.util.function.ToLongFunction;

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
            count(registration, SluiceMeter.LOOP_TICKS, tags, loop, LoopCounters::ticks);
            count(registration, SluiceMeter.LOOP_ENTERS, tags, loop, LoopCounters::enters);
            count(registration, SluiceMeter.LOOP_SUBMISSIONS, tags, loop, LoopCounters::submissions);
            count(registration, SluiceMeter.LOOP_COMPLETIONS, tags, loop, LoopCounters::completions);
            count(registration, SluiceMeter.LOOP_TASKS, tags, loop, LoopCounters::tasks);
            registration.counter(SluiceMeter.LOOP_BUSY_TIME, tags, loop, of -> of.counters().busyNanos() / NANOS);
            // Negative if the thread has terminated or the platform does not support the measurement.
            registration.counter(SluiceMeter.LOOP_CPU_TIME, tags, loop, of -> Math.max(0, threads.getThreadCpuTime(of.counters().threadId())) / NANOS);
            if (threads instanceof com.sun.management.ThreadMXBean allocations) {
                registration.counter(SluiceMeter.LOOP_ALLOCATED, tags, loop, of -> Math.max(0, allocations.getThreadAllocatedBytes(of.counters().threadId())));
            }
        }
    }

    private static void count(Registration registration, SluiceMeter meter, Tags tags, IoLoop loop, ToLongFunction<LoopCounters> value) {
        registration.counter(meter, tags, loop, of -> value.applyAsLong(of.counters()));
    }
}
