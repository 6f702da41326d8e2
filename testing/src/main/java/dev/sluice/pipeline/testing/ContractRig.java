package dev.sluice.pipeline.testing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.IoLoop;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * A sink under test with its loop, its backend and a queue of requests.
 *
 * <p><b>Threading:</b> the test's thread; {@link #parsed} on the loop's.
 */
record ContractRig(IoLoop loop, BlockBackend backend, BlockSink sink, TestQueue queue) {
    static final int SECTOR = BlockRequest.SECTOR_BYTES;
    static final int DISK_BYTES = 1 << 20;
    static final int CAPACITY = 8;
    private static final int QUEUE_SIZE = 64;

    static ContractRig open(IoLoop loop, BlockBackend backend) throws Exception {
        BlockSink sink = on(loop, () -> backend.openSink(loop));
        return new ContractRig(loop, backend, sink, new TestQueue(loop, 0, QUEUE_SIZE));
    }

    void close() {
        run(sink::close);
        queue.close();
        loop.close();
        backend.close();
    }

    static <T> T on(IoLoop loop, Callable<T> task) throws Exception {
        CompletableFuture<T> done = new CompletableFuture<>();
        loop.execute(() -> {
            try {
                done.complete(task.call());
            } catch (Throwable failure) {
                done.completeExceptionally(failure);
            }
        });
        return done.get(Patience.seconds(30), TimeUnit.SECONDS);
    }

    void run(Runnable task) {
        try {
            on(loop, () -> {
                task.run();
                return true;
            });
        } catch (Exception failure) {
            throw new AssertionError(failure.getMessage(), failure);
        }
    }

    /** Polls what was just submitted to the queue. Loop thread. */
    static BlockRequest parsed(TestQueue queue, TestIo io) {
        queue.submit(io);
        BlockRequest request = queue.poll();
        if (request == null) {
            throw new AssertionError("the test has more requests in flight than its queue has slots");
        }
        return request;
    }

    BlockRequest parsed(TestIo io) {
        return parsed(queue, io);
    }

    /** Submits one batch; no more than the sink takes at once. */
    void submit(TestIo... ios) {
        submit(queue, ios);
    }

    private void submit(TestQueue from, TestIo... ios) {
        run(() -> {
            for (TestIo io : ios) {
                assertThat(sink.submit(parsed(from, io))).as("the sink takes " + io).isTrue();
            }
            loop.atTickEnd(sink::flush);
        });
    }

    int result(TestIo io) {
        return result(queue, io);
    }

    int result(TestQueue from, TestIo io) {
        submit(from, io);
        int result = io.await();
        run(() -> {});
        assertThat(io.completions()).as("completions of " + io).isEqualTo(1);
        return result;
    }

    byte[] read(long sector, int length) {
        TestIo read = TestIo.read(sector, length);
        assertThat(result(read)).as("result of " + read).isEqualTo(length);
        return read.data();
    }

    /** The results of requests, one after another, of a second sink of the backend on another loop, which is closed. */
    int[] resultsOn(IoLoop other, TestIo... ios) throws Exception {
        try (TestQueue elsewhere = new TestQueue(other, 1, CAPACITY)) {
            BlockSink second = on(other, () -> backend.openSink(other));
            int[] results = new int[ios.length];
            for (int i = 0; i < ios.length; i++) {
                TestIo io = ios[i];
                boolean taken = on(other, () -> {
                    boolean submitted = second.submit(parsed(elsewhere, io));
                    other.atTickEnd(second::flush);
                    return submitted;
                });
                assertThat(taken).as("the second sink takes " + io).isTrue();
                results[i] = io.await();
            }
            on(other, () -> {
                second.close();
                return true;
            });
            return results;
        } finally {
            other.close();
        }
    }

    static byte[] pattern(long seed, int length) {
        byte[] bytes = new byte[length];
        SplittableRandom random = new SplittableRandom(seed);
        random.nextBytes(bytes);
        return bytes;
    }

    /** Submits batches of requests of all kinds and compares what is read with an array. */
    void agreesWithAnArray(long seed, int rounds) {
        SplittableRandom random = new SplittableRandom(seed);
        byte[] expected = new byte[DISK_BYTES];
        int part = DISK_BYTES / CAPACITY;
        for (int round = 0; round < rounds; round++) {
            // Requests of one batch may overtake one another: each has a part of the disk to itself.
            TestIo[] batch = new TestIo[CAPACITY];
            for (int i = 0; i < CAPACITY; i++) {
                int length = SECTOR * (1 + random.nextInt(32));
                int offset = i * part + SECTOR * random.nextInt((part - length) / SECTOR + 1);
                batch[i] = any(random, expected, offset, length);
            }
            submit(batch);
            for (TestIo io : batch) {
                agrees(io, expected, io + " in round " + round + ", seed " + seed);
            }
            run(() -> assertThat(sink.inFlight()).isZero());
            assertThat(batch).as("round %d, seed %d", round, seed).allMatch(io -> io.completions() == 1);
        }
    }

    private TestIo any(SplittableRandom random, byte[] expected, int offset, int length) {
        switch (random.nextInt(8)) {
            case 0 -> {
                return TestIo.flush();
            }
            case 1, 2, 3 -> {
                byte[] bytes = pattern(random.nextLong(), length);
                System.arraycopy(bytes, 0, expected, offset, length);
                TestIo write = TestIo.write(offset / SECTOR, bytes);
                return random.nextInt(4) == 0 ? write.asDurable() : write;
            }
            case 4 -> {
                if (backend.geometry().writeZeroes()) {
                    Arrays.fill(expected, offset, offset + length, (byte) 0);
                    TestIo zeroes = TestIo.writeZeroes(offset / SECTOR, length);
                    return random.nextBoolean() ? zeroes.asUnmapping() : zeroes;
                }
            }
            default -> {}
        }
        return TestIo.read(offset / SECTOR, length);
    }

    private static void agrees(TestIo io, byte[] expected, String what) {
        boolean transfer = io.op() == BlockOp.READ || io.op() == BlockOp.WRITE;
        int result = io.await();
        if (transfer || io.op() == BlockOp.FLUSH) {
            assertThat(result).as(what).isEqualTo((int) io.lengthBytes());
        } else {
            assertThat(result).as(what).isGreaterThanOrEqualTo(0);
        }
        if (io.op() == BlockOp.READ) {
            int offset = (int) io.sector() * SECTOR;
            assertThat(io.data()).as(what).isEqualTo(Arrays.copyOfRange(expected, offset, offset + (int) io.lengthBytes()));
        }
    }
}
