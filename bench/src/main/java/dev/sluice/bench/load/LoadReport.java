package dev.sluice.bench.load;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.sluice.server.cli.BackendProcess;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import org.HdrHistogram.Histogram;

/**
 * The results of a load. Latencies are in microseconds, from the submission of a request to the pass of the driver that reaped it.
 *
 * @param rows one per queue, then the sum of all
 * @param cpuSeconds of the backend during the measurement; empty if unknown
 */
public record LoadReport(
        LoadPlan plan,
        List<Row> rows,
        double seconds,
        BackendProcess backend,
        OptionalDouble cpuSeconds,
        BackendStats.Window window,
        long verifiedBlocks,
        long wrongBlocks) {

    private static final String ROW = "  %-9s %11s %9s %9s %9s %9s %9s %7s%n";

    /** The figures of one queue, or of all. */
    public record Row(String name, long requests, long bytes, long errors, double p50, double p99, double p999, double max) {
        static Row of(String name, long requests, long bytes, long errors, Histogram latencies) {
            return new Row(
                    name,
                    requests,
                    bytes,
                    errors,
                    latencies.getValueAtPercentile(50) / 1e3,
                    latencies.getValueAtPercentile(99) / 1e3,
                    latencies.getValueAtPercentile(99.9) / 1e3,
                    latencies.getMaxValue() / 1e3);
        }
    }

    static LoadReport of(
            LoadPlan plan, List<QueueLoad> queues, double seconds, BackendProcess backend, OptionalDouble cpuSeconds, BackendStats.Window window) {
        List<Row> rows = new ArrayList<>();
        Histogram all = new Histogram(queues.getFirst().latencies());
        all.reset();
        long requests = 0;
        long bytes = 0;
        long errors = 0;
        long verified = 0;
        long wrong = 0;
        for (QueueLoad queue : queues) {
            rows.add(Row.of("queue " + queue.queue().index(), queue.requests(), queue.bytes(), queue.errors(), queue.latencies()));
            all.add(queue.latencies());
            requests += queue.requests();
            bytes += queue.bytes();
            errors += queue.errors();
            verified += queue.verifiedBlocks();
            wrong += queue.wrongBlocks();
        }
        rows.add(Row.of("all", requests, bytes, errors, all));
        return new LoadReport(plan, rows, seconds, backend, cpuSeconds, window, verified, wrong);
    }

    public Row all() {
        return rows.getLast();
    }

    /** CPU time of the backend per request, in microseconds. */
    public OptionalDouble cpuMicrosPerRequest() {
        return cpuSeconds.isPresent() && all().requests() > 0
                ? OptionalDouble.of(cpuSeconds.getAsDouble() * 1e6 / all().requests())
                : OptionalDouble.empty();
    }

    /** True if every request succeeded and the content of every verified block was correct. */
    public boolean clean() {
        return all().errors() == 0 && wrongBlocks == 0 && all().requests() > 0;
    }

    /** The report for people: a line per queue, then the backend's cost. */
    public String table() {
        StringBuilder text = new StringBuilder(
                String.format(Locale.ROOT, ROW, "", "IOPS", "MiB/s", "p50 us", "p99 us", "p99.9 us", "max us", "errors"));
        for (Row row : rows) {
            text.append(String.format(
                    Locale.ROOT,
                    ROW,
                    row.name(),
                    number("%,.0f", row.requests() / seconds),
                    number("%,.1f", row.bytes() / seconds / 1048576),
                    number("%,.1f", row.p50()),
                    number("%,.1f", row.p99()),
                    number("%,.1f", row.p999()),
                    number("%,.1f", row.max()),
                    number("%d", row.errors())));
        }
        text.append("  backend ").append(backend.command()).append(" (pid ").append(backend.pid()).append("): ")
                .append(orUnknown("%.2f us CPU", cpuMicrosPerRequest(), 1)).append(" per request, ")
                .append(orUnknown("%.0f %% of a core", cpuSeconds, 100 / seconds)).append("; ")
                .append(orUnknown("%.2f heap bytes", window.heapBytes(), 1)).append(", ")
                .append(orUnknown("%.3f kicks", window.kicks(), 1)).append(", ")
                .append(orUnknown("%.3f interrupts", window.calls(), 1)).append(", ")
                .append(orUnknown("%.3f enters", window.enters(), 1)).append(" per request\n");
        if (plan.verify()) {
            text.append(number("  verified %,d blocks", verifiedBlocks)).append(number(", %,d wrong\n", wrongBlocks));
        }
        return text.toString();
    }

    /** The report for programs. Unknown figures are null. */
    public ObjectNode json() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        ObjectNode planned = json.putObject("plan");
        planned.put("queues", plan.queues()).put("depth", plan.depth()).put("jobs", plan.jobs()).put("blockBytes", plan.blockBytes());
        planned.put("readPercent", plan.readPercent()).put("sequential", plan.sequential()).put("seconds", plan.seconds());
        planned.put("verify", plan.verify()).put("poll", plan.poll()).put("seed", plan.seed());
        json.put("seconds", seconds);
        json.put("iops", all().requests() / seconds);
        json.put("bytesPerSecond", all().bytes() / seconds);
        put(json, "backendCpuSeconds", cpuSeconds);
        put(json, "backendCpuMicrosPerRequest", cpuMicrosPerRequest());
        put(json, "heapBytesPerRequest", window.heapBytes());
        put(json, "kicksPerRequest", window.kicks());
        put(json, "callsPerRequest", window.calls());
        put(json, "entersPerRequest", window.enters());
        put(json, "submissionsPerRequest", window.submissions());
        json.put("verifiedBlocks", verifiedBlocks).put("wrongBlocks", wrongBlocks);
        for (Row row : rows) {
            json.withArray("rows").addObject()
                    .put("name", row.name()).put("requests", row.requests()).put("bytes", row.bytes()).put("errors", row.errors())
                    .put("p50Micros", row.p50()).put("p99Micros", row.p99()).put("p999Micros", row.p999()).put("maxMicros", row.max());
        }
        return json;
    }

    private static void put(ObjectNode json, String field, OptionalDouble value) {
        if (value.isPresent()) {
            json.put(field, value.getAsDouble());
        } else {
            json.putNull(field);
        }
    }

    private static String number(String format, Object value) {
        return String.format(Locale.ROOT, format, value);
    }

    private static String orUnknown(String format, OptionalDouble value, double factor) {
        return value.isPresent()
                ? number(format, value.getAsDouble() * factor)
                : "n/a" + format.substring(format.indexOf(' ')).replace("%%", "%");
    }
}
