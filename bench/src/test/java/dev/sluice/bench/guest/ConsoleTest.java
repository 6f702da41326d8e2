package dev.sluice.bench.guest;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.PipedReader;
import java.io.PipedWriter;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class ConsoleTest {
    private final long deadlineNanos = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    private final List<String> consumed = Collections.synchronizedList(new ArrayList<>());

    @Test
    void shouldWakeWhenTheLineComesAndNotBefore() throws Exception {
        PipedWriter guest = new PipedWriter();
        Console console = Console.follow(new BufferedReader(new PipedReader(guest)), consumed::add);
        guest.write("booting\r\nready or not\r\n");
        guest.flush();
        assertThat(console.awaitLine("booting", deadlineNanos)).isTrue();
        assertThat(console.awaitLine("ready", System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(50))).isFalse();
        guest.write("ready\r\n");
        guest.flush();
        assertThat(console.awaitLine("ready", deadlineNanos)).isTrue();
        guest.close();
        assertThat(console.awaitEnd(deadlineNanos)).isTrue();
        assertThat(consumed).containsExactly("booting", "ready or not", "ready");
        assertThat(console.text()).isEqualTo("booting\nready or not\nready\n");
    }

    @Test
    void shouldNotWaitForALineWhenTheConsoleHasEnded() throws Exception {
        PipedWriter guest = new PipedWriter();
        Console console = Console.follow(new BufferedReader(new PipedReader(guest)), consumed::add);
        guest.write("panic\r\n");
        guest.close();
        assertThat(console.awaitLine("ready", deadlineNanos)).isFalse();
        assertThat(System.nanoTime()).isLessThan(deadlineNanos);
        assertThat(console.tail()).isEqualTo("panic");
    }
}
