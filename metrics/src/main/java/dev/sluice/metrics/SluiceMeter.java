package dev.sluice.metrics;

import static dev.sluice.metrics.SluiceKey.BACKEND;
import static dev.sluice.metrics.SluiceKey.DEVICE;
import static dev.sluice.metrics.SluiceKey.ERRNO;
import static dev.sluice.metrics.SluiceKey.EVENT;
import static dev.sluice.metrics.SluiceKey.LE;
import static dev.sluice.metrics.SluiceKey.LOOP;
import static dev.sluice.metrics.SluiceKey.OP;
import static dev.sluice.metrics.SluiceKey.PATH;
import static dev.sluice.metrics.SluiceKey.PIPELINE;
import static dev.sluice.metrics.SluiceKey.QUEUE;
import static dev.sluice.metrics.SluiceKey.STATUS;

import io.micrometer.common.docs.KeyName;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.docs.MeterDocumentation;
import org.jspecify.annotations.Nullable;

/**
 * Every meter: its name, unit, tags and meaning. {@code docs/metrics.md} is made from this.
 *
 * <p>Requests are shaped as node_exporter's {@code node_disk_*} are: a count, bytes, and time as a sum of seconds, so that
 * {@code rate(time) / rate(requests)} is the mean latency and {@code rate(time)} the mean number of requests in flight.
 */
public enum SluiceMeter implements MeterDocumentation {
    REQUESTS("sluice.requests.completed", Meter.Type.COUNTER, null, "Requests answered, whatever their status", DEVICE, QUEUE, OP, PATH),
    REQUEST_BYTES("sluice.request.bytes", Meter.Type.COUNTER, Unit.BYTES, "Bytes of the requests that were answered with OK", DEVICE, QUEUE, OP),
    REQUEST_TIME("sluice.request.time", Meter.Type.COUNTER, Unit.SECONDS, "Time of requests from being seen in the ring to their answer, summed up", DEVICE, QUEUE, OP),
    REQUEST_WAIT_TIME(
            "sluice.request.wait.time", Meter.Type.COUNTER, Unit.SECONDS, "The part of the time before requests were submitted to the backend", DEVICE, QUEUE, OP),
    REQUEST_DEVICE_TIME("sluice.request.device.time", Meter.Type.COUNTER, Unit.SECONDS, "The part of the time after that: the backend's", DEVICE, QUEUE, OP),
    REQUEST_ERRORS("sluice.request.errors", Meter.Type.COUNTER, null, "Requests answered with an error", DEVICE, OP, STATUS, ERRNO),
    REQUEST_DURATION(
            "sluice.request.duration", Meter.Type.TIMER, Unit.SECONDS, "Histogram of the time of requests, 1, 2 and 5 of every decade from 10 us to 10 s", DEVICE, OP),
    REQUEST_DURATION_BUCKET(
            "sluice.request.duration.bucket", Meter.Type.COUNTER, null, "The same for registries other than Prometheus: requests that took no longer than le", DEVICE, OP, LE),

    QUEUE_TURNS("sluice.queue.turns", Meter.Type.COUNTER, null, "Turns of the queue that took requests from its ring", DEVICE, QUEUE),
    QUEUE_TURN_REQUESTS("sluice.queue.turn.requests", Meter.Type.COUNTER, null, "Requests that turns took; divided by the turns it is the batch size", DEVICE, QUEUE),
    QUEUE_TURN_DEPTH(
            "sluice.queue.turn.depth", Meter.Type.COUNTER, null, "Requests in flight after each turn, summed up; divided by the turns it is the depth that the queue sees", DEVICE, QUEUE),
    QUEUE_IN_FLIGHT("sluice.queue.inflight", Meter.Type.GAUGE, null, "Requests taken from the ring and not answered", DEVICE, QUEUE),
    QUEUE_RUNNING("sluice.queue.running", Meter.Type.GAUGE, null, "1 while the queue is served", DEVICE, QUEUE),
    QUEUE_KICKS("sluice.queue.kicks", Meter.Type.COUNTER, null, "Kicks seen; several may be seen as one", DEVICE, QUEUE),
    QUEUE_CALLS("sluice.queue.calls", Meter.Type.COUNTER, null, "Calls of the guest", DEVICE, QUEUE),
    QUEUE_CALLS_SUPPRESSED(
            "sluice.queue.calls.suppressed", Meter.Type.COUNTER, null, "Times that answers were published and the guest wanted no call", DEVICE, QUEUE),
    QUEUE_ELEMENTS("sluice.queue.elements", Meter.Type.COUNTER, null, "Used elements published, malformed chains included", DEVICE, QUEUE),
    QUEUE_MALFORMED("sluice.queue.malformed.chains", Meter.Type.COUNTER, null, "Chains that broke a rule of the specification; each failed one request", DEVICE, QUEUE),
    QUEUE_BROKEN("sluice.queue.broken", Meter.Type.COUNTER, null, "Times that the ring was broken and the queue ended", DEVICE, QUEUE),

    CONNECTIONS("sluice.connections", Meter.Type.COUNTER, null, "Front ends that came, and how they went", DEVICE, EVENT),
    DEVICE_CONNECTED("sluice.device.connected", Meter.Type.GAUGE, null, "1 while a front end is connected", DEVICE),
    DEVICE_SIZE("sluice.device.size", Meter.Type.GAUGE, Unit.BYTES, "Size of the disk", DEVICE),
    DEVICE_MISSING(
            "sluice.device.missing", Meter.Type.GAUGE, Unit.BYTES, "Bytes of the disk beyond the end of its image, which shrank while it was served; requests for them fail", DEVICE),
    DEVICE_WRITEBACK_FAILED(
            "sluice.device.writeback.failed", Meter.Type.GAUGE, null, "1 once a sync of the image has failed: every FLUSH and durable write fails until the image is reopened", DEVICE),
    DEVICE_DESCRIPTION("sluice.device.description", Meter.Type.GAUGE, null, "Always 1; the tags say what the disk is made of", DEVICE, BACKEND, PIPELINE),

    SINK_BATCHES("sluice.sink.batches", Meter.Type.COUNTER, null, "Batches of operations handed to the kernel", DEVICE, LOOP),
    SINK_OPERATIONS("sluice.sink.operations", Meter.Type.COUNTER, null, "Operations handed to the kernel; a request may take several", DEVICE, LOOP),
    SINK_RETRIES("sluice.sink.retries", Meter.Type.COUNTER, null, "Operations refused for now (EAGAIN, a full ring) and offered again", DEVICE, LOOP),
    SINK_CONTINUATIONS("sluice.sink.continuations", Meter.Type.COUNTER, null, "Operations for the rest of a short read or write", DEVICE, LOOP),
    SINK_BOUNCES("sluice.sink.bounces", Meter.Type.COUNTER, null, "Requests that went through a buffer of ours, as their memory was not aligned", DEVICE, LOOP),

    LOOP_TICKS("sluice.loop.ticks", Meter.Type.COUNTER, null, "Passes of the loop", LOOP),
    LOOP_ENTERS("sluice.loop.enters", Meter.Type.COUNTER, null, "System calls that submitted, waited or fetched completions", LOOP),
    LOOP_SUBMISSIONS("sluice.loop.submissions", Meter.Type.COUNTER, null, "Operations that the loop handed to the kernel", LOOP),
    LOOP_COMPLETIONS("sluice.loop.completions", Meter.Type.COUNTER, null, "Completions that the loop reaped", LOOP),
    LOOP_TASKS("sluice.loop.tasks", Meter.Type.COUNTER, null, "Tasks run for other threads", LOOP),
    LOOP_BUSY_TIME("sluice.loop.busy.time", Meter.Type.COUNTER, Unit.SECONDS, "Time that the loop did not wait in the kernel", LOOP),
    LOOP_CPU_TIME("sluice.loop.cpu.time", Meter.Type.COUNTER, Unit.SECONDS, "CPU time of the loop's thread", LOOP),
    LOOP_ALLOCATED("sluice.loop.allocated", Meter.Type.COUNTER, Unit.BYTES, "Heap bytes that the loop's thread has allocated", LOOP);

    private static final class Unit {
        static final String BYTES = "bytes";
        static final String SECONDS = "seconds";
    }

    private final String name;
    private final Meter.Type type;
    private final @Nullable String unit;
    private final String description;
    @SuppressWarnings("ImmutableEnumChecker") // of this enum's own, and never given away
    private final SluiceKey[] keys;

    SluiceMeter(String name, Meter.Type type, @Nullable String unit, String description, SluiceKey... keys) {
        this.name = name;
        this.type = type;
        this.unit = unit;
        this.description = description;
        this.keys = keys;
    }

    @Override
    public String getName() {
        return name;
    }

    @Override
    public Meter.Type getType() {
        return type;
    }

    @Override
    public @Nullable String getBaseUnit() {
        return unit;
    }

    @Override
    public KeyName[] getKeyNames() {
        return keys.clone();
    }

    public String description() {
        return description;
    }
}
