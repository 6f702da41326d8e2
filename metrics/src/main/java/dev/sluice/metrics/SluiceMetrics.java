package dev.sluice.metrics;

import dev.sluice.metrics.MetricsSnapshot.OpTotals;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockStatus;
import dev.sluice.pipeline.PipelineObserver;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.FunctionTimer;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.binder.MeterBinder;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.ToDoubleFunction;
import java.util.function.ToLongFunction;

/**
 * The metrics of one device: counts what its pipeline tells, and shows it to Micrometer when it is scraped.
 *
 * <pre>
 * meter                         tags (beside device)      what
 * sluice.requests               queue, op, path           requests answered; path is bypassed or staged
 * sluice.request.bytes          queue, op                 bytes of the requests answered with OK
 * sluice.request.errors         queue, op, status         requests answered with ioerr or unsupp
 * sluice.request.wait           queue, op                 timer: from being seen to being submitted
 * sluice.request.device         queue, op                 timer: from being submitted to being completed
 * sluice.request.latency.bucket op, le                    requests that took up to le seconds, wait and device together
 * sluice.queue.kicks            queue
 * sluice.queue.calls            queue
 * sluice.queue.calls.suppressed queue
 * sluice.queue.elements         queue                     used elements published
 * sluice.queue.malformed        queue                     malformed chains
 * sluice.queue.broken           queue                     times that the ring was broken
 * sluice.queue.running          queue                     gauge: 1 between start and end
 * </pre>
 *
 * <p>The buckets are cumulative, so that {@code histogram_quantile(0.99, sum by (le) (rate(sluice_request_latency_bucket_total[1m])))} works.
 *
 * <p><b>Threading:</b> the observer's methods as in {@link PipelineObserver}, one writer a queue; all others from any thread.
 * <b>Ownership:</b> Micrometer refers to the counters weakly: whoever binds this keeps it, which the pipeline does that it observes.
 * <b>Failure:</b> what is told of a queue beyond the device's is not counted. <b>Allocation:</b> none in the observer's methods.
 */
public final class SluiceMetrics implements PipelineObserver, MeterBinder {
    private static final String INFINITY = "+Inf";

    private final String device;
    private final QueueCounters[] queues;

    /**
     * Metrics of a device.
     *
     * @param device its name, the value of the tag {@code device}
     * @param queueCount how many queues it has
     */
    public SluiceMetrics(String device, int queueCount) {
        if (queueCount < 1) {
            throw new IllegalArgumentException("a device with " + queueCount + " queues has nothing to count; the least is 1");
        }
        this.device = device;
        this.queues = new QueueCounters[queueCount];
        for (int i = 0; i < queueCount; i++) {
            queues[i] = new QueueCounters(i);
        }
    }

    public String device() {
        return device;
    }

    // ---- the loops write

    @Override
    public void requestCompleted(int queue, BlockOp op, long bytes, int errno, long waitNanos, long deviceNanos, int flags) {
        if (known(queue)) {
            queues[queue].requestCompleted(op, bytes, BlockStatus.ofResult(-errno), waitNanos, deviceNanos, (flags & BYPASSED) != 0);
        }
    }

    @Override
    public void kicked(int queue) {
        count(queue, QueueCounters.QUEUE_KICKS, 1);
    }

    @Override
    public void published(int queue, int elements, boolean called) {
        count(queue, QueueCounters.QUEUE_ELEMENTS, elements);
        count(queue, called ? QueueCounters.QUEUE_CALLS : QueueCounters.QUEUE_CALLS_SUPPRESSED, 1);
    }

    @Override
    public void queueEvent(int queue, QueueEvent event) {
        if (!known(queue)) {
            return;
        }
        switch (event) {
            case STARTED -> queues[queue].running(true);
            case STOPPED -> queues[queue].running(false);
            case MALFORMED_CHAIN -> count(queue, QueueCounters.QUEUE_MALFORMED, 1);
            case BROKEN -> {
                queues[queue].running(false);
                count(queue, QueueCounters.QUEUE_BROKEN, 1);
            }
        }
    }

    private void count(int queue, int field, long amount) {
        if (known(queue)) {
            queues[queue].addToQueue(field, amount);
        }
    }

    private boolean known(int queue) {
        assert queue >= 0 && queue < queues.length : "device " + device + " has no queue " + queue;
        return queue >= 0 && queue < queues.length;
    }

    // ---- anybody reads

    /** The totals as they are now. Allocates. */
    public MetricsSnapshot snapshot() {
        Map<BlockOp, OpTotals> ops = new EnumMap<>(BlockOp.class);
        for (BlockOp op : BlockOp.values()) {
            long bypassed = sum(counters -> counters.ofOp(op, QueueCounters.OP_BYPASSED));
            ops.put(op, new OpTotals(
                    bypassed + sum(counters -> counters.ofOp(op, QueueCounters.OP_STAGED)),
                    bypassed,
                    sum(counters -> counters.ofOp(op, QueueCounters.OP_BYTES)),
                    sum(counters -> counters.ofOp(op, QueueCounters.OP_IOERR)),
                    sum(counters -> counters.ofOp(op, QueueCounters.OP_UNSUPP)),
                    sum(counters -> counters.ofOp(op, QueueCounters.OP_WAIT_NANOS)),
                    sum(counters -> counters.ofOp(op, QueueCounters.OP_DEVICE_NANOS))));
        }
        return new MetricsSnapshot(
                device,
                sumOfQueues(QueueCounters.QUEUE_KICKS),
                sumOfQueues(QueueCounters.QUEUE_CALLS),
                sumOfQueues(QueueCounters.QUEUE_CALLS_SUPPRESSED),
                sumOfQueues(QueueCounters.QUEUE_ELEMENTS),
                sumOfQueues(QueueCounters.QUEUE_MALFORMED),
                sumOfQueues(QueueCounters.QUEUE_BROKEN),
                ops);
    }

    private long sumOfQueues(int field) {
        return sum(counters -> counters.ofQueue(field));
    }

    private long sum(ToLongFunction<QueueCounters> value) {
        long sum = 0;
        for (QueueCounters counters : queues) {
            sum += value.applyAsLong(counters);
        }
        return sum;
    }

    // ---- Micrometer reads

    @Override
    public void bindTo(MeterRegistry registry) {
        for (QueueCounters counters : queues) {
            Tags queue = Tags.of("device", device, "queue", Integer.toString(counters.queue()));
            for (BlockOp op : BlockOp.values()) {
                bindOp(registry, counters, op, queue.and("op", tagValue(op)));
            }
            bindQueue(registry, counters, queue);
        }
        for (BlockOp op : BlockOp.values()) {
            for (int bucket = 0; bucket < LatencyBuckets.COUNT; bucket++) {
                bindBucket(registry, op, bucket);
            }
        }
    }

    private static void bindOp(MeterRegistry registry, QueueCounters counters, BlockOp op, Tags tags) {
        String requests = "Requests answered, whatever their status";
        counter(registry, counters, "sluice.requests", requests, "requests", tags.and("path", "bypassed"), of -> of.ofOp(op, QueueCounters.OP_BYPASSED));
        counter(registry, counters, "sluice.requests", requests, "requests", tags.and("path", "staged"), of -> of.ofOp(op, QueueCounters.OP_STAGED));
        counter(registry, counters, "sluice.request.bytes", "Bytes of requests answered with OK", "bytes", tags, of -> of.ofOp(op, QueueCounters.OP_BYTES));
        String errors = "Requests answered with an error";
        counter(registry, counters, "sluice.request.errors", errors, "requests", tags.and("status", "ioerr"), of -> of.ofOp(op, QueueCounters.OP_IOERR));
        counter(registry, counters, "sluice.request.errors", errors, "requests", tags.and("status", "unsupp"), of -> of.ofOp(op, QueueCounters.OP_UNSUPP));
        timer(registry, counters, "sluice.request.wait", "From being seen to being submitted", tags, op, QueueCounters.OP_WAIT_NANOS);
        timer(registry, counters, "sluice.request.device", "From being submitted to being completed", tags, op, QueueCounters.OP_DEVICE_NANOS);
    }

    private static void bindQueue(MeterRegistry registry, QueueCounters counters, Tags tags) {
        counter(registry, counters, "sluice.queue.kicks", "Kicks seen", "kicks", tags, of -> of.ofQueue(QueueCounters.QUEUE_KICKS));
        counter(registry, counters, "sluice.queue.calls", "Calls of the other side", "calls", tags, of -> of.ofQueue(QueueCounters.QUEUE_CALLS));
        counter(registry, counters, "sluice.queue.calls.suppressed", "Calls that the other side did not want", "calls", tags, of -> of.ofQueue(QueueCounters.QUEUE_CALLS_SUPPRESSED));
        counter(registry, counters, "sluice.queue.elements", "Used elements published", "elements", tags, of -> of.ofQueue(QueueCounters.QUEUE_ELEMENTS));
        counter(registry, counters, "sluice.queue.malformed", "Malformed chains", "chains", tags, of -> of.ofQueue(QueueCounters.QUEUE_MALFORMED));
        counter(registry, counters, "sluice.queue.broken", "Times that the ring was broken", "times", tags, of -> of.ofQueue(QueueCounters.QUEUE_BROKEN));
        Gauge.builder("sluice.queue.running", counters, of -> of.ofQueue(QueueCounters.QUEUE_RUNNING))
                .description("1 while the queue is served")
                .tags(tags)
                .register(registry);
    }

    private void bindBucket(MeterRegistry registry, BlockOp op, int bucket) {
        boolean last = bucket == LatencyBuckets.COUNT - 1;
        String bound = last ? INFINITY : Double.toString(LatencyBuckets.upperBoundNanos(bucket) / 1e9);
        FunctionCounter.builder("sluice.request.latency.bucket", this, of -> of.sum(counters -> counters.upTo(op, bucket)))
                .description("Requests that took no longer than le seconds")
                .baseUnit("requests")
                .tags(Tags.of("device", device, "op", tagValue(op), "le", bound))
                .register(registry);
    }

    private static void counter(
            MeterRegistry registry, QueueCounters counters, String name, String description, String unit, Tags tags, ToDoubleFunction<QueueCounters> value) {
        FunctionCounter.builder(name, counters, value).description(description).baseUnit(unit).tags(tags).register(registry);
    }

    private static void timer(MeterRegistry registry, QueueCounters counters, String name, String description, Tags tags, BlockOp op, int field) {
        FunctionTimer.builder(name, counters, of -> of.requests(op), of -> of.ofOp(op, field), TimeUnit.NANOSECONDS)
                .description(description)
                .tags(tags)
                .register(registry);
    }

    private static String tagValue(BlockOp op) {
        return op.name().toLowerCase(Locale.ROOT);
    }
}
