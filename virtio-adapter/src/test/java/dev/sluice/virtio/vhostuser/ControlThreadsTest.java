package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** How many threads there are for front ends, and what happens where one is refused. */
@Timeout(120)
final class ControlThreadsTest {
    private final List<Thread> made = new CopyOnWriteArrayList<>();
    private volatile int allowed = Integer.MAX_VALUE;
    private final ControlThreads threads = new ControlThreads(work -> {
        if (made.size() >= allowed) {
            throw new OutOfMemoryError("made up");
        }
        Thread thread = Thread.ofPlatform().daemon().name("control-threads-test").unstarted(work);
        made.add(thread);
        return thread;
    });

    private final CountDownLatch hold = new CountDownLatch(1);

    private void connected() {
        try {
            hold.await();
        } catch (InterruptedException ended) {
            Thread.currentThread().interrupt();
        }
    }

    private static ControlThreads.Task task(Runnable work) {
        return () -> {
            work.run();
            return () -> {};
        };
    }

    private long alive() {
        return made.stream().filter(Thread::isAlive).count();
    }

    private void awaitAlive(int count) {
        long begun = System.nanoTime();
        while (alive() != count) {
            assertThat(System.nanoTime() - begun).as("%d threads for %d", alive(), count).isLessThan(TimeUnit.SECONDS.toNanos(60));
            Thread.onSpinWait();
        }
    }

    @Test
    void shouldHaveOneSpareThreadForDevicesThatNobodyIsConnectedTo() throws Exception {
        for (int i = 0; i < 100; i++) {
            threads.admit();
        }
        assertThat(made).hasSize(1);
    }

    @Test
    void shouldHaveOneThreadForEachFrontEndAndNoMoreThanThereAreDevices() throws Exception {
        for (int i = 0; i < 3; i++) {
            threads.admit();
        }
        for (int i = 0; i < 3; i++) {
            assertThat(threads.run(task(this::connected))).isNull();
            assertThat(made).hasSize(Math.min(i + 2, 3));
        }
        hold.countDown();
        awaitAlive(1);
        for (int i = 0; i < 3; i++) {
            threads.dismiss();
        }
        awaitAlive(0);
    }

    @Test
    void shouldServeTheNextFrontEndWithTheThreadThatWasThereBefore() throws Exception {
        threads.admit();
        threads.admit();
        allowed = 1;
        assertThat(threads.run(task(this::connected))).as("the spare thread").isNull();
        assertThat(threads.run(task(this::connected))).as("one that is refused").hasMessage("made up");
        hold.countDown();
        awaitIdle();
        CountDownLatch done = new CountDownLatch(1);
        assertThat(threads.run(task(done::countDown))).as("once the first has gone").isNull();
        done.await();
    }

    private void awaitIdle() {
        while (!waitsForWork()) {
            Thread.onSpinWait();
        }
    }

    private boolean waitsForWork() {
        for (StackTraceElement frame : made.getFirst().getStackTrace()) {
            if (frame.getMethodName().equals("next")) {
                return true;
            }
        }
        return false;
    }

    @Test
    void shouldRefuseADeviceForWhichThereIsNoThread() throws Exception {
        allowed = 0;
        assertThatThrownBy(threads::admit).isInstanceOf(IOException.class)
                .hasMessageContaining("cannot start a thread for front ends (made up): raise the limit of tasks");
        allowed = 1;
        threads.admit();
        assertThat(threads.run(task(this::connected))).isNull();
        assertThatThrownBy(threads::admit).as("the only thread is busy").hasMessageContaining("made up");
        allowed = 2;
        threads.admit();
        hold.countDown();
        awaitAlive(1);
        threads.dismiss();
        awaitAlive(1);
        threads.dismiss();
        awaitAlive(0);
    }

    @Test
    void shouldKeepItsThreadWhateverATaskThrows() throws Exception {
        threads.admit();
        CountDownLatch thrown = new CountDownLatch(1);
        assertThat(threads.run(() -> {
            thrown.countDown();
            throw new AssertionError("made up");
        })).isNull();
        thrown.await();
        awaitIdle();
        CountDownLatch done = new CountDownLatch(1);
        assertThat(threads.run(task(done::countDown))).isNull();
        done.await();
        assertThat(made).hasSize(1);
    }

    /** Else the next connection to the device that it has served could be refused, though its thread is free. */
    @Test
    void shouldBeSpareBeforeWhatFollowsItsTask() throws Exception {
        threads.admit();
        allowed = 1;
        CountDownLatch done = new CountDownLatch(1);
        List<String> refusals = new CopyOnWriteArrayList<>();
        assertThat(threads.run(() -> () -> {
            Throwable refused = threads.run(task(done::countDown));
            if (refused != null) {
                refusals.add(refused.toString());
                done.countDown();
            }
        })).isNull();
        done.await();
        assertThat(refusals).isEmpty();
        assertThat(made).hasSize(1);
    }

    @Test
    void shouldKeepItsThreadWhateverFollowsATask() throws Exception {
        threads.admit();
        assertThat(threads.run(() -> () -> {
            throw new AssertionError("made up");
        })).isNull();
        awaitIdle();
        CountDownLatch done = new CountDownLatch(1);
        assertThat(threads.run(task(done::countDown))).isNull();
        done.await();
        assertThat(made).hasSize(1);
    }
}
