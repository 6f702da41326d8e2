package dev.sluice.aio.uring;

import com.sun.management.OperatingSystemMXBean;
import com.sun.management.ThreadMXBean;
import dev.sluice.linux.Iovec;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.LoopCounters;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The sink alone under load: 4 KiB random reads at a depth, by the loop's own thread.
 *
 * <p>{@code java -cp ... dev.sluice.aio.uring.SinkBenchmark IMAGE [depth 64] [seconds 5] [direct true]}; prints a line for each of three
 * rounds, the first being warm-up. CPU is that of the whole process.
 */
final class SinkBenchmark implements IoLoop.Turn {
    private static final int BLOCK_BYTES = 4096;
    private static final int ROUNDS = 3;

    private final IoUringLoop loop;
    private final BlockSink sink;
    private final long blocks;
    private final List<NativeBlock> memory = new ArrayList<>();
    private final Read[] ready;
    private int readyCount;
    private int out;
    private long random = 0x9e3779b97f4a7c15L;
    private boolean stopping;
    private final IoLoop.TickEndHook flush;
    private final CountDownLatch drained = new CountDownLatch(1);
    private final AtomicLong failures = new AtomicLong();

    private SinkBenchmark(IoUringLoop loop, BlockSink sink, long blocks, int depth) {
        this.loop = loop;
        this.sink = sink;
        this.blocks = blocks;
        this.flush = sink::flush;
        this.ready = new Read[depth];
        for (int i = 0; i < depth; i++) {
            NativeBlock data = NativeMemory.allocate(BLOCK_BYTES, BLOCK_BYTES);
            NativeBlock iovec = NativeMemory.allocate(Iovec.SIZE, Iovec.SIZE);
            Iovec.set(iovec.address(), 0, data.address(), BLOCK_BYTES);
            memory.add(data);
            memory.add(iovec);
            ready[readyCount++] = new Read(i, iovec.address());
        }
    }

    private final class Read extends BlockRequest {
        private final long iovec;

        Read(int slot, long iovec) {
            super(loop, 0, slot);
            this.iovec = iovec;
        }

        void prepare(long block) {
            parsed(BlockOp.READ, block * (BLOCK_BYTES / SECTOR_BYTES), BLOCK_BYTES, iovec, 1);
        }

        @Override
        public MemorySegment dataSegment(int index) {
            return NativeMemory.view(Iovec.base(iovec, index), BLOCK_BYTES);
        }

        @Override
        protected void answer(int result) {
            if (result != BLOCK_BYTES) {
                failures.incrementAndGet();
            }
            out--;
            ready[readyCount++] = this;
            loop.requestTurn(SinkBenchmark.this);
        }
    }

    @Override
    public boolean run() {
        if (stopping) {
            if (out == 0) {
                drained.countDown();
            }
            return false;
        }
        while (readyCount > 0) {
            Read read = ready[--readyCount];
            random ^= random << 13;
            random ^= random >>> 7;
            random ^= random << 17;
            read.prepare(Long.remainderUnsigned(random, blocks));
            if (!sink.submit(read)) {
                throw new IllegalStateException("sink is full");
            }
            out++;
        }
        loop.atTickEnd(flush);
        return false;
    }

    private record Sample(long nanos, long cpuNanos, long loopBytes, LoopCounters counters) {}

    private Sample sample() {
        OperatingSystemMXBean system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        LoopCounters counters = loop.counters();
        return new Sample(System.nanoTime(), system.getProcessCpuTime(), threads.getThreadAllocatedBytes(counters.threadId()), counters);
    }

    private static void print(Sample before, Sample after) {
        double requests = after.counters.completions() - before.counters.completions();
        System.out.printf(
                Locale.ROOT,
                "%.0f kIOPS, %.2f us CPU per I/O, %.3f heap bytes per I/O, %.4f enters per I/O, %.1f I/Os per tick, %.3f enters per tick%n",
                requests / ((after.nanos - before.nanos) / 1e6),
                (after.cpuNanos - before.cpuNanos) / 1e3 / requests,
                (after.loopBytes - before.loopBytes) / requests,
                (after.counters.enters() - before.counters.enters()) / requests,
                requests / (after.counters.ticks() - before.counters.ticks()),
                (double) (after.counters.enters() - before.counters.enters()) / (after.counters.ticks() - before.counters.ticks()));
    }

    public static void main(String[] arguments) throws Exception {
        Path image = Path.of(arguments[0]);
        int depth = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 64;
        long seconds = arguments.length > 2 ? Long.parseLong(arguments[2]) : 5;
        boolean direct = arguments.length <= 3 || Boolean.parseBoolean(arguments[3]);
        try (SinkFixture fixture = new SinkFixture(BackendOptions.of(image).withReadOnly(true).withDirect(direct))) {
            long blocks = fixture.backend.geometry().sizeBytes() / BLOCK_BYTES;
            SinkBenchmark benchmark = new SinkBenchmark(fixture.loop, fixture.sink, blocks, depth);
            fixture.loop.execute(() -> fixture.loop.requestTurn(benchmark));
            for (int round = 0; round < ROUNDS; round++) {
                Sample before = benchmark.sample();
                TimeUnit.SECONDS.sleep(seconds);
                print(before, benchmark.sample());
            }
            fixture.loop.execute(() -> {
                benchmark.stopping = true;
                fixture.loop.requestTurn(benchmark);
            });
            benchmark.drained.await();
            if (benchmark.failures.get() > 0) {
                System.out.println(benchmark.failures + " requests failed");
            }
            benchmark.memory.forEach(NativeBlock::close);
        }
    }
}
