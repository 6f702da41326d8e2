package dev.sluice.metrics;

import dev.sluice.pipeline.FrontEndObserver.ConnectionEvent;
import io.micrometer.core.instrument.Tags;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * The connections of one device, counted by event.
 *
 * <p><b>Threading:</b> any thread; connections are rare.
 */
final class ConnectionCounters {
    private static final ConnectionEvent[] EVENTS = ConnectionEvent.values();

    private final AtomicLongArray counts = new AtomicLongArray(EVENTS.length);

    @SuppressWarnings("EnumOrdinal") // the array lives no longer than this process
    void count(ConnectionEvent event) {
        counts.incrementAndGet(event.ordinal());
    }

    @SuppressWarnings("EnumOrdinal")
    private long counted(ConnectionEvent event) {
        return counts.get(event.ordinal());
    }

    /** How many are connected now. */
    private long open() {
        long open = 0;
        for (ConnectionEvent event : EVENTS) {
            open += event == ConnectionEvent.CONNECTED ? counted(event) : -counted(event);
        }
        return Math.max(0, open);
    }

    /** Returns the tags of the device as the registry shows them. */
    Tags register(Registration registration, Tags tags) {
        for (ConnectionEvent event : EVENTS) {
            Tags ofEvent = tags.and(SluiceKey.EVENT.asString(), event.name().toLowerCase(Locale.ROOT));
            registration.counter(SluiceMeter.CONNECTIONS, ofEvent, this, of -> of.counted(event));
        }
        return registration.gauge(SluiceMeter.DEVICE_CONNECTED, tags, this, ConnectionCounters::open);
    }
}
