package dev.sluice.server.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;

class MissingFromMachineTest {
    @Test
    void shouldNameTheLimitsInOneLineWhenNoThreadCanBeStarted() {
        Error error = new OutOfMemoryError("unable to create native thread: possibly out of memory or process/resource limits reached");
        assertThat(reported(new IllegalStateException("loop sluice-0 has not started", error)))
                .startsWith("sluice: error: cannot start a thread").contains("ulimit -u", "pids.max", "TasksMax=").hasLineCount(1);
    }

    @Test
    void shouldReportABugWhenAClassIsMissingThatNoModuleOfTheRuntimeHas() {
        assertThat(reported(new NoClassDefFoundError("dev/sluice/Gone"))).contains("a bug in sluice", "\tat ");
        // java.xml is there: then it is something else.
        assertThat(reported(new NoClassDefFoundError("javax/xml/Gone"))).contains("a bug in sluice");
    }

    private static String reported(Throwable error) {
        StringWriter text = new StringWriter();
        Commands.report(error, new PrintWriter(text));
        return text.toString();
    }
}
