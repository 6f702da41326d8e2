package dev.sluice.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class CallingThreadTest {
    @Test
    void shouldBeATaskOfThisProcess() {
        assertThat(Files.exists(Path.of("/proc/self/task/" + CallingThread.id()))).isTrue();
    }

    @Test
    void shouldStayOnTheCpuThatItIsPinnedTo() throws InterruptedException {
        AtomicInteger pinned = new AtomicInteger(-1);
        AtomicInteger seen = new AtomicInteger(-2);
        Thread thread =
                Thread.ofPlatform()
                        .start(
                                () -> {
                                    int cpu = CallingThread.cpu();
                                    pinned.set(CallingThread.pin(cpu) == 0 ? cpu : -1);
                                    seen.set(CallingThread.cpu());
                                });
        thread.join();
        assertThat(pinned.get()).isNotNegative().isEqualTo(seen.get());
    }

    @Test
    void shouldRefuseACpuThatCannotBe() {
        assertThat(CallingThread.pin(-1)).isEqualTo(-Errno.EINVAL);
        assertThat(CallingThread.pin(1024)).isEqualTo(-Errno.EINVAL);
        assertThat(CallingThread.pin()).isEqualTo(-Errno.EINVAL);
    }
}
