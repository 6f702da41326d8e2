package dev.sluice.aio.device;

import com.sun.management.OperatingSystemMXBean;
import com.sun.management.ThreadMXBean;
import dev.sluice.aio.uring.IoUringBackendProvider;
import dev.sluice.aio.uring.IoUringLoopProvider;
import dev.sluice.device.BlockBuffer;
import dev.sluice.device.BlockDevice;
import dev.sluice.device.BlockDeviceOptions;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.LoopCounters;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.concurrent.Phaser;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;

/**
 * {@link BlockDevice} under load: 4 KiB random reads, one {@code Mono} a request, at a depth.
 *
 * <p>{@code java -cp ... dev.sluice.aio.device.DeviceBenchmark IMAGE [depth 64] [seconds 5] [loop|threads] [direct true]}; prints a line for each of
 * three rounds, the first being warm-up. {@code loop}: each answer asks for the next on the loop; {@code threads}: so many virtual
 * threads wait for each of their reads. CPU is that of the whole process; bytes are those that the loop's thread allocated.
 */
final class DeviceBenchmark {
    private static final int BLOCK_BYTES = 4096;
    private static final int ROUNDS = 3;

    private final BlockDevice device;
    private final IoLoop loop;
    private final long blocks;
    private final LongAdder done = new LongAdder();
    private final LongAdder failed = new LongAdder();
    private final Phaser running = new Phaser(1);
    private volatile boolean stopping;

    private DeviceBenchmark(BlockDevice device, IoLoop loop) {
        this.device = device;
        this.loop = loop;
        this.blocks = device.sizeBytes() / BLOCK_BYTES;
    }

    /** One of the reads in flight: the next when one is answered. The subscriber is used again, so that what is allocated is the device's. */
    private final class Reader implements CoreSubscriber<Integer> {
        private final ByteBuffer buffer;
        private final SplittableRandom random;

        Reader(ByteBuffer buffer, long seed) {
            this.buffer = buffer;
            this.random = new SplittableRandom(seed);
        }

        void next() {
            if (stopping) {
                int _ = running.arriveAndDeregister();
                return;
            }
            device.read(random.nextLong(blocks) * BLOCK_BYTES, buffer.clear()).subscribe(this);
        }

        @Override
        public void onSubscribe(Subscription subscription) {
            subscription.request(Long.MAX_VALUE);
        }

        @Override
        public void onNext(Integer bytes) {
            done.increment();
        }

        @Override
        public void onError(Throwable error) {
            failed.increment();
            next();
        }

        @Override
        public void onComplete() {
            next();
        }
    }

    private void blockingReader(ByteBuffer buffer, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        while (!stopping) {
            if (device.read(random.nextLong(blocks) * BLOCK_BYTES, buffer.clear()).block() == null) {
                failed.increment();
            }
            done.increment();
        }
        int _ = running.arriveAndDeregister();
    }

    private record Sample(long nanos, long cpuNanos, long requests, long loopBytes, LoopCounters counters) {}

    private Sample sample() {
        LoopCounters counters = loop.counters();
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        OperatingSystemMXBean system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        return new Sample(System.nanoTime(), system.getProcessCpuTime(), done.sum(), threads.getThreadAllocatedBytes(counters.threadId()), counters);
    }

    private static void print(Sample before, Sample after) {
        double requests = after.requests - before.requests;
        System.out.printf(
                Locale.ROOT,
                "%8.1f kIOPS  %6.2f CPU us/IO  %7.1f loop heap B/IO  %.3f enters/IO%n",
                requests / ((after.nanos - before.nanos) / 1e6),
                (after.cpuNanos - before.cpuNanos) / 1e3 / requests,
                (after.loopBytes - before.loopBytes) / requests,
                (after.counters.enters() - before.counters.enters()) / requests);
    }

    private void run(int depth, long seconds, boolean threads) throws InterruptedException {
        List<BlockBuffer> buffers = new ArrayList<>();
        for (int i = 0; i < depth; i++) {
            BlockBuffer buffer = Objects.requireNonNull(device.buffers().tryTake());
            buffers.add(buffer);
            int _ = running.register();
            int seed = i;
            if (threads) {
                Thread.ofVirtual().start(() -> blockingReader(buffer.bytes(), seed));
            } else {
                new Reader(buffer.bytes(), seed).next();
            }
        }
        for (int round = 0; round < ROUNDS; round++) {
            Sample before = sample();
            TimeUnit.SECONDS.sleep(seconds);
            print(before, sample());
        }
        stopping = true;
        int _ = running.arriveAndAwaitAdvance();
        buffers.forEach(BlockBuffer::close);
        if (failed.sum() > 0) {
            System.out.println(failed.sum() + " requests failed");
        }
    }

    public static void main(String[] arguments) throws Exception {
        Path image = Path.of(arguments[0]);
        int depth = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 64;
        long seconds = arguments.length > 2 ? Long.parseLong(arguments[2]) : 5;
        boolean threads = arguments.length > 3 && arguments[3].equals("threads");
        boolean direct = arguments.length <= 4 || Boolean.parseBoolean(arguments[4]);
        try (BlockBackend backend = new IoUringBackendProvider().open(BackendOptions.of(image).withReadOnly(true).withDirect(direct));
                IoLoop loop = new IoUringLoopProvider().start("device-benchmark");
                BlockDevice device = BlockDevice.open(backend, List.of(loop), BlockDeviceOptions.builder().buffers(depth, BLOCK_BYTES).build())) {
            new DeviceBenchmark(device, loop).run(depth, seconds, threads);
        }
    }
}
