package dev.sluice.metrics.http;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * The format in which a client wants its metrics: the one of higher weight in its Accept headers. If the weights are equal it is OpenMetrics if the
 * client names that, else text; a client that accepts neither gets text too. Parameters other than the weight, such as a version, are ignored.
 *
 * <p><b>Threading:</b> any thread. Source: RFC 9110, 12.4.2 and 12.5.1.
 */
enum ExpositionFormat {
    TEXT,
    OPEN_METRICS;

    private static final String OPEN_METRICS_NAME = "application/openmetrics-text";
    private static final Pattern WEIGHT = Pattern.compile("0(\\.[0-9]*)?|1(\\.0*)?");

    /** The format for a client that has sent these Accept headers; the list may be empty. */
    static ExpositionFormat of(List<String> acceptHeaders) {
        Map<String, Double> weights = new HashMap<>();
        for (String header : acceptHeaders) {
            split(header, ',').forEach(range -> addTo(weights, range));
        }
        double text = weight(weights, "text/plain", "text/*", "*/*");
        double open = weight(weights, OPEN_METRICS_NAME, "application/*");
        boolean preferred = open > text || (open == text && weights.containsKey(OPEN_METRICS_NAME));
        return open > 0 && preferred ? OPEN_METRICS : TEXT;
    }

    private static double weight(Map<String, Double> weights, String... mostSpecificFirst) {
        for (String range : mostSpecificFirst) {
            Double weight = weights.get(range);
            if (weight != null) {
                return weight;
            }
        }
        return 0;
    }

    /** If a range occurs more than once, as with several versions, the highest weight counts. A range of weight zero is left out. */
    private static void addTo(Map<String, Double> weights, String range) {
        List<String> parts = split(range, ';');
        double weight = 1;
        for (String parameter : parts.subList(1, parts.size())) {
            int equals = parameter.indexOf('=');
            if (equals > 0 && parameter.substring(0, equals).strip().equalsIgnoreCase("q")) {
                String value = parameter.substring(equals + 1).strip();
                if (!WEIGHT.matcher(value).matches()) {
                    return;
                }
                weight = Double.parseDouble(value);
            }
        }
        weights.merge(parts.getFirst().toLowerCase(Locale.ROOT), weight, Math::max);
    }

    /** Elements without the white space around them; quoted text is not split. */
    private static List<String> split(String text, char separator) {
        List<String> parts = new ArrayList<>();
        boolean quoted = false;
        int begin = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (quoted && c == '\\') {
                i++;
            } else if (c == '"') {
                quoted = !quoted;
            } else if (c == separator && !quoted) {
                parts.add(text.substring(begin, i).strip());
                begin = i + 1;
            }
        }
        parts.add(text.substring(begin).strip());
        return parts;
    }
}
