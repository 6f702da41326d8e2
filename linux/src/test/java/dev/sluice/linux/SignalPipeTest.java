package dev.sluice.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Signals that nobody in this JVM cares about: they are ignored by default. */
@Timeout(120)
class SignalPipeTest {
    /** Long enough for an emulated machine; only a test that fails waits for it. */
    private static final long LIMIT_SECONDS = 100;

    private static final int SIGURG = 23;
    private static final int SIGWINCH = 28;

    private static final long SIG_DFL = 0;
    private static final long SIG_IGN = 1;
    /** More than any pipe holds. */
    private static final int MANY = 100_000;

    private static final Libc.Call1 RAISE = new Libc.Call1(Libc.returningInt("raise"));
    private static final Libc.Call2 SIGNAL = new Libc.Call2(Libc.returningLong("signal"));
    private static final Libc.Call2 SIGINTERRUPT = new Libc.Call2(Libc.returningInt("siginterrupt"));
    private static final Libc.Call3 TGKILL = new Libc.Call3(Libc.returningInt("tgkill"));

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

    /** The handler runs on the thread that raises the signal, before raise(3) returns. */
    @Test
    void shouldDropSignalsRatherThanWaitWhenNobodyReads() throws Exception {
        SignalPipe pipe = SignalPipe.open();
        assertThat(pipe.take(SIGWINCH)).isTrue();
        CountDownLatch raised = new CountDownLatch(1);
        Thread raiser = Thread.ofPlatform().daemon().start(() -> {
            for (int i = 0; i < MANY; i++) {
                long _ = RAISE.call(SIGWINCH);
            }
            raised.countDown();
        });
        assertThat(raised.await(LIMIT_SECONDS, TimeUnit.SECONDS)).as("the thread that a signal interrupts continues").isTrue();
        raiser.join();
        assertThat(pipe.await()).isEqualTo(SIGWINCH);
    }

    /** nohup(1) has a process started with SIGHUP ignored, which has to stay so. */
    @Test
    void shouldLeaveASignalIgnoredThatWasIgnoredBefore() throws IOException {
        SignalPipe pipe = SignalPipe.open();
        try {
            assertThat(SIGNAL.call(SIGURG, SIG_IGN)).isNotNegative();
            assertThat(pipe.take(SIGURG)).isFalse();
            assertThat(ignored(SIGURG)).isTrue();
            assertThat(SIGNAL.call(SIGURG, SIG_DFL)).isEqualTo(SIG_IGN);
            assertThat(pipe.take(SIGURG)).isTrue();
            assertThat(ignored(SIGURG)).isFalse();
        } finally {
            long _ = SIGNAL.call(SIGURG, SIG_DFL);
        }
    }

    private static boolean ignored(int signal) throws IOException {
        String mask = Files.readAllLines(Path.of("/proc/self/status")).stream().filter(line -> line.startsWith("SigIgn:")).findFirst().orElseThrow();
        return (Long.parseUnsignedLong(mask.substring(mask.indexOf(':') + 1).trim(), 16) >>> (signal - 1) & 1) != 0;
    }

    /** A handler without SA_RESTART interrupts the thread that reads: it reads again. */
    @Test
    void shouldWaitOnWhenItsReadIsInterrupted() throws Exception {
        SignalPipe pipe = SignalPipe.open();
        SignalPipe other = SignalPipe.open();
        AtomicInteger reader = new AtomicInteger();
        FutureTask<Integer> received = new FutureTask<>(() -> {
            reader.set(CallingThread.id());
            return pipe.await();
        });
        assertThat(pipe.take(SIGWINCH)).isTrue();
        assertThat(SIGINTERRUPT.call(SIGURG, 1)).isZero();
        try {
            assertThat(other.take(SIGURG)).isTrue();
            Thread.ofPlatform().daemon().start(received);
            for (int i = 0; i < 3; i++) {
                awaitRead(reader);
                assertThat(TGKILL.call(ProcessHandle.current().pid(), reader.get(), SIGURG)).isZero();
                assertThat(other.await()).isEqualTo(SIGURG);
            }
            send("WINCH");
            assertThat(received.get(LIMIT_SECONDS, TimeUnit.SECONDS)).isEqualTo(SIGWINCH);
        } finally {
            long _ = SIGINTERRUPT.call(SIGURG, 0);
            long _ = SIGNAL.call(SIGURG, SIG_DFL);
        }
    }

    /** Until a thread is inside read(2), whose number is that of the architecture. */
    private static void awaitRead(AtomicInteger thread) throws IOException, InterruptedException {
        String read = LinuxPlatform.AARCH64 ? "63 " : "0 ";
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT_SECONDS);
        while (thread.get() == 0 || !Files.readString(Path.of("/proc/self/task/" + thread.get() + "/syscall")).startsWith(read)) {
            assertThat(System.nanoTime() - end).as("the thread has read or ended").isNegative();
            TimeUnit.MILLISECONDS.sleep(1);
        }
    }

    @Test
    void shouldTellAnErrnoWhenASignalCannotBeHandled() throws IOException {
        SignalPipe pipe = SignalPipe.open();
        assertThatThrownBy(() -> pipe.take(9)).hasMessageContaining("EINVAL");
    }
}
