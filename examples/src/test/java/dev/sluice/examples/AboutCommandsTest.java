package dev.sluice.examples;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.server.SluiceCommand;
import dev.sluice.server.cli.Commands;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Set;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

/** What the command tells of itself: its version and how to complete it. */
class AboutCommandsTest {
    private final StringWriter out = new StringWriter();
    private final CommandLine line = Commands.line(new SluiceCommand()).setOut(new PrintWriter(out));

    @Test
    void shouldNameTheBuildAndWhatItRunsOnWhenAskedForTheVersion() {
        assertThat(line.execute("--version")).isZero();

        assertThat(out.toString().lines())
                .satisfiesExactly(
                        sluice -> assertThat(sluice).matches("sluice \\d+\\.\\d+\\.\\d+\\S*( \\(commit [0-9a-f]{7,40}\\))?"),
                        java -> assertThat(java).startsWith("java " + Runtime.version()),
                        netty -> assertThat(netty).matches("netty 4\\.\\d+\\.\\d+\\.Final"),
                        kernel -> assertThat(kernel).startsWith("kernel Linux " + System.getProperty("os.version")));
    }

    @Test
    void shouldNameEveryCommandWhenItPrintsTheCompletionScript() {
        assertThat(line.execute("completion")).isZero();

        Set<String> commands = line.getSubcommands().keySet();
        assertThat(commands).contains("serve", "bench", "demo", "example");
        assertThat(out.toString()).startsWith("#!/usr/bin/env bash").contains("complete -F _complete_sluice").contains(commands);
    }
}
