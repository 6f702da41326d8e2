package dev.sluice.server.disk;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.sluice.server.cli.LaunchException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/** What people write on a command line, each its own notation: a value within its bounds, or an error that quotes it. The input is the text. */
class OptionTextFuzzTest {
    private static final int MAX_CPUS = 1024;

    @FuzzTest(maxDuration = "2m")
    void shouldReadOrRefuseWhenASizeIsAnything(byte[] input) {
        String text = text(input);
        long bytes;
        try {
            bytes = ByteSize.parse("--size", text);
        } catch (IllegalArgumentException refused) {
            assertThat(refused).hasMessageContaining("--size '" + text + "'");
            return;
        }
        assertThat(ByteSize.parse("--size", Long.toString(bytes))).isEqualTo(bytes);
    }

    @FuzzTest(maxDuration = "2m")
    void shouldReadOrRefuseWhenAnAddressIsAnything(byte[] input) {
        String text = text(input);
        InetSocketAddress address;
        try {
            address = MonitoringOptions.unresolved(text);
        } catch (IllegalArgumentException refused) {
            assertThat(refused).hasMessageContaining("--metrics '" + text + "'");
            return;
        }
        assertThat(address.isUnresolved()).as("nobody is asked for a name").isTrue();
        assertThat(address.getPort()).isBetween(0, 65535);
        assertThat(address.getHostString()).isNotEmpty();
    }

    @FuzzTest(maxDuration = "2m")
    void shouldReadOrRefuseWhenAListOfCpusIsAnything(byte[] input) {
        String text = text(input);
        List<Integer> cpus;
        try {
            cpus = LoopLayout.cpus(text);
        } catch (LaunchException refused) {
            assertThat(refused).hasMessageStartingWith("--loop-cpus");
            return;
        }
        assertThat(cpus).allMatch(cpu -> cpu >= 0 && cpu < MAX_CPUS);
        assertThat(cpus.size()).isLessThanOrEqualTo(MAX_CPUS * parts(text));
    }

    @FuzzTest(maxDuration = "2m")
    void shouldReadOrRefuseWhenAMapOfQueuesIsAnything(byte[] input) {
        String text = text(input);
        Map<Integer, Integer> loops;
        try {
            loops = LoopLayout.queueToLoop(text);
        } catch (LaunchException refused) {
            assertThat(refused).hasMessageStartingWith("--queue-loop-map");
            return;
        }
        assertThat(loops).hasSize(parts(text));
        loops.forEach((queue, loop) -> {
            assertThat(queue).isBetween(0, 255);
            assertThat(loop).isBetween(0, LoopSpec.MAX_LOOPS - 1);
        });
    }

    private static String text(byte[] input) {
        return new String(input, StandardCharsets.UTF_8);
    }

    private static int parts(String text) {
        return text.isEmpty() ? 0 : text.split(",", -1).length;
    }
}
