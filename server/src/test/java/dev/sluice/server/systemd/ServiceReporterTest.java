package dev.sluice.server.systemd;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.DatagramReceiver;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ServiceReporterTest {
    private static final long PID = 4711;
    private static final Executor RESPONDS = Runnable::run;

    @TempDir
    Path directory;

    private ServiceNotifier manager(Map<String, String> more) {
        Map<String, String> environment = new HashMap<>(more);
        environment.put(ServiceNotifier.NOTIFY_SOCKET, directory.resolve("notify").toString());
        return ServiceNotifier.of(environment, PID);
    }

    @Test
    void shouldFeedTheWatchdogWhileEveryLoopRespondsAndNotWhenOneDoesNot() throws Exception {
        BlockingQueue<Runnable> tasks = new LinkedBlockingQueue<>();
        AtomicInteger changes = new AtomicInteger();
        try (DatagramReceiver receiver = DatagramReceiver.at(directory.resolve("notify").toString())) {
            ServiceNotifier manager = manager(Map.of("WATCHDOG_USEC", "400000", "WATCHDOG_PID", Long.toString(PID)));
            manager.ready("0");
            assertThat(receiver.receive()).isEqualTo("READY=1\nSTATUS=0");
            try (ServiceReporter _ = ServiceReporter.start(manager, () -> Integer.toString(changes.get()), List.of(RESPONDS, tasks::add))) {
                for (int i = 0; i < 3; i++) {
                    tasks.take().run();
                    assertThat(receiver.receive()).isEqualTo("WATCHDOG=1");
                }
                Runnable late = tasks.take();
                // Seen several times over: each status comes after the watchdog's turn.
                for (int i = 1; i <= 12; i++) {
                    changes.set(i);
                    assertThat(receiver.receive()).isEqualTo("STATUS=" + i);
                }
                assertThat(tasks).as("probes of a loop that has not responded to the one before").isEmpty();
                late.run();
                assertThat(receiver.receive()).isEqualTo("WATCHDOG=1");
            }
        }
    }

    @Test
    void shouldWakeNoLoopWhenThereIsNoWatchdogOrItIsOfAnotherProcess() throws Exception {
        for (Map<String, String> environment : List.of(Map.<String, String>of(), Map.of("WATCHDOG_USEC", "1000", "WATCHDOG_PID", "1"),
                Map.of("WATCHDOG_USEC", "0"), Map.of("WATCHDOG_USEC", "x"))) {
            AtomicInteger asked = new AtomicInteger();
            AtomicInteger changes = new AtomicInteger();
            assertThat(manager(environment).watchdogNanos()).isZero();
            Path socket = directory.resolve("notify");
            try (DatagramReceiver receiver = DatagramReceiver.at(socket.toString())) {
                ServiceNotifier manager = manager(environment);
                manager.ready("");
                assertThat(receiver.receive()).startsWith("READY=1");
                try (ServiceReporter _ = ServiceReporter.start(manager, () -> Integer.toString(changes.get()), List.of(task -> asked.incrementAndGet()))) {
                    for (int i = 1; i <= 2; i++) {
                        changes.set(i);
                        assertThat(receiver.receive()).isEqualTo("STATUS=" + i);
                    }
                }
            }
            Files.delete(socket);
            assertThat(asked).hasValue(0);
        }
    }

    @Test
    void shouldAskForMoreTimeAgainAndAgainWhileItDrains() throws Exception {
        try (DatagramReceiver receiver = DatagramReceiver.at(directory.resolve("notify").toString());
                ServiceReporter reporter = ServiceReporter.start(manager(Map.of()), () -> "", List.of(RESPONDS))) {
            reporter.draining();
            assertThat(receiver.receive()).isEqualTo("STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=15000000");
            assertThat(receiver.receive()).isEqualTo("EXTEND_TIMEOUT_USEC=15000000");
        }
    }
}
