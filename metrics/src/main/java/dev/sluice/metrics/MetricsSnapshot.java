package dev.sluice.metrics;

import dev.sluice.pipeline.BlockOp;
import java.util.Collections;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;

/**
 * What a device has done since its metrics were created: cumulative, summed over all queues. Immutable.
 *
 * @param device the device's name
 * @param kicks kicks that the device has seen
 * @param calls interrupts that the device sent to the driver
 * @param callsSuppressed times that the device published used elements and sent no interrupt because the driver had suppressed it
 * @param elements used elements published
 * @param malformedChains chains that violated the specification; each failed one request
 * @param brokenQueues times that a queue stopped because its ring was broken
 * @param ops totals by operation; every operation is present, with zeroes if it has not occurred
 */
public record MetricsSnapshot(
        String device,
        long kicks,
        long calls,
        long callsSuppressed,
        long elements,
        long malformedChains,
        long brokenQueues,
        Map<BlockOp, OpTotals> ops) {

    /**
     * One operation's totals.
     *
     * @param requests requests completed, whatever their status
     * @param bypassed how many of them bypassed the stages
     * @param bytes bytes of the requests that completed with OK
     * @param ioErrors requests that completed with IOERR
     * @param unsupported requests that completed with UNSUPP
     * @param waitNanos time between fetching requests from the ring and submitting them, summed up
     * @param deviceNanos time between submitting requests and completing them, summed up
     */
    public record OpTotals(
            long requests, long bypassed, long bytes, long ioErrors, long unsupported, long waitNanos, long deviceNanos) {}

    public MetricsSnapshot {
        ops = new EnumMap<>(ops);
        for (BlockOp op : BlockOp.values()) {
            if (!ops.containsKey(op)) {
                throw new IllegalArgumentException("no totals for " + op);
            }
        }
        ops = Collections.unmodifiableMap(ops);
    }

    public OpTotals op(BlockOp op) {
        return Objects.requireNonNull(ops.get(op));
    }

    /** Requests of all operations. */
    public long requests() {
        return ops.values().stream().mapToLong(OpTotals::requests).sum();
    }

    /** Bytes of all operations. */
    public long bytes() {
        return ops.values().stream().mapToLong(OpTotals::bytes).sum();
    }

    /** Requests of all operations that did not complete with OK. */
    public long errors() {
        return ops.values().stream().mapToLong(totals -> totals.ioErrors() + totals.unsupported()).sum();
    }
}
