package dev.sluice.aio.sink;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.aio.threads.CallThreads;
import dev.sluice.linux.Errno;
import dev.sluice.pipeline.testing.TestIo;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Calls that other threads make for a sink, on a real file. */
@Timeout(60)
class ThreadCallsTest {
    private static final long MILLIS = 1_000_000;
    private static final ThreadFactory DAEMONS = Thread.ofPlatform().daemon().name("thread-calls-test-", 0).factory();

    private final List<Thread> made = new ArrayList<>();
    private int refusals;
    private int asked;
    private final CallThreads threads = new CallThreads("test-", 1, work -> {
        asked++;
        if (refusals > 0) {
            refusals--;
            throw new OutOfMemoryError("unable to create native thread");
        }
        Thread thread = DAEMONS.newThread(work);
        made.add(thread);
        return thread;
    });

    @AfterEach
    void closeThreads() throws InterruptedException {
        threads.close();
        for (Thread thread : made) {
            thread.join();
        }
    }

    private SinkRig rig(SinkRig rig) {
        rig.sink.threads = new ThreadCalls(rig.sink, rig.loop, threads);
        return rig;
    }

    private static int result(SinkRig rig, TestIo io) {
        rig.submit(io);
        rig.loop.tickUntil(io::answered);
        return io.result();
    }

    private static byte[] bytes(int length) {
        byte[] made = new byte[length];
        new SplittableRandom(length).nextBytes(made);
        return made;
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void shouldReadWriteZeroAndSync(boolean durable) throws IOException {
        byte[] content = bytes(16384);
        try (SinkRig rig = rig(durable ? new SinkRig(4096) : SinkRig.buffered())) {
            byte[] expected = new byte[SinkRig.SIZE];
            for (int length : new int[] {16384, 4096}) {
                TestIo write = TestIo.write(16384 / 512 * (length / 4096), Arrays.copyOf(content, length));
                assertThat(result(rig, durable ? write.asDurable() : write)).isEqualTo(length);
                System.arraycopy(content, 0, expected, 16384 * (length / 4096), length);
                TestIo read = TestIo.read(16384 / 512 * (length / 4096), length);
                assertThat(result(rig, read)).isEqualTo(length);
                assertThat(read.data()).isEqualTo(Arrays.copyOf(content, length));
            }
            assertThat(Files.readAllBytes(rig.path)).isEqualTo(expected);
            assertThat(result(rig, TestIo.writeZeroes(65536 / 512, 4096))).isZero();
            assertThat(result(rig, TestIo.discard(65536 / 512 + 16, 4096))).isZero();
            Arrays.fill(expected, 65536, 65536 + 4096, (byte) 0);
            Arrays.fill(expected, 65536 + 8192, 65536 + 12288, (byte) 0);
            assertThat(result(rig, TestIo.flush())).isZero();
            assertThat(Files.readAllBytes(rig.path)).isEqualTo(expected);
            assertThat(asked).isEqualTo(1);
            assertThat(rig.loop.counters().submissions()).isEqualTo(7);
            assertThat(rig.loop.counters().completions()).isEqualTo(7);
        }
    }

    /** pwrite(2) knows no RWF_DSYNC: a short one is synced as well, a failed one not. */
    @Test
    void shouldPassOnWhatACallFailedWith() throws IOException {
        try (SinkRig rig = rig(new SinkRig(4096))) {
            ThreadCalls calls = new ThreadCalls(rig.sink, rig.loop, threads);
            TestIo io = rig.add(TestIo.read(0, 512));
            rig.tick();
            assertThat(calls.startBuffer(0, false, -1, 0, 512, 0, 2)).isTrue();
            assertThat(calls.inFlight()).isEqualTo(1);
            rig.loop.tickUntil(io::answered);
            assertThat(io.result()).isEqualTo(-Errno.EBADF);
            assertThat(calls.inFlight()).isZero();
        }
    }

    @Test
    void shouldCountCallsUntilTheyAreBack() throws Exception {
        try (SinkRig rig = rig(new SinkRig(4096))) {
            CountDownLatch hold = new CountDownLatch(1);
            assertThat(threads.run(() -> {
                try {
                    hold.await();
                } catch (InterruptedException stopped) {
                    Thread.currentThread().interrupt();
                }
            })).isTrue();
            TestIo one = TestIo.read(0, 512);
            TestIo other = TestIo.read(8, 512);
            rig.submit(one, other);
            assertThat(rig.sink.inKernel()).isEqualTo(2);
            hold.countDown();
            rig.loop.tickUntil(() -> one.answered() && other.answered());
            assertThat(rig.sink.inKernel()).isZero();
            assertThat(rig.sink.counters().operations()).isEqualTo(2);
        }
    }

    @Test
    void shouldAskForAThreadAgainAfterPausesThatDoubleTo128Milliseconds() throws IOException {
        try (SinkRig rig = rig(new SinkRig(4096))) {
            ThreadCalls calls = new ThreadCalls(rig.sink, rig.loop, threads);
            rig.add(TestIo.read(0, 512));
            refusals = 10;
            assertThat(calls.startSync(0, rig.image.fd())).isFalse();
            int before = 1;
            for (long pause : new long[] {1, 2, 4, 8, 16, 32, 64, 128, 128}) {
                assertThat(asked).isEqualTo(before);
                rig.loop.advance(pause * MILLIS - 1);
                rig.tick();
                assertThat(calls.startSync(0, rig.image.fd())).isFalse();
                assertThat(asked).as("not within %d ms", pause).isEqualTo(before);
                rig.loop.advance(1);
                rig.tick();
                assertThat(calls.startSync(0, rig.image.fd())).isFalse();
                before++;
            }
            assertThat(calls.inFlight()).isZero();
            assertThat(rig.loop.counters().submissions()).isZero();
            rig.loop.advance(128 * MILLIS);
            rig.tick();
            refusals = 0;
            assertThat(calls.startSync(0, rig.image.fd())).isTrue();
            rig.loop.tickUntil(() -> calls.inFlight() == 0);
            assertThat(rig.sink.inFlight()).as("a READ whose call has moved nothing").isZero();
        }
    }

    @Test
    void shouldMakeTheCallsOfAClosingSinkOnItsLoopIfThereIsNoThread() throws IOException {
        refusals = Integer.MAX_VALUE;
        try (SinkRig rig = rig(new SinkRig(4096))) {
            TestIo write = rig.submit(TestIo.write(0, bytes(4096)));
            rig.tick();
            assertThat(write.answered()).isFalse();
            rig.sink.close();
            assertThat(write.answered()).as("never inside a flush").isFalse();
            rig.loop.ticks(2);
            assertThat(write.result()).isEqualTo(4096);
            assertThat(Arrays.copyOf(Files.readAllBytes(rig.path), 4096)).isEqualTo(bytes(4096));
            assertThat(rig.loop.counters().submissions()).isEqualTo(1);
            assertThat(rig.loop.counters().completions()).isEqualTo(1);
        }
    }

    @Test
    void shouldRunATaskAnyhow() throws IOException {
        try (SinkRig rig = rig(new SinkRig(4096))) {
            ThreadCalls calls = new ThreadCalls(rig.sink, rig.loop, threads);
            List<Thread> ran = new ArrayList<>();
            refusals = 1;
            calls.runAnyhow(() -> ran.add(Thread.currentThread()));
            assertThat(ran).containsExactly(Thread.currentThread());
            CountDownLatch done = new CountDownLatch(1);
            calls.runAnyhow(() -> {
                ran.add(Thread.currentThread());
                done.countDown();
            });
            rig.loop.tickUntil(() -> done.getCount() == 0);
            assertThat(ran).containsExactly(Thread.currentThread(), made.getFirst());
        }
    }

    /** The mailbox has it, and then waking the loop finds no memory: the result counts once. */
    @Test
    void shouldBringAResultBackOnceHoweverOftenPostingItFails() throws IOException {
        try (SinkRig rig = rig(new SinkRig(4096))) {
            TestIo io = rig.add(TestIo.read(0, 512));
            rig.loop.inKernel(() -> {
                rig.loop.failWakeUps(3);
                long began = System.nanoTime();
                rig.sink.flush();
                while (rig.loop.wakeUps() < 4) {
                    assertThat(System.nanoTime() - began).isLessThan(TimeUnit.SECONDS.toNanos(30));
                    Thread.onSpinWait();
                }
                assertThat(System.nanoTime() - began).as("it waits between tries").isGreaterThanOrEqualTo(3 * MILLIS);
            });
            rig.tick();
            rig.loop.tickUntil(io::answered);
            rig.loop.ticks(2);
            assertThat(io.answers()).isEqualTo(1);
            assertThat(rig.sink.inKernel()).isZero();
            assertThat(rig.loop.counters().completions()).isEqualTo(1);
        }
    }
}
