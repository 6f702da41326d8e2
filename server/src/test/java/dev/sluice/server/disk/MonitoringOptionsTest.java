package dev.sluice.server.disk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.server.systemd.ActivatedSockets;
import java.io.IOException;
import org.junit.jupiter.api.Test;

class MonitoringOptionsTest {
    @Test
    void shouldSayWhatIsMissingInAnAddress() {
        refused("[::1]", "the port is missing", "[::1]:9759");
        refused("[]", "the port is missing");
        refused("::1", "put an IPv6 address in brackets");
        refused("::1:9759", "put an IPv6 address in brackets");
        refused("[::1]:", "HOST:PORT");
        refused("[]:9759", "HOST:PORT");
        refused("localhost", "HOST:PORT");
        refused(":9759", "HOST:PORT");
        assertThat(MonitoringOptions.parse("[::1]:9759").getPort()).isEqualTo(9759);
        assertThat(MonitoringOptions.parse("9759").getAddress().isLoopbackAddress()).isTrue();
    }

    private static void refused(String address, String... said) {
        assertThatThrownBy(() -> MonitoringOptions.parse(address)).isInstanceOf(IllegalArgumentException.class).hasMessageContainingAll(said)
                .hasMessageContaining(address);
    }

    @Test
    void shouldShowTheAddressThatWasAskedFor() throws IOException {
        try (DiskHost host = DiskHost.start(LoopSpec.DEFAULT, ActivatedSockets.none());
                Monitoring shown = Monitoring.start(MonitoringOptions.parse("0.0.0.0:0"), host)) {
            assertThat(shown.url()).matches("http://0\\.0\\.0\\.0:[1-9][0-9]*");
        }
    }
}
