package dev.sluice.metrics;

import dev.sluice.pipeline.BlockOp;
import java.util.Collections;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;

/**
 * What a device has done since its metrics were made: cumulative, all queues together. Immutable.
 *
 * @param device the device's name
 * @param kicks kicks seen
 * @param calls times the other side was called
 * @param callsSuppressed times that used elements were published and the other side wanted no call
 * @param elements used elements published
 * @param malformedChains chains that broke a rule; each failed a request
 * @param brokenQueues times that a ring was broken and its queue ended
 * @param ops by operation; each is there, with zeroes where nothing was done
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
     * @param requests requests answered, whatever their status
     * @param bypassed those of them that went past the stages
     * @param bytes bytes of the requests that were answered with OK
     * @param ioErrors requests answered with IOERR
     * @param unsupported requests answered with UNSUPP
     * @param waitNanos time from being seen to being submitted, summed up
     * @param deviceNanos time from being submitted to being completed, summed up
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

    /** Requests of all operations that did not end with OK. */
    public long errors() {
        return ops.values().stream().mapToLong(totals -> totals.ioErrors() + totals.unsupported()).sum();
    }
}
