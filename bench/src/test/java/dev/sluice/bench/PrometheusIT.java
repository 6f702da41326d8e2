package dev.sluice.bench;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.sluice.server.PrometheusServer;
import dev.sluice.server.SluiceProcess;
import dev.sluice.server.SparseFile;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A real Prometheus, a served disk under a load, the dashboard and the alert rules as they are shipped. */
class PrometheusIT {
    private static final Path DASHBOARD = Path.of("..", "docs", "grafana", "sluice.json");
    private static final Path RULES = Path.of("..", "docs", "prometheus", "sluice-alerts.yml");
    private static final Pattern METRIC = Pattern.compile("sluice_[a-z_]+");
    private static final Pattern LABEL_VALUES = Pattern.compile("label_values\\((\\w+), (\\w+)\\)");
    private static final int ALERTS = 8;

    @TempDir
    Path directory;

    @BeforeAll
    static void requirePrometheus() {
        PrometheusServer.orSkip(PrometheusIT.class);
    }

    @Test
    void shouldHaveAlertRulesThatPromtoolAccepts() throws Exception {
        assertThat(PrometheusServer.promtool(RULES, "check", "rules", RULES.toString())).contains(ALERTS + " rules found");
    }

    @Test
    void shouldGiveDataToEveryQueryOfTheDashboardAndEvaluateEveryAlert() throws Exception {
        Path image = directory.resolve("disk.img");
        Path socket = directory.resolve("s");
        SparseFile.create(image, 64 << 20);
        String target = "127.0.0.1:" + PrometheusServer.freePort();
        try (SluiceProcess serve = SluiceProcess.serve("--socket-path", socket, "--blk-file", image, "--num-queues", 2, "--metrics", target);
                SluiceProcess load = SluiceProcess.start("bench", socket, "--queues", 2, "--depth", 8, "--rw", "randrw", "--seconds", 3600);
                PrometheusServer prometheus = PrometheusServer.start(directory, target, RULES)) {
            prometheus.await("a load that was scraped several times", () -> prometheus.hasData("count_over_time(sluice_device_connected[1h]) > 5")
                    && prometheus.hasData("rate(sluice_requests_completed_total{op=\"read\"}[1m]) > 0"));
            checkMetrics(target);
            checkDashboard(prometheus);
            checkAlerts(prometheus);
            assertThat(load.isAlive()).as("the load still runs").isTrue();
            assertThat(serve.isAlive()).isTrue();
        }
    }

    private void checkMetrics(String target) throws Exception {
        Path page = directory.resolve("metrics.txt");
        try (HttpClient client = HttpClient.newHttpClient()) {
            HttpRequest request = HttpRequest.newBuilder(URI.create("http://" + target + "/metrics")).timeout(Duration.ofMinutes(1)).build();
            Files.writeString(page, client.send(request, BodyHandlers.ofString()).body());
        }
        assertThat(page).content().contains("sluice_request_duration_seconds_bucket");
        assertThat(PrometheusServer.promtool(page, "check", "metrics")).as("complaints about the metrics").isEmpty();
    }

    private static void checkDashboard(PrometheusServer prometheus) throws Exception {
        JsonNode dashboard = new ObjectMapper().readTree(DASHBOARD.toFile());
        for (JsonNode variable : dashboard.at("/templating/list")) {
            if (variable.get("type").asText().equals("query")) {
                Matcher labelValues = LABEL_VALUES.matcher(variable.at("/query/query").asText());
                assertThat(labelValues.matches()).as("%s", variable).isTrue();
                JsonNode values =
                        prometheus.api("label/" + labelValues.group(2) + "/values?" + PrometheusServer.encoded("match[]") + "=" + labelValues.group(1));
                assertThat(values).as("values of $%s", variable.get("name").asText()).isNotEmpty();
            }
        }
        List<String> expressions = new ArrayList<>();
        for (JsonNode panel : dashboard.get("panels")) {
            panel.get("targets").forEach(query -> expressions.add(query.get("expr").asText()));
        }
        assertThat(expressions).hasSizeGreaterThan(20);
        for (String expression : expressions) {
            // As Grafana does for "All" of a variable with several values; the interval for a scrape a second.
            String expanded = expression.replace("$device", "(disk\\\\.img)").replace("$__rate_interval", "30s");
            assertThat(expanded).as("variables").doesNotContain("$");
            prometheus.await("data for " + expanded, () -> prometheus.hasData(expanded));
        }
    }

    private static void checkAlerts(PrometheusServer prometheus) throws Exception {
        prometheus.await("the evaluation of all alerts", () -> {
            int healthy = 0;
            for (JsonNode rule : prometheus.api("rules?type=alert").at("/groups/0/rules")) {
                healthy += rule.get("health").asText().equals("ok") ? 1 : 0;
            }
            return healthy == ALERTS;
        });
        Set<String> named = new TreeSet<>();
        for (JsonNode rule : prometheus.api("rules?type=alert").at("/groups/0/rules")) {
            METRIC.matcher(rule.get("query").asText()).results().forEach(result -> named.add(result.group()));
            assertThat(rule.get("state").asText()).as("%s of a healthy disk", rule.get("name").asText()).isNotEqualTo("firing");
        }
        assertThat(named).hasSizeGreaterThan(5);
        for (String metric : named) {
            assertThat(prometheus.query("count(" + metric + ")")).as("series of %s, which an alert is about", metric).isNotEmpty();
        }
    }
}
