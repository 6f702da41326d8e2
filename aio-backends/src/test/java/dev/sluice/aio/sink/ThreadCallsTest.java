package dev.sluice.aio.sink;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.aio.threads.CallThreads;
import dev.sluice.linux.Errno;
import dev.sluice.linux.Fd;
import dev.sluice.linux.Iovec;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.testing.TestIo;
import java.io.IOException;
import java.io.RandomAccessFile;
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
import org.junit.jupiter.params.provider.CsvSource;
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
        rig.loop.tickUntil(io::completed);
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
                TestIo write = TestIo.write(32L * (length / 4096), Arrays.copyOf(content, length));
                assertThat(result(rig, durable ? write.asDurable() : write)).isEqualTo(length);
                System.arraycopy(content, 0, expected, 16384 * (length / 4096), length);
                TestIo read = TestIo.read(32L * (length / 4096), length);
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

    /** Starts a call for a slot. */
    @FunctionalInterface
    private interface Start {
        boolean start(ThreadCalls calls);
    }

    private int resultOf(SinkRig rig, TestIo io, Start start) {
        ThreadCalls calls = new ThreadCalls(rig.sink, rig.loop, threads);
        // Submitted, and never flushed: the call is the test's.
        BlockRequest request = rig.request(io);
        assertThat(rig.sink.submit(request)).isTrue();
        assertThat(start.start(calls)).isTrue();
        assertThat(calls.inFlight()).isEqualTo(1);
        rig.loop.tickUntil(io::completed);
        assertThat(calls.inFlight()).isZero();
        return io.result();
    }

    @Test
    void shouldPassOnWhatACallFailedWith() throws IOException {
        for (Start start : List.<Start>of(
                calls -> calls.startBuffer(0, false, -1, 0, 512, 0, 0),
                calls -> calls.startVector(0, false, -1, 0, 1, 0, 0),
                calls -> calls.startFallocate(0, -1, 0, 0, 512),
                calls -> calls.startSync(0, -1))) {
            try (SinkRig rig = new SinkRig(4096)) {
                assertThat(resultOf(rig, TestIo.read(0, 512), start)).isEqualTo(-Errno.EBADF);
            }
        }
    }

    /** pwrite(2) knows no RWF_DSYNC, so fdatasync(2) follows, which these devices do not have. */
    @ParameterizedTest
    @CsvSource({
        "/dev/null, 512, 0, 512",
        "/dev/null, 512, " + LinuxFile.RWF_DSYNC + ", -" + Errno.EINVAL,
        "/dev/full, 512, " + LinuxFile.RWF_DSYNC + ", -" + Errno.ENOSPC,
        "/dev/null, 0, " + LinuxFile.RWF_DSYNC + ", -" + Errno.ENOSPC
    })
    void shouldSyncWhatIsToSyncItselfAndWasWritten(String device, int bytes, int rwFlags, int result) throws IOException {
        try (NativeBlock block = NativeMemory.allocate(512, 512);
                Fd file = LinuxFile.openOrThrow(device, LinuxFile.O_RDWR | LinuxFile.O_CLOEXEC, 0);
                SinkRig rig = new SinkRig(4096)) {
            assertThat(resultOf(rig, TestIo.write(0, new byte[512]), calls -> calls.startBuffer(0, false, file.number(), block.address(), bytes, 0, rwFlags)))
                    .isEqualTo(result);
        }
    }

    @Test
    void shouldHandTheFlagsOfAVectorToTheKernel() throws IOException {
        int unknown = 1 << 30;
        try (NativeBlock block = NativeMemory.allocate(512, 512);
                NativeBlock iovecs = NativeMemory.allocate(Iovec.SIZE, 16);
                Fd file = LinuxFile.openOrThrow("/dev/null", LinuxFile.O_RDWR | LinuxFile.O_CLOEXEC, 0);
                SinkRig rig = new SinkRig(4096)) {
            Iovec.set(iovecs.address(), 0, block.address(), 512);
            Start vector = calls -> calls.startVector(0, false, file.number(), iovecs.address(), 1, 0, unknown);
            assertThat(resultOf(rig, TestIo.write(0, new byte[512]), vector)).isEqualTo(-Errno.EOPNOTSUPP);
        }
    }

    @Test
    void shouldReachPlacesBeyond4GiB() throws IOException {
        long offset = (4L << 30) + 8192;
        byte[] content = bytes(16384);
        try (SinkRig rig = rig(SinkRig.buffered());
                RandomAccessFile file = new RandomAccessFile(rig.path.toFile(), "r")) {
            rig.image.resize(5L << 30);
            for (int length : new int[] {4096, 16384}) {
                byte[] written = Arrays.copyOf(content, length);
                assertThat(result(rig, TestIo.write(offset / 512, written))).isEqualTo(length);
                byte[] found = new byte[length];
                file.seek(offset);
                file.readFully(found);
                assertThat(found).isEqualTo(written);
                TestIo read = TestIo.read(offset / 512, length);
                assertThat(result(rig, read)).isEqualTo(length);
                assertThat(read.data()).isEqualTo(written);
            }
            assertThat(result(rig, TestIo.writeZeroes(offset / 512, 16384))).isZero();
            byte[] found = new byte[16384];
            file.seek(offset);
            file.readFully(found);
            assertThat(found).containsOnly(0);
        }
    }

    /** The clock of a machine may be negative. */
    @Test
    void shouldAskForAThreadAtOnceWhateverTheClockShows() throws IOException {
        try (SinkRig rig = rig(new SinkRig(4096))) {
            rig.loop.advance(-1_000_000 * MILLIS);
            rig.tick();
            assertThat(result(rig, TestIo.read(0, 512))).isEqualTo(512);
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
            rig.loop.tickUntil(() -> one.completed() && other.completed());
            assertThat(rig.sink.inKernel()).isZero();
            assertThat(rig.sink.counters().operations()).isEqualTo(2);
        }
    }

    @Test
    void shouldAskForAThreadAgainAfterPausesThatDoubleTo128Milliseconds() throws Exception {
        try (SinkRig rig = rig(new SinkRig(4096))) {
            ThreadCalls calls = new ThreadCalls(rig.sink, rig.loop, threads);
            rig.add(TestIo.read(0, 512));
            refusals = 10;
            assertThat(calls.startSync(0, rig.image.fd())).isFalse();
            assertThat(calls.startVector(0, false, -1, 0, 1, 0, 0)).isFalse();
            assertThat(calls.startBuffer(0, false, -1, 0, 512, 0, 0)).isFalse();
            assertThat(calls.startFallocate(0, -1, 0, 0, 512)).isFalse();
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
            assertThat(asked).as("no pause is longer than 128 ms").isEqualTo(before);
            assertThat(calls.inFlight()).isZero();
            assertThat(rig.loop.counters().submissions()).isZero();
            rig.loop.advance(128 * MILLIS);
            rig.tick();
            refusals = 0;
            assertThat(calls.startSync(0, rig.image.fd())).isTrue();
            rig.loop.tickUntil(() -> calls.inFlight() == 0);
            assertThat(rig.sink.inFlight()).as("a READ whose call has moved nothing").isZero();
            threads.close();
            made.getLast().join();
            refusals = Integer.MAX_VALUE;
            assertThat(calls.startSync(0, rig.image.fd())).isFalse();
            before = asked;
            rig.loop.advance(MILLIS);
            rig.tick();
            assertThat(calls.startSync(0, rig.image.fd())).isFalse();
            assertThat(asked).as("the pause is short again").isEqualTo(before + 1);
        }
    }

    @Test
    void shouldMakeTheCallsOfAClosingSinkOnItsLoopIfThereIsNoThread() throws IOException {
        refusals = Integer.MAX_VALUE;
        try (SinkRig rig = rig(new SinkRig(4096))) {
            TestIo write = rig.submit(TestIo.write(0, bytes(4096)));
            rig.tick();
            assertThat(write.completed()).isFalse();
            rig.sink.close();
            assertThat(write.completed()).as("never inside a flush").isFalse();
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
            long[] tookNanos = {0};
            rig.loop.inKernel(() -> {
                rig.loop.failWakeUps(200);
                long began = System.nanoTime();
                rig.sink.flush();
                while (rig.loop.wakeUps() < 201 && tookNanos[0] < TimeUnit.SECONDS.toNanos(30)) {
                    tookNanos[0] = System.nanoTime() - began;
                    Thread.onSpinWait();
                }
            });
            rig.tick();
            // Not in the kernel: what is thrown there is the loop's to log.
            assertThat(rig.loop.wakeUps()).isEqualTo(201);
            assertThat(tookNanos[0]).as("it waits between tries").isGreaterThanOrEqualTo(200 * MILLIS);
            rig.loop.tickUntil(io::completed);
            rig.loop.ticks(2);
            assertThat(io.completions()).isEqualTo(1);
            assertThat(rig.sink.inKernel()).isZero();
            assertThat(rig.loop.counters().completions()).isEqualTo(1);
        }
    }
}
