package dev.sluice.metrics;

import dev.sluice.metrics.MetricsSnapshot.OpTotals;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockStatus;
import dev.sluice.pipeline.FrontEndObserver;
import dev.sluice.pipeline.PipelineObserver;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.composite.CompositeMeterRegistry;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.time.Duration;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToLongFunction;

/**
 * The metrics of one device: counts the events of its pipeline and its front ends and publishes the counts to Micrometer on each scrape. {@link
 * SluiceMeter} lists the meters.
 *
 * <p>Every counter is per queue and, if it counts requests, per operation. The first 64 queues have series of their own, the others of
 * a device share one set, so that no device has more than some 3,300 series; errors by errno and histograms are per device and operation.
 *
 * <p>For Java Flight Recorder there are {@code dev.sluice.SlowRequest}, for requests slower than a threshold, and {@code dev.sluice.DeviceState}.
 *
 * <p><b>Threading:</b> the observer's methods as in {@link PipelineObserver}, one writer a queue, and {@link FrontEndObserver}; all others from
 * any thread. <b>Ownership:</b> Micrometer refers to the counters weakly: whoever binds this must keep it reachable; the pipeline that it observes does.
 * <b>Failure:</b> events of a queue beyond the device's are not counted. <b>Allocation:</b> none in the observer's methods, except for the event of
 * a slow request.
 */
public final class SluiceMetrics extends SluiceBinder implements PipelineObserver, FrontEndObserver {
    /** Queues with series of their own. */
    static final int MAX_QUEUE_SERIES = 64;

    private static final long NEVER_SLOW = Long.MAX_VALUE;
    private static final double NANOS = 1e9;

    private final String device;
    private final long slowNanos;
    private final QueueCounters[] queues;
    private final QueueSeries all;
    private final List<QueueSeries> series;
    private final ConnectionCounters connections = new ConnectionCounters();

    /** Queues that share one set of series. */
    private record QueueSeries(String label, List<QueueCounters> queues) {
        long sum(ToLongFunction<QueueCounters> value) {
            long sum = 0;
            for (QueueCounters counters : queues) {
                sum += value.applyAsLong(counters);
            }
            return sum;
        }
    }

    /**
     * Creates the metrics of a device, without events for slow requests.
     *
     * @param device its name, the value of the tag {@code device}
     * @param queueCount how many queues it has
     */
    public SluiceMetrics(String device, int queueCount) {
        this(device, queueCount, NEVER_SLOW);
    }

    /**
     * Creates the metrics of a device, with an event for Java Flight Recorder for each request that takes longer than {@code slow}.
     *
     * @throws IllegalArgumentException if the device has no queues or the duration is not positive
     */
    public SluiceMetrics(String device, int queueCount, Duration slowerThan) {
        this(device, queueCount, slowerThan.toNanos());
    }

    private SluiceMetrics(String device, int queueCount, long slowNanos) {
        if (queueCount < 1) {
            throw new IllegalArgumentException("a device has " + queueCount + " queues; the minimum is 1");
        }
        if (slowNanos <= 0) {
            throw new IllegalArgumentException("the threshold for slow requests is " + slowNanos + " ns; the minimum is 1 ns");
        }
        this.device = device;
        this.slowNanos = slowNanos;
        this.queues = new QueueCounters[queueCount];
        Arrays.setAll(queues, index -> new QueueCounters());
        this.all = new QueueSeries("all", List.of(queues));
        this.series = series(queues);
    }

    private static List<QueueSeries> series(QueueCounters[] queues) {
        int alone = Math.min(queues.length, MAX_QUEUE_SERIES);
        QueueSeries[] made = new QueueSeries[alone + (queues.length > alone ? 1 : 0)];
        for (int i = 0; i < alone; i++) {
            made[i] = new QueueSeries(Integer.toString(i), List.of(queues[i]));
        }
        if (queues.length > alone) {
            made[alone] = new QueueSeries("other", List.of(Arrays.copyOfRange(queues, alone, queues.length)));
        }
        return List.of(made);
    }

    public String device() {
        return device;
    }

    // ---- written by the loops

    @Override
    public void requestCompleted(int queue, BlockOp op, long bytes, int errno, long waitNanos, long deviceNanos, int flags) {
        requestsCompleted(queue, op, 1, bytes, errno, waitNanos, deviceNanos, flags);
    }

    @Override
    public void requestsCompleted(int queue, BlockOp op, int requests, long bytes, int errno, long waitNanos, long deviceNanos, int flags) {
        if (!known(queue)) {
            return;
        }
        boolean bypassed = (flags & BYPASSED) != 0;
        long waited = Math.max(0, waitNanos);
        long served = Math.max(0, deviceNanos);
        queues[queue].requestsCompleted(op, requests, bytes, errno, waited, served, bypassed);
        if (waited + served > slowNanos) {
            for (int i = 0; i < requests; i++) {
                new SlowRequestEvent(device, queue, op.name(), bytes, errno, waited, served, bypassed).commit();
            }
        }
    }

    @Override
    public void taken(int queue, int requests, int inFlight) {
        if (known(queue)) {
            QueueCounters counters = queues[queue];
            counters.addToQueue(QueueCounters.QUEUE_TURNS, 1);
            counters.addToQueue(QueueCounters.QUEUE_TAKEN, requests);
            counters.addToQueue(QueueCounters.QUEUE_DEPTH, inFlight);
        }
    }

    @Override
    public void kicked(int queue) {
        count(queue, QueueCounters.QUEUE_KICKS, 1);
    }

    @Override
    public void published(int queue, int elements, boolean called) {
        if (known(queue)) {
            QueueCounters counters = queues[queue];
            counters.addToQueue(QueueCounters.QUEUE_ELEMENTS, elements);
            counters.addToQueue(called ? QueueCounters.QUEUE_CALLS : QueueCounters.QUEUE_CALLS_SUPPRESSED, 1);
        }
    }

    @Override
    public void queueEvent(int queue, QueueEvent event) {
        if (!known(queue)) {
            return;
        }
        switch (event) {
            case STARTED -> queues[queue].running(true);
            case STOPPED -> queues[queue].running(false);
            case MALFORMED_CHAIN -> {
                // A guest can cause any number of them: no event for each.
                count(queue, QueueCounters.QUEUE_MALFORMED, 1);
                return;
            }
            case BROKEN -> {
                queues[queue].running(false);
                count(queue, QueueCounters.QUEUE_BROKEN, 1);
            }
        }
        new DeviceStateEvent(device, queue, event.name(), 0).commit();
    }

    @Override
    public void connectionEvent(ConnectionEvent event, int peerPid) {
        connections.count(event);
        new DeviceStateEvent(device, DeviceStateEvent.NO_QUEUE, event.name(), peerPid).commit();
    }

    private void count(int queue, int field, long amount) {
        if (known(queue)) {
            queues[queue].addToQueue(field, amount);
        }
    }

    private boolean known(int queue) {
        boolean known = queue >= 0 && queue < queues.length;
        assert known : "device " + device + " has no queue " + queue;
        return known;
    }

    // ---- read by any thread

    /** The current totals. Allocates. */
    public MetricsSnapshot snapshot() {
        Map<BlockOp, OpTotals> ops = new EnumMap<>(BlockOp.class);
        for (BlockOp op : BlockOp.values()) {
            long bypassed = all.sum(counters -> counters.ofOp(op, QueueCounters.OP_BYPASSED));
            ops.put(op, new OpTotals(
                    bypassed + all.sum(counters -> counters.ofOp(op, QueueCounters.OP_STAGED)),
                    bypassed,
                    all.sum(counters -> counters.ofOp(op, QueueCounters.OP_BYTES)),
                    failed(op, BlockStatus.IOERR),
                    failed(op, BlockStatus.UNSUPP),
                    all.sum(counters -> counters.ofOp(op, QueueCounters.OP_WAIT_NANOS)),
                    all.sum(counters -> counters.ofOp(op, QueueCounters.OP_DEVICE_NANOS))));
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

    /** Requests taken from their rings and not yet completed, summed over all queues. */
    public long inFlight() {
        return all.sum(QueueCounters::inFlight);
    }

    private long failed(BlockOp op, BlockStatus status) {
        long failed = 0;
        for (int i = 0; i < CountedErrnos.COUNT; i++) {
            if (CountedErrnos.status(i) == status) {
                failed += failed(op, i);
            }
        }
        return failed;
    }

    private long failed(BlockOp op, int errnoIndex) {
        return all.sum(counters -> counters.failed(op, errnoIndex));
    }

    /** Requests by latency, one count per bucket. */
    long[] buckets(BlockOp op) {
        long[] counts = new long[LatencyBuckets.COUNT];
        Arrays.setAll(counts, bucket -> all.sum(counters -> counters.inBucket(op, bucket)));
        return counts;
    }

    double seconds(BlockOp op) {
        return all.sum(counters -> nanos(counters, op)) / NANOS;
    }

    private static long nanos(QueueCounters counters, BlockOp op) {
        return counters.ofOp(op, QueueCounters.OP_WAIT_NANOS) + counters.ofOp(op, QueueCounters.OP_DEVICE_NANOS);
    }

    private long sumOfQueues(int field) {
        return all.sum(counters -> counters.ofQueue(field));
    }

    // ---- read by Micrometer

    @Override
    void register(Registration registration) {
        Tags ofDevice = Tags.of(SluiceKey.DEVICE.asString(), device);
        for (QueueSeries queue : series) {
            Tags ofQueue = ofDevice.and(SluiceKey.QUEUE.asString(), queue.label());
            for (BlockOp op : BlockOp.values()) {
                registerOp(registration, queue, op, ofQueue.and(SluiceKey.OP.asString(), tagValue(op)));
            }
            registerQueue(registration, queue, ofQueue);
        }
        for (BlockOp op : BlockOp.values()) {
            registerErrors(registration, op, ofDevice.and(SluiceKey.OP.asString(), tagValue(op)));
        }
        registerHistograms(registration, ofDevice, connections.register(registration, ofDevice));
    }

    private static void registerOp(Registration registration, QueueSeries queue, BlockOp op, Tags tags) {
        String path = SluiceKey.PATH.asString();
        registration.counter(SluiceMeter.REQUESTS, tags.and(path, "bypassed"), queue, of -> of.sum(q -> q.ofOp(op, QueueCounters.OP_BYPASSED)));
        registration.counter(SluiceMeter.REQUESTS, tags.and(path, "staged"), queue, of -> of.sum(q -> q.ofOp(op, QueueCounters.OP_STAGED)));
        registration.counter(SluiceMeter.REQUEST_BYTES, tags, queue, of -> of.sum(q -> q.ofOp(op, QueueCounters.OP_BYTES)));
        registration.counter(SluiceMeter.REQUEST_TIME, tags, queue, of -> of.sum(q -> nanos(q, op)) / NANOS);
        registration.counter(SluiceMeter.REQUEST_WAIT_TIME, tags, queue, of -> of.sum(q -> q.ofOp(op, QueueCounters.OP_WAIT_NANOS)) / NANOS);
        registration.counter(SluiceMeter.REQUEST_DEVICE_TIME, tags, queue, of -> of.sum(q -> q.ofOp(op, QueueCounters.OP_DEVICE_NANOS)) / NANOS);
    }

    private static void registerQueue(Registration registration, QueueSeries queue, Tags tags) {
        counter(registration, SluiceMeter.QUEUE_TURNS, queue, tags, QueueCounters.QUEUE_TURNS);
        counter(registration, SluiceMeter.QUEUE_TURN_REQUESTS, queue, tags, QueueCounters.QUEUE_TAKEN);
        counter(registration, SluiceMeter.QUEUE_TURN_DEPTH, queue, tags, QueueCounters.QUEUE_DEPTH);
        counter(registration, SluiceMeter.QUEUE_KICKS, queue, tags, QueueCounters.QUEUE_KICKS);
        counter(registration, SluiceMeter.QUEUE_CALLS, queue, tags, QueueCounters.QUEUE_CALLS);
        counter(registration, SluiceMeter.QUEUE_CALLS_SUPPRESSED, queue, tags, QueueCounters.QUEUE_CALLS_SUPPRESSED);
        counter(registration, SluiceMeter.QUEUE_ELEMENTS, queue, tags, QueueCounters.QUEUE_ELEMENTS);
        counter(registration, SluiceMeter.QUEUE_MALFORMED, queue, tags, QueueCounters.QUEUE_MALFORMED);
        counter(registration, SluiceMeter.QUEUE_BROKEN, queue, tags, QueueCounters.QUEUE_BROKEN);
        registration.gauge(SluiceMeter.QUEUE_IN_FLIGHT, tags, queue, of -> of.sum(QueueCounters::inFlight));
        registration.gauge(SluiceMeter.QUEUE_RUNNING, tags, queue, of -> of.sum(q -> q.ofQueue(QueueCounters.QUEUE_RUNNING)));
    }

    private static void counter(Registration registration, SluiceMeter meter, QueueSeries queue, Tags tags, int field) {
        registration.counter(meter, tags, queue, of -> of.sum(q -> q.ofQueue(field)));
    }

    private void addHistograms(Registration registration, PrometheusMeterRegistry registry, Tags shown) {
        RequestHistograms histograms = RequestHistograms.of(registry);
        histograms.add(this, shown);
        registration.whenClosed(() -> histograms.remove(this));
    }

    /** Of the registries present now; a Prometheus registry added later gets the counters that all others have. */
    private void addHistogramsWithin(Registration registration, CompositeMeterRegistry composite, Tags shown) {
        for (MeterRegistry part : composite.getRegistries()) {
            if (part instanceof PrometheusMeterRegistry prometheus) {
                Gauge known = part.find(SluiceMeter.DEVICE_CONNECTED.getName()).tags(shown).gauge();
                addHistograms(registration, prometheus, known == null ? shown : Tags.of(known.getId().getTags()));
            } else if (part instanceof CompositeMeterRegistry inner) {
                addHistogramsWithin(registration, inner, shown);
            }
        }
    }

    private void registerErrors(Registration registration, BlockOp op, Tags tags) {
        for (int i = 0; i < CountedErrnos.COUNT; i++) {
            int errno = i;
            String status = CountedErrnos.status(errno).name().toLowerCase(Locale.ROOT);
            Tags ofErrno = tags.and(SluiceKey.STATUS.asString(), status, SluiceKey.ERRNO.asString(), CountedErrnos.name(errno));
            registration.counter(SluiceMeter.REQUEST_ERRORS, ofErrno, this, of -> of.failed(op, errno));
        }
    }

    private void registerHistograms(Registration registration, Tags tags, Tags shown) {
        if (registration.registry() instanceof PrometheusMeterRegistry prometheus) {
            addHistograms(registration, prometheus, shown);
            return;
        }
        if (registration.registry() instanceof CompositeMeterRegistry composite) {
            addHistogramsWithin(registration, composite, shown);
        }
        for (BlockOp op : BlockOp.values()) {
            for (int i = 0; i < LatencyBuckets.COUNT; i++) {
                int bucket = i;
                double bound = LatencyBuckets.upperBoundSeconds(bucket);
                String le = Double.isInfinite(bound) ? "+Inf" : Double.toString(bound);
                Tags upTo = tags.and(SluiceKey.OP.asString(), tagValue(op), SluiceKey.LE.asString(), le);
                registration.counter(SluiceMeter.REQUEST_DURATION_BUCKET, upTo, this, of -> of.upTo(op, bucket));
            }
        }
    }

    private long upTo(BlockOp op, int bucket) {
        return Arrays.stream(buckets(op), 0, bucket + 1).sum();
    }

    static String tagValue(BlockOp op) {
        return op.name().toLowerCase(Locale.ROOT);
    }
}
