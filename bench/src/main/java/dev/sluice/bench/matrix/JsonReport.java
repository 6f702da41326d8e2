package dev.sluice.bench.matrix;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.LocalDate;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The results for programs: every figure of every round. */
final class JsonReport {
    private JsonReport() {}

    static String text(MatrixSettings settings, LocalDate date, Map<String, String> machine, int rounds, List<ExperimentResult> experiments)
            throws JsonProcessingException {
        ObjectMapper mapper = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);
        ObjectNode json = mapper.createObjectNode();
        json.put("date", date.toString()).put("command", settings.command());
        json.put("rounds", rounds).put("seconds", settings.seconds()).put("warmUpSeconds", settings.warmUpSeconds()).put("imageBytes", settings.imageBytes());
        ObjectNode facts = json.putObject("machine");
        machine.forEach(facts::put);
        for (ExperimentResult experiment : experiments) {
            ObjectNode table = json.withArray("experiments").addObject();
            table.put("section", experiment.section().option()).put("title", experiment.experiment().title());
            for (RowResult row : experiment.rows()) {
                addRow(table.withArray("rows").addObject(), experiment, row);
            }
        }
        return mapper.writeValueAsString(json) + "\n";
    }

    private static void addRow(ObjectNode json, ExperimentResult experiment, RowResult row) {
        json.put("name", row.row().name());
        json.put("backend", row.row().backend().display());
        json.put("load", row.row().workload().display());
        experiment.gain(row).ifPresent(gain -> json.put("requestsPerCpuSecondOverFirstRow", gain));
        if (!row.skipped().isEmpty()) {
            json.put("skipped", row.skipped());
        }
        if (!row.refused().isEmpty()) {
            json.put("refused", row.refused());
        }
        if (row.uncompared()) {
            json.put("compared", false);
        }
        row.failures().forEach(failure -> json.withArray("failures").add(failure));
        for (Metric metric : Metric.values()) {
            row.spread(metric).ifPresent(spread -> json.withObject("/figures/" + metric.field())
                    .put("median", spread.median()).put("least", spread.least()).put("most", spread.most()));
        }
        for (Sample sample : row.samples()) {
            ObjectNode round = json.withArray("rounds").addObject();
            sample.figures().forEach((metric, value) -> round.put(metric.field(), value));
            sample.placement().ifPresent(placement -> round.put("placement", placement.name().toLowerCase(Locale.ROOT)));
            sample.calibration().ifPresent(
                    calibration -> round.put("roundTripNanosBefore", calibration.beforeNanos()).put("roundTripNanosAfter", calibration.afterNanos()));
        }
    }
}
