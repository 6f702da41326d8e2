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
 * Every meter: its name, unit, tags and meaning. {@code docs/metrics.md} is generated from this.
 *
 * <p>The meters of requests follow node_exporter's {@code node_disk_*}: a count, bytes, and time as a sum of seconds, so that
 * {@code rate(time) / rate(requests)} is the mean latency and {@code rate(time)} the mean number of requests in flight.
 */
public enum SluiceMeter implements MeterDocumentation {
    REQUESTS("sluice.requests.completed", Meter.Type.COUNTER, null, "Requests completed, whatever their status", DEVICE, QUEUE, OP, PATH),
    REQUEST_BYTES("sluice.request.bytes", Meter.Type.COUNTER, Unit.BYTES, "Bytes of the requests that completed with OK", DEVICE, QUEUE, OP),
    REQUEST_TIME(
            "sluice.request.time", Meter.Type.COUNTER, Unit.SECONDS,
            "Time between fetching requests from the ring and completing them, summed up", DEVICE, QUEUE, OP),
    REQUEST_WAIT_TIME(
            "sluice.request.wait.time", Meter.Type.COUNTER, Unit.SECONDS, "The part of the request time before submission to the backend", DEVICE, QUEUE, OP),
    REQUEST_DEVICE_TIME(
            "sluice.request.device.time", Meter.Type.COUNTER, Unit.SECONDS, "The part of the request time after submission to the backend", DEVICE, QUEUE, OP),
    REQUEST_ERRORS("sluice.request.errors", Meter.Type.COUNTER, null, "Requests that completed with an error", DEVICE, OP, STATUS, ERRNO),
    REQUEST_DURATION(
            "sluice.request.duration", Meter.Type.TIMER, Unit.SECONDS,
            "Histogram of the request time; buckets at 1, 2 and 5 of every decade from 10 us to 10 s", DEVICE, OP),
    REQUEST_DURATION_BUCKET(
            "sluice.request.duration.bucket", Meter.Type.COUNTER, null,
            "The same for registries other than Prometheus: requests that took at most le seconds", DEVICE, OP, LE),

    QUEUE_TURNS("sluice.queue.turns", Meter.Type.COUNTER, null, "Turns of the queue that took requests from its ring", DEVICE, QUEUE),
    QUEUE_TURN_REQUESTS(
            "sluice.queue.turn.requests", Meter.Type.COUNTER, null, "Requests taken in these turns; divided by the turns it is the batch size", DEVICE, QUEUE),
    QUEUE_TURN_DEPTH(
            "sluice.queue.turn.depth", Meter.Type.COUNTER, null,
            "Requests in flight after each turn, summed up; divided by the turns it is the depth that the queue sees", DEVICE, QUEUE),
    QUEUE_IN_FLIGHT("sluice.queue.inflight", Meter.Type.GAUGE, null, "Requests taken from the ring and not yet completed", DEVICE, QUEUE),
    QUEUE_RUNNING("sluice.queue.running", Meter.Type.GAUGE, null, "1 while the queue is running", DEVICE, QUEUE),
    QUEUE_KICKS("sluice.queue.kicks", Meter.Type.COUNTER, null, "Kicks seen; several kicks may be coalesced into one", DEVICE, QUEUE),
    QUEUE_CALLS("sluice.queue.calls", Meter.Type.COUNTER, null, "Interrupts sent to the guest through the call eventfd", DEVICE, QUEUE),
    QUEUE_CALLS_SUPPRESSED(
            "sluice.queue.calls.suppressed", Meter.Type.COUNTER, null,
            "Times that used elements were published without an interrupt because the guest had suppressed it", DEVICE, QUEUE),
    QUEUE_ELEMENTS("sluice.queue.elements", Meter.Type.COUNTER, null, "Used elements published, malformed chains included", DEVICE, QUEUE),
    QUEUE_MALFORMED(
            "sluice.queue.malformed.chains", Meter.Type.COUNTER, null, "Chains that violated the specification; each failed one request", DEVICE, QUEUE),
    QUEUE_BROKEN("sluice.queue.broken", Meter.Type.COUNTER, null, "Times that the queue stopped because its ring was broken", DEVICE, QUEUE),

    CONNECTIONS("sluice.connections", Meter.Type.COUNTER, null, "Front ends that connected, and how their connections ended", DEVICE, EVENT),
    DEVICE_CONNECTED("sluice.device.connected", Meter.Type.GAUGE, null, "1 while a front end is connected", DEVICE),
    DEVICE_SIZE("sluice.device.size", Meter.Type.GAUGE, Unit.BYTES, "Size of the disk", DEVICE),
    DEVICE_MISSING(
            "sluice.device.missing", Meter.Type.GAUGE, Unit.BYTES,
            "Bytes of the disk beyond the end of its image, which shrank while in use; requests for them fail", DEVICE),
    DEVICE_WRITEBACK_FAILED(
            "sluice.device.writeback.failed", Meter.Type.GAUGE, null,
            "1 once a sync of the image has failed: every FLUSH and durable write fails until the image is reopened", DEVICE),
    DEVICE_DESCRIPTION("sluice.device.description", Meter.Type.GAUGE, null, "Always 1; the tags describe the disk", DEVICE, BACKEND, PIPELINE),

    SINK_BATCHES("sluice.sink.batches", Meter.Type.COUNTER, null, "Batches of operations submitted to the kernel", DEVICE, LOOP),
    SINK_OPERATIONS("sluice.sink.operations", Meter.Type.COUNTER, null, "Operations submitted to the kernel; a request may take several", DEVICE, LOOP),
    SINK_RETRIES(
            "sluice.sink.retries", Meter.Type.COUNTER, null,
            "Operations that the kernel refused temporarily (EAGAIN, a full ring) and that were submitted again", DEVICE, LOOP),
    SINK_CONTINUATIONS("sluice.sink.continuations", Meter.Type.COUNTER, null, "Operations for the rest of a short read or write", DEVICE, LOOP),
    SINK_BOUNCES(
            "sluice.sink.bounces", Meter.Type.COUNTER, null, "Requests that went through a bounce buffer because their memory was not aligned", DEVICE, LOOP),

    LOOP_TICKS("sluice.loop.ticks", Meter.Type.COUNTER, null, "Iterations of the loop", LOOP),
    LOOP_ENTERS("sluice.loop.enters", Meter.Type.COUNTER, null, "System calls that submitted, waited or fetched completions", LOOP),
    LOOP_SUBMISSIONS("sluice.loop.submissions", Meter.Type.COUNTER, null, "Operations that the loop submitted to the kernel", LOOP),
    LOOP_COMPLETIONS("sluice.loop.completions", Meter.Type.COUNTER, null, "Completions that the loop reaped", LOOP),
    LOOP_TASKS("sluice.loop.tasks", Meter.Type.COUNTER, null, "Tasks run for other threads", LOOP),
    LOOP_BUSY_TIME("sluice.loop.busy.time", Meter.Type.COUNTER, Unit.SECONDS, "Time that the loop spent working rather than waiting in the kernel", LOOP),
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
    @SuppressWarnings("ImmutableEnumChecker") // private to this enum, and never exposed
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
