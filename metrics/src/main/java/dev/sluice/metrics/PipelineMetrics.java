package dev.sluice.metrics;

import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.SinkCounters;
import io.micrometer.core.instrument.Tags;
import java.util.List;
import java.util.function.ToLongFunction;

/**
 * The description of a disk, and the counters of its sinks, one sink on each loop.
 *
 * <p><b>Threading:</b> any thread. <b>Ownership:</b> pipeline and loops stay their owners'. <b>Allocation:</b> none on the loops.
 */
public final class PipelineMetrics extends SluiceBinder {
    private final String device;
    private final String backend;
    private final BlockPipeline pipeline;
    private final List<IoLoop> loops;

    /**
     * Creates the metrics of a pipeline.
     *
     * @param device name of the disk, as for {@link SluiceMetrics}
     * @param backend name of its backend
     * @param loops the loops that may serve it
     */
    public PipelineMetrics(String device, String backend, BlockPipeline pipeline, List<IoLoop> loops) {
        this.device = device;
        this.backend = backend;
        this.pipeline = pipeline;
        this.loops = List.copyOf(loops);
    }

    @Override
    void register(Registration registration) {
        Tags ofDevice = Tags.of(SluiceKey.DEVICE.asString(), device);
        registration.gauge(SluiceMeter.DEVICE_SIZE, ofDevice, pipeline, of -> of.geometry().sizeBytes());
        registration.gauge(SluiceMeter.DEVICE_MISSING, ofDevice, pipeline, of -> of.health().missingBytes());
        registration.gauge(SluiceMeter.DEVICE_WRITEBACK_FAILED, ofDevice, pipeline, of -> of.health().writebackFailed() ? 1 : 0);
        registration.gauge(
                SluiceMeter.DEVICE_DESCRIPTION,
                ofDevice.and(SluiceKey.BACKEND.asString(), backend, SluiceKey.PIPELINE.asString(), pipeline.toString()),
                pipeline,
                of -> 1);
        for (IoLoop loop : loops) {
            Tags tags = ofDevice.and(SluiceKey.LOOP.asString(), loop.name());
            count(registration, SluiceMeter.SINK_BATCHES, tags, loop, SinkCounters::batches);
            count(registration, SluiceMeter.SINK_OPERATIONS, tags, loop, SinkCounters::operations);
            count(registration, SluiceMeter.SINK_RETRIES, tags, loop, SinkCounters::retries);
            count(registration, SluiceMeter.SINK_CONTINUATIONS, tags, loop, SinkCounters::continuations);
            count(registration, SluiceMeter.SINK_BOUNCES, tags, loop, SinkCounters::bounces);
        }
    }

    private void count(Registration registration, SluiceMeter meter, Tags tags, IoLoop loop, ToLongFunction<SinkCounters> value) {
        registration.counter(meter, tags, pipeline, of -> value.applyAsLong(of.sinkCounters(loop)));
    }
}
