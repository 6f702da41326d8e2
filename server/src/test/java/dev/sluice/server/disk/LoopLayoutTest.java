package dev.sluice.server.disk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class LoopLayoutTest {
    @Test
    void shouldBlameTheFilterAndNotTheListWherePinningIsForbidden() {
        assertThat(LoopLayout.refused("loop-0", 3, -Errno.EPERM)).contains("EPERM", "seccomp", "SystemCallFilter=sched_setaffinity").doesNotContain("CPU 3");
        assertThat(LoopLayout.refused("loop-0", 3, -Errno.EINVAL)).contains("EINVAL", "CPU 3", "taskset");
    }

    /** A later line of the same setting wins: systemd.exec(5). */
    @Test
    void shouldBeAllowedToPinUnderTheUnitsThatAreShipped() throws IOException {
        for (String unit : List.of("sluice.service", "sluice@.service")) {
            List<String> filters = Files.readAllLines(Path.of("../docs/systemd", unit)).stream().filter(line -> line.startsWith("SystemCallFilter=")).toList();
            assertThat(filters.getLast()).as(unit).isEqualTo("SystemCallFilter=sched_setaffinity");
        }
    }
}
