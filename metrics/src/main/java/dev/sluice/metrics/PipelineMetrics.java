package dev.sluice.metrics;

import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.SinkCounters;
import dev.sluice.pipeline.StageMeter;
import io.micrometer.core.instrument.Tags;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The description of a disk, the counters of its sinks, one sink on each loop, and what its stages publish.
 *
 * <p><b>Threading:</b> any thread. <b>Ownership:</b> pipeline and loops stay their owners'. <b>Allocation:</b> none on the loops.
 */
public final class PipelineMetrics extends SluiceBinder {
    private final String device;
    private final String backend;
    private final BlockPipeline pipeline;
    private final List<IoLoop> loops;
    /** Kept, as Micrometer refers to them weakly. */
    private final List<StageMeter> stageMeters;

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
        this.stageMeters = pipeline.stageMeters();
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
        registerStages(registration, ofDevice);
        for (IoLoop loop : loops) {
            Tags tags = ofDevice.and(SluiceKey.LOOP.asString(), loop.name());
            registration.counter(SluiceMeter.SINK_BATCHES, tags, pipeline, of -> of.sinkCounters(loop), SinkCounters::batches);
            registration.counter(SluiceMeter.SINK_OPERATIONS, tags, pipeline, of -> of.sinkCounters(loop), SinkCounters::operations);
            registration.counter(SluiceMeter.SINK_RETRIES, tags, pipeline, of -> of.sinkCounters(loop), SinkCounters::retries);
            registration.counter(SluiceMeter.SINK_CONTINUATIONS, tags, pipeline, of -> of.sinkCounters(loop), SinkCounters::continuations);
            registration.counter(SluiceMeter.SINK_BOUNCES, tags, pipeline, of -> of.sinkCounters(loop), SinkCounters::bounces);
        }
    }

    /** Stages of one name are distinguished by number: {@code cache}, {@code cache-2}. */
    private void registerStages(Registration registration, Tags ofDevice) {
        Map<String, List<Integer>> places = new HashMap<>();
        for (StageMeter meter : stageMeters) {
            List<Integer> ofName = places.computeIfAbsent(meter.stage(), name -> new ArrayList<>());
            if (!ofName.contains(meter.place())) {
                ofName.add(meter.place());
            }
            int number = ofName.indexOf(meter.place()) + 1;
            registration.stage(meter, ofDevice.and(SluiceKey.STAGE.asString(), number == 1 ? meter.stage() : meter.stage() + "-" + number));
        }
    }
}
