package dev.sluice.bench.device;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.sluice.bench.device.DeviceFigures.Figure;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * The rounds of all candidates, compared: the median, minimum and maximum of each figure.
 *
 * @param rounds by the candidate's name, in the order in which they ran
 * @param where a description of the device, for later readers of the figures
 */
public record DeviceReport(DevicePlan plan, String where, Map<String, List<DeviceFigures>> rounds) {

    /** Median, minimum and maximum of a figure over the rounds. */
    record Spread(double median, double least, double most) {
        static Spread of(List<DeviceFigures> rounds, Figure figure) {
            double[] values = rounds.stream().mapToDouble(figure::of).sorted().toArray();
            return new Spread(values[(values.length - 1) / 2], values[0], values[values.length - 1]);
        }

        String text(String format) {
            if (Double.isNaN(median)) {
                return "n/a";
            }
            String middle = String.format(Locale.ROOT, format, median);
            return least == most ? middle : middle + String.format(Locale.ROOT, " (" + format + " - " + format + ")", least, most);
        }
    }

    /** Requests that failed, of all candidates. */
    public long errors() {
        return rounds.values().stream().flatMap(List::stream).mapToLong(DeviceFigures::errors).sum();
    }

    /** The report for people. */
    public String table() {
        String row = "  %-31s %-30s %-22s %-24s %-28s %-30s %s%n";
        StringBuilder text = new StringBuilder();
        text.append(String.format(Locale.ROOT, "%s: %d-byte %s, %d %% reads, %s, depth %d, one loop, %s s per round; median (least -"
                + " most)%n", where, plan.blockBytes(),
                plan.sequential() ? "sequential" : "random", plan.readPercent(), plan.direct() ? "O_DIRECT" : "through the page cache", plan.depth(),
                plan.seconds()));
        text.append(String.format(Locale.ROOT, row, "", "IOPS", "CPU us/request", "p50 us", "p99 us", "p99.9 us", "heap bytes/request"));
        rounds.forEach((name, figures) -> text.append(String.format(Locale.ROOT, row, name,
                Spread.of(figures, Figure.IOPS).text("%,.0f"), Spread.of(figures, Figure.CPU).text("%.2f"), Spread.of(figures, Figure.P50).text("%,.0f"),
                Spread.of(figures, Figure.P99).text("%,.0f"), Spread.of(figures, Figure.P999).text("%,.0f"), Spread.of(figures, Figure.HEAP).text("%.1f"))));
        return text.toString();
    }

    /** The report for programs. Unknown figures are null. */
    public ObjectNode json() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("device", where).put("date", LocalDate.now(ZoneOffset.UTC).toString());
        json.put("kernel", System.getProperty("os.name") + " " + System.getProperty("os.version")).put("java", System.getProperty("java.runtime.version"));
        json.put("cores", Runtime.getRuntime().availableProcessors());
        json.putObject("plan")
                .put("path", plan.path().toString()).put("direct", plan.direct()).put("depth", plan.depth()).put("blockBytes", plan.blockBytes())
                .put("readPercent", plan.readPercent()).put("sequential", plan.sequential()).put("warmUpSeconds", plan.warmUpSeconds())
                .put("seconds", plan.seconds()).put("seed", plan.seed());
        rounds.forEach((name, figures) -> {
            ObjectNode candidate = json.withArray("candidates").addObject();
            candidate.put("name", name);
            for (Figure figure : Figure.values()) {
                Spread spread = Spread.of(figures, figure);
                if (Double.isNaN(spread.median())) {
                    candidate.putNull(figure.json());
                } else {
                    candidate.putObject(figure.json()).put("median", spread.median()).put("min", spread.least()).put("max", spread.most());
                }
            }
            for (DeviceFigures round : figures) {
                ObjectNode one = candidate.withArray("rounds").addObject().put("requests", round.requests()).put("errors", round.errors());
                Arrays.stream(Figure.values()).filter(figure -> !Double.isNaN(figure.of(round))).forEach(figure -> one.put(figure.json(), figure.of(round)));
            }
        });
        return json;
    }
}
