package dev.sluice.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.testing.PollLoop;
import dev.sluice.pipeline.testing.SimulatedBackend;
import dev.sluice.pipeline.testing.SimulatedFaults;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import reactor.core.Disposable;
import reactor.core.Exceptions;

/** Many threads on a disk that does what it likes: each has its own part of the disk and knows what must be there. */
class DeviceThreadsTest {
    private static final int THREADS = 8;
    private static final int ROUNDS = 200;
    private static final int PART_BYTES = 64 * 1024;
    private static final int BUFFER_BYTES = 4096;

    @ParameterizedTest
    @CsvSource({"1, false, 1", "2, false, 2", "3, true, 1", "4, true, 2", "5, true, 2", "6, false, 1"})
    void shouldGiveEveryThreadItsOwnDataExactlyOnce(long seed, boolean virtual, int loops) throws Exception {
        AtomicReference<@Nullable Throwable> failed = new AtomicReference<>();
        AtomicInteger done = new AtomicInteger();
        try (PollLoop first = PollLoop.start("threads-0");
                PollLoop second = PollLoop.start("threads-1")) {
            SimulatedBackend backend = SimulatedBackend.of((long) THREADS * PART_BYTES, 64, SimulatedFaults.some(seed));
            BlockDeviceOptions options = BlockDeviceOptions.builder().queueDepth(5).buffers(THREADS * 2, BUFFER_BYTES).build();
            BlockDevice device = BlockDevice.open(backend, List.of(first, second).subList(0, loops), options);
            ThreadFactory factory = virtual ? Thread.ofVirtual().factory() : Thread.ofPlatform().factory();
            List<Thread> threads = java.util.stream.IntStream.range(0, THREADS)
                    .mapToObj(i -> factory.newThread(() -> {
                        try {
                            work(device, i, new SplittableRandom(seed * 1000 + i));
                            done.incrementAndGet();
                        } catch (Throwable failure) {
                            failed.compareAndSet(null, failure);
                        }
                    }))
                    .toList();
            threads.forEach(Thread::start);
            for (Thread thread : threads) {
                thread.join();
            }
            assertThat(failed.get()).as("seed %d", seed).isNull();
            assertThat(done).hasValue(THREADS);
            device.close();
            assertThat(device.buffers().leaks()).isZero();
            backend.close();
        }
    }

    private static void work(BlockDevice device, int part, SplittableRandom random) {
        byte[] expected = new byte[PART_BYTES];
        // Blocks whose last write failed or was cancelled: what is there is not known.
        boolean[] unknown = new boolean[PART_BYTES / BUFFER_BYTES];
        for (int round = 0; round < ROUNDS; round++) {
            int block = random.nextInt(unknown.length);
            long offset = (long) part * PART_BYTES + (long) block * BUFFER_BYTES;
            try (BlockBuffer buffer = Objects.requireNonNull(device.buffers().take().block())) {
                if (random.nextInt(10) == 0) {
                    // Cancelled at some point of its way; the buffer is closed at once.
                    Disposable reading = device.read(offset, buffer.bytes()).subscribe(ignored -> {}, ignored -> {});
                    reading.dispose();
                } else if (random.nextBoolean()) {
                    byte[] content = new byte[BUFFER_BYTES];
                    random.nextBytes(content);
                    buffer.bytes().put(content).flip();
                    unknown[block] = !succeeds(() -> assertThat(device.write(offset, buffer.bytes()).block()).isEqualTo(BUFFER_BYTES));
                    System.arraycopy(content, 0, expected, block * BUFFER_BYTES, BUFFER_BYTES);
                } else if (succeeds(() -> assertThat(device.read(offset, buffer.bytes()).block()).isEqualTo(BUFFER_BYTES)) && !unknown[block]) {
                    byte[] content = new byte[BUFFER_BYTES];
                    buffer.bytes().flip().get(content);
                    assertThat(content).isEqualTo(java.util.Arrays.copyOfRange(expected, block * BUFFER_BYTES, (block + 1) * BUFFER_BYTES));
                }
            }
        }
    }

    /** False where the simulated disk failed it with EIO; anything else is thrown. */
    private static boolean succeeds(Runnable request) {
        try {
            request.run();
            return true;
        } catch (RuntimeException failure) {
            if (Exceptions.unwrap(failure) instanceof BlockIoException io && io.errno() == Errno.EIO) {
                return false;
            }
            throw failure;
        }
    }
}
