package dev.sluice.metrics;

import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.MeterBinder;
import java.util.Map;
import java.util.WeakHashMap;

/**
 * A binder that can also be unbound, because disks come and go during the life of a process.
 *
 * <p><b>Threading:</b> any thread. <b>Ownership:</b> Micrometer refers to what it shows weakly: whoever binds this must keep it reachable.
 */
public abstract sealed class SluiceBinder implements MeterBinder permits SluiceMetrics, PipelineMetrics, LoopMetrics {
    private final Map<MeterRegistry, Registration> bound = new WeakHashMap<>();

    SluiceBinder() {}

    /** Registers all meters. Does nothing if it is already bound to the registry. */
    @Override
    public final void bindTo(MeterRegistry registry) {
        synchronized (bound) {
            if (!bound.containsKey(registry)) {
                Registration made = new Registration(registry);
                bound.put(registry, made);
                register(made);
            }
        }
    }

    /** Removes from the registry what {@link #bindTo} has registered. */
    public final void unbindFrom(MeterRegistry registry) {
        synchronized (bound) {
            Registration made = bound.remove(registry);
            if (made != null) {
                made.close();
            }
        }
    }

    abstract void register(Registration registration);
}
