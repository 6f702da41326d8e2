package dev.sluice.metrics.http;

import static dev.sluice.metrics.http.ExpositionFormat.OPEN_METRICS;
import static dev.sluice.metrics.http.ExpositionFormat.TEXT;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class ExpositionFormatTest {
    @Test
    void shouldGiveTextUnlessOpenMetricsIsNamed() {
        assertFormat(TEXT);
        assertFormat(TEXT, "");
        assertFormat(TEXT, "*/*");
        assertFormat(TEXT, "text/*");
        assertFormat(TEXT, "text/plain");
        assertFormat(TEXT, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
        assertFormat(TEXT, "application/json");
        assertFormat(OPEN_METRICS, "application/openmetrics-text");
        assertFormat(OPEN_METRICS, "application/*");
        assertFormat(TEXT, "application/*, text/*");
    }

    @Test
    void shouldLookAtTheWholeMediaTypeInAnyCase() {
        assertFormat(TEXT, "application/openmetrics-textual");
        assertFormat(TEXT, "x-application/openmetrics-text");
        assertFormat(TEXT, "text/plain;of=\"a,application/openmetrics-text\"");
        assertFormat(TEXT, "text/plain;of=\"a\\\",application/openmetrics-text,\"");
        assertFormat(OPEN_METRICS, "Application/OpenMetrics-Text; Version=1.0.0");
        assertFormat(TEXT, "APPLICATION/OPENMETRICS-TEXT;Q=0.1, TEXT/PLAIN;Q=0.2");
    }

    /** RFC 9110, 12.4.2. */
    @Test
    void shouldGiveWhatWeighsMore() {
        assertFormat(TEXT, "application/openmetrics-text;q=0.5, text/plain");
        assertFormat(TEXT, "application/openmetrics-text;q=0.1,text/plain;q=0.101");
        assertFormat(OPEN_METRICS, "text/plain;q=0.1, application/openmetrics-text;version=1.0.0;q=0.5");
        assertFormat(OPEN_METRICS, "text/plain;q=0.5;x=y , application/openmetrics-text ; q=0.5");
        assertFormat(OPEN_METRICS, "application/openmetrics-text, */*");
        assertFormat(TEXT, "application/openmetrics-text;q=0.5, */*");
        assertFormat(OPEN_METRICS, "application/openmetrics-text;q=1.000,text/plain;q=1");
        // As Prometheus 3 asks.
        assertFormat(OPEN_METRICS, "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,"
                + "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2");
    }

    @Test
    void shouldNeverGiveWhatHasNoWeightUnlessNothingElseIsLeft() {
        assertFormat(TEXT, "application/openmetrics-text;version=1.0.0;q=0, text/plain");
        assertFormat(TEXT, "application/openmetrics-text;q=0.000");
        assertFormat(TEXT, "application/openmetrics-text;q=0, application/*");
        assertFormat(OPEN_METRICS, "text/plain;q=0, application/openmetrics-text;q=0.001");
        assertFormat(OPEN_METRICS, "text/plain;q=0, */*, application/openmetrics-text;q=0.1");
        assertFormat(TEXT, "text/plain;q=0, application/openmetrics-text;q=0");
    }

    @Test
    void shouldReadAllHeadersAsOne() {
        assertFormat(OPEN_METRICS, "text/plain;q=0.5", "application/openmetrics-text");
        assertFormat(TEXT, "application/openmetrics-text;q=0.5", "text/plain");
        assertFormat(TEXT, "application/openmetrics-text;q=0", "*/*");
    }

    @Test
    void shouldLeaveOutWhatCannotBeRead() {
        assertFormat(TEXT, "application/openmetrics-text;q=high");
        assertFormat(TEXT, "application/openmetrics-text;q=2, text/plain;q=0.1");
        assertFormat(TEXT, ",;,;q=,\"", ";");
        assertFormat(OPEN_METRICS, ",,application/openmetrics-text;;=;q");
    }

    private static void assertFormat(ExpositionFormat format, String... headers) {
        assertThat(ExpositionFormat.of(List.of(headers))).as(String.join(" | ", headers)).isEqualTo(format);
    }
}
