package dev.sluice.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Signals that nobody in this JVM cares about: they are ignored by default. */
@Timeout(120)
class SignalPipeTest {
    private static final int SIGURG = 23;
    private static final int SIGWINCH = 28;

    private static void send(String name) throws IOException, InterruptedException {
        Process kill = new ProcessBuilder("kill", "-" + name, Long.toString(ProcessHandle.current().pid())).start();
        assertThat(kill.waitFor()).isZero();
    }

    @Test
    void shouldReportEachSignalByItsNumber() throws IOException, InterruptedException {
        SignalPipe pipe = SignalPipe.open();
        assertThat(pipe.take(SIGWINCH)).isTrue();
        assertThat(pipe.take(SIGURG)).isTrue();
        for (int i = 0; i < 20; i++) {
            send("WINCH");
            assertThat(pipe.await()).isEqualTo(SIGWINCH);
            send("URG");
            assertThat(pipe.await()).isEqualTo(SIGURG);
        }
    }

    @Test
    void shouldDropSignalsRatherThanWaitWhenNobodyReads() throws IOException, InterruptedException {
        SignalPipe pipe = SignalPipe.open();
        assertThat(pipe.take(SIGWINCH)).isTrue();
        Process many = new ProcessBuilder("sh", "-c", "i=0; while [ $i -lt 5000 ]; do kill -WINCH " + ProcessHandle.current().pid() + "; i=$((i+1)); done").start();
        assertThat(many.waitFor()).as("and this process still works").isZero();
        assertThat(pipe.await()).isEqualTo(SIGWINCH);
    }

    @Test
    void shouldTellAnErrnoWhenASignalCannotBeHandled() throws IOException {
        SignalPipe pipe = SignalPipe.open();
        assertThatThrownBy(() -> pipe.take(9)).hasMessageContaining("EINVAL");
    }
}
