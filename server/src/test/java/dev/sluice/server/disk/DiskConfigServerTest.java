package dev.sluice.server.disk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.server.systemd.ActivatedSockets;
import dev.sluice.server.systemd.ServiceNotifier;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;

class DiskConfigServerTest {
    private final ByteArrayOutputStream said = new ByteArrayOutputStream();
    private final ByteArrayOutputStream told = new ByteArrayOutputStream();

    @Test
    void shouldAnswerAReloadThatFailsOnABug() throws IOException {
        PrintStream out = System.out;
        PrintStream err = System.err;
        try (DiskHost host = DiskHost.start(LoopSpec.DEFAULT, ActivatedSockets.none())) {
            System.setOut(new PrintStream(said, true, StandardCharsets.UTF_8));
            System.setErr(new PrintStream(told, true, StandardCharsets.UTF_8));
            DiskConfigServer server = new DiskConfigServer(broken(), host, ServiceNotifier.of(Map.of()));
            server.reload();
            server.reload();
        } finally {
            System.setOut(out);
            System.setErr(err);
        }
        String line = "not reloaded: disks.yaml: the disks are unchanged\n";
        assertThat(said.toString(StandardCharsets.UTF_8)).isEqualTo(line + line);
        assertThat(told.toString(StandardCharsets.UTF_8)).contains("a bug in sluice: java.lang.IllegalStateException: on purpose");
    }

    /** A path at which everything fails but to say it. */
    private static Path broken() {
        return (Path) Proxy.newProxyInstance(Path.class.getClassLoader(), new Class<?>[] {Path.class}, (proxy, method, arguments) -> {
            if (method.getName().equals("toString")) {
                return "disks.yaml";
            }
            throw new IllegalStateException("on purpose");
        });
    }
}
