package dev.sluice.examples.launcher;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.server.cli.Commands;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class PrometheusTest {
    @Test
    void shouldRefuseALoadOfNoLengthBeforeItServes() {
        StringWriter told = new StringWriter();
        ByteArrayOutputStream said = new ByteArrayOutputStream();
        PrintStream out = System.out;
        try {
            System.setOut(new PrintStream(said, true, StandardCharsets.UTF_8));
            assertThat(Commands.line(new Prometheus()).setErr(new PrintWriter(told)).execute("--seconds", "0")).isEqualTo(Commands.FAILED);
        } finally {
            System.setOut(out);
        }
        assertThat(told.toString()).startsWith("sluice: error: --seconds 0.0 ").hasLineCount(1);
        assertThat(said.size()).isZero();
    }
}
