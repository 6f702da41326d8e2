package dev.sluice.metrics;

import dev.sluice.pipeline.StageMeter;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import java.util.function.ToLongFunction;

/**
 * The meters that one binder has registered with one registry, so that they can be removed again.
 *
 * <p><b>Threading:</b> one thread at a time. <b>Ownership:</b> Micrometer refers to what is counted weakly: its owner must keep it reachable.
 */
final class Registration implements AutoCloseable {
    /** In front of the names that stages have chosen. */
    private static final String STAGE_PREFIX = "sluice.stage.";

    private final MeterRegistry registry;
    private final List<Meter> meters = new ArrayList<>();
    private final List<Runnable> whenClosed = new ArrayList<>();

    Registration(MeterRegistry registry) {
        this.registry = registry;
    }

    MeterRegistry registry() {
        return registry;
    }

    <T> void counter(SluiceMeter meter, Tags tags, T counted, ToDoubleFunction<T> value) {
        meters.add(FunctionCounter.builder(meter.getName(), counted, value)
                .description(meter.description())
                .baseUnit(meter.getBaseUnit())
                .tags(tags)
                .register(registry));
    }

    /** One of the counters that {@code counted} shows together. */
    <T, C> void counter(SluiceMeter meter, Tags tags, T counted, Function<T, C> counters, ToLongFunction<C> value) {
        counter(meter, tags, counted, of -> value.applyAsLong(counters.apply(of)));
    }

    /** A meter of a stage, which must be kept reachable. */
    void stage(StageMeter meter, Tags tags) {
        String name = STAGE_PREFIX + meter.name();
        meters.add(
                meter.counter()
                        ? FunctionCounter.builder(name, meter, Registration::value).description(meter.description()).tags(tags).register(registry)
                        : Gauge.builder(name, meter, Registration::value).description(meter.description()).tags(tags).register(registry));
    }

    private static double value(StageMeter meter) {
        return meter.value().getAsLong();
    }

    /** Returns the tags as the registry shows them: with its common tags, and changed by its filters. */
    <T> Tags gauge(SluiceMeter meter, Tags tags, T measured, ToDoubleFunction<T> value) {
        Gauge made = Gauge.builder(meter.getName(), measured, value)
                .description(meter.description())
                .baseUnit(meter.getBaseUnit())
                .tags(tags)
                .register(registry);
        meters.add(made);
        return Tags.of(made.getId().getTags());
    }

    /** A collector that is not a Micrometer meter. */
    void whenClosed(Runnable undo) {
        whenClosed.add(undo);
    }

    @Override
    public void close() {
        meters.forEach(registry::remove);
        whenClosed.forEach(Runnable::run);
    }
}
