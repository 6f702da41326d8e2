package dev.sluice.bench.jmh;

import dev.sluice.linux.Iovec;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.Providers;
import java.io.IOException;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
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

/** A 4 KiB random read of the bare sink, O_DIRECT, 64 in flight, driven by the loop's own thread; {@code -prof gc} tells what it allocates. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(value = 1, jvmArgsAppend = {"--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow"})
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
public class SinkBenchmark implements IoLoop.Turn {
    private static final int READS = 4096;
    private static final int DEPTH = 64;
    private static final int BLOCK_BYTES = 4096;

    @Param("")
    public String image;

    @Param({"io_uring", "linux-aio", "nio"})
    public String backend;

    private IoLoop loop;
    private BlockBackend opened;
    private BlockSink sink;
    private NativeBlock memory;
    private NativeBlock iovecs;
    private IoLoop.TickEndHook flush;
    private long blocks;
    private final SplittableRandom random = new SplittableRandom(1);
    private final Read[] ready = new Read[DEPTH];
    private int readyCount;
    private int left;
    private CountDownLatch done;

    @Setup
    public void open() throws IOException {
        Providers.Choice choice = Providers.choose(backend, Providers.AUTO);
        loop = choice.loop().start("sink-benchmark");
        opened = choice.backend().open(new BackendOptions(Image.of(image), true, true, DEPTH));
        sink = CompletableFuture.supplyAsync(() -> opened.openSink(loop), loop).join();
        flush = sink::flush;
        blocks = opened.geometry().sizeBytes() / BLOCK_BYTES;
        memory = NativeMemory.allocate((long) DEPTH * BLOCK_BYTES, BLOCK_BYTES);
        iovecs = NativeMemory.allocate((long) DEPTH * Iovec.SIZE, Iovec.SIZE);
        for (int i = 0; i < DEPTH; i++) {
            Iovec.set(iovecs.address(), i, memory.address() + (long) i * BLOCK_BYTES, BLOCK_BYTES);
            ready[readyCount++] = new Read(i);
        }
    }

    @TearDown
    public void close() {
        CompletableFuture.runAsync(sink::close, loop).join();
        loop.close();
        opened.close();
        memory.close();
        iovecs.close();
    }

    @Benchmark
    @OperationsPerInvocation(READS)
    public void read() throws InterruptedException {
        CountDownLatch ended = new CountDownLatch(1);
        loop.execute(() -> {
            done = ended;
            left = READS;
            loop.requestTurn(this);
        });
        ended.await();
    }

    @Override
    public boolean run() {
        if (left == 0 && readyCount == DEPTH) {
            done.countDown();
            return false;
        }
        for (; left > 0 && readyCount > 0; left--) {
            Read read = ready[--readyCount];
            read.prepare(random.nextLong(blocks));
            if (!sink.submit(read)) {
                throw new IllegalStateException("the sink is full");
            }
        }
        loop.atTickEnd(flush);
        return false;
    }

    private final class Read extends BlockRequest {
        private final long iovec;

        Read(int slot) {
            super(loop, 0, slot);
            this.iovec = Iovec.address(iovecs.address(), slot);
        }

        void prepare(long block) {
            parsed(BlockOp.READ, block * (BLOCK_BYTES / SECTOR_BYTES), BLOCK_BYTES, iovec, 1);
        }

        @Override
        protected void completed(int result) {
            if (result != BLOCK_BYTES) {
                throw new IllegalStateException("a read gave " + result);
            }
            ready[readyCount++] = this;
            loop.requestTurn(SinkBenchmark.this);
        }
    }
}
