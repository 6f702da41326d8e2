package dev.sluice.bench.jmh;

import dev.sluice.device.BlockBuffer;
import dev.sluice.device.BlockDevice;
import dev.sluice.device.BlockDeviceOptions;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;

/** A 4 KiB random read through {@link BlockDevice}, O_DIRECT, 64 in flight, a Mono each; {@code -prof gc} tells what it allocates. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(value = 1, jvmArgsAppend = {"--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow"})
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
public class BlockDeviceBenchmark {
    private static final int READS = 4096;
    private static final int DEPTH = 64;
    private static final int BLOCK_BYTES = 4096;

    @Param("")
    public String image;

    @Param({"io_uring", "linux-aio", "nio"})
    public String backend;

    private BlockDevice device;
    private final List<Reader> readers = new ArrayList<>();
    private final AtomicInteger left = new AtomicInteger();
    private CountDownLatch done;

    @Setup
    public void open() throws IOException {
        Path path = Image.of(image);
        device = BlockDevice.open(path, BlockDeviceOptions.builder().backend(backend).readOnly(true).queueDepth(DEPTH).buffers(DEPTH, BLOCK_BYTES).build());
        for (int i = 0; i < DEPTH; i++) {
            readers.add(new Reader(Objects.requireNonNull(device.buffers().tryTake()), i));
        }
    }

    @TearDown
    public void close() {
        readers.forEach(reader -> reader.lent.close());
        device.close();
    }

    @Benchmark
    @OperationsPerInvocation(READS)
    public void read() throws InterruptedException {
        done = new CountDownLatch(DEPTH);
        left.set(READS);
        readers.forEach(Reader::next);
        done.await();
    }

    private final class Reader implements CoreSubscriber<Integer> {
        private final BlockBuffer lent;
        private final ByteBuffer buffer;
        private final SplittableRandom random;
        private final long blocks = device.sizeBytes() / BLOCK_BYTES;

        Reader(BlockBuffer lent, long seed) {
            this.lent = lent;
            this.buffer = lent.bytes();
            this.random = new SplittableRandom(seed);
        }

        void next() {
            if (left.getAndDecrement() > 0) {
                device.read(random.nextLong(blocks) * BLOCK_BYTES, buffer.clear()).subscribe(this);
            } else {
                done.countDown();
            }
        }

        @Override
        public void onSubscribe(Subscription subscription) {
            subscription.request(Long.MAX_VALUE);
        }

        @Override
        public void onNext(Integer bytes) {}

        @Override
        public void onError(Throwable error) {
            throw new IllegalStateException(error);
        }

        @Override
        public void onComplete() {
            next();
        }
    }
}
