package dev.sluice.metrics;

import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.MeterBinder;
import java.util.Map;
import java.util.WeakHashMap;

/**
 * A binder that can also be unbound, as disks come and go while a process lives.
 *
 * <p><b>Threading:</b> any thread. <b>Ownership:</b> Micrometer refers to what it shows weakly: whoever binds this keeps it.
 */
public abstract sealed class SluiceBinder implements MeterBinder permits SluiceMetrics, PipelineMetrics, LoopMetrics {
    private final Map<MeterRegistry, Registration> bound = new WeakHashMap<>();

    SluiceBinder() {}

    /** Registers all meters. Bound already, it changes nothing. */
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

    /** Removes from the registry what {@link #bindTo} has put there. */
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
