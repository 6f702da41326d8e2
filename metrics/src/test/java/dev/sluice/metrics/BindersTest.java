package dev.sluice.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.BackendHealth;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.LoopCounters;
import dev.sluice.pipeline.QueueSource;
import dev.sluice.pipeline.SinkCounters;
import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.TestQueue;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.lang.management.ManagementFactory;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What loops and pipelines show: each number under its own name and in its unit. */
final class BindersTest {
    private final SimpleMeterRegistry registry = new SimpleMeterRegistry();

    private double counted(String name, String loop) {
        FunctionCounter counter = registry.get(name).tag("loop", loop).functionCounter();
        return counter.count();
    }

    private static IoLoop loop(String name, LoopCounters counters) {
        InvocationHandler handler = (proxy, method, arguments) -> switch (method.getName()) {
            case "name" -> name;
            case "counters" -> counters;
            case "hashCode" -> System.identityHashCode(proxy);
            case "equals" -> proxy == arguments[0];
            default -> throw new UnsupportedOperationException(method.getName());
        };
        return (IoLoop) Proxy.newProxyInstance(IoLoop.class.getClassLoader(), new Class<?>[] {IoLoop.class}, handler);
    }

    @Test
    void shouldShowWhatEachLoopCounts() {
        com.sun.management.ThreadMXBean threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        long self = Thread.currentThread().threadId();
        List<IoLoop> loops = List.of(
                loop("loop-0", new LoopCounters(1, 2, 3, 4, 5, 6_500_000_000L, self)),
                loop("loop-1", new LoopCounters(10, 20, 30, 40, 50, 0, Long.MAX_VALUE)));
        LoopMetrics metrics = new LoopMetrics(loops);
        metrics.bindTo(registry);
        String[] names = {"sluice.loop.ticks", "sluice.loop.enters", "sluice.loop.submissions", "sluice.loop.completions", "sluice.loop.tasks"};
        for (int i = 0; i < names.length; i++) {
            assertThat(counted(names[i], "loop-0")).as(names[i]).isEqualTo(i + 1);
            assertThat(counted(names[i], "loop-1")).as(names[i]).isEqualTo(10 * (i + 1));
        }
        assertThat(counted("sluice.loop.busy.time", "loop-0")).isEqualTo(6.5);
        double cpuBefore = threads.getThreadCpuTime(self) / 1e9;
        double allocatedBefore = threads.getThreadAllocatedBytes(self);
        assertThat(counted("sluice.loop.cpu.time", "loop-0")).isBetween(cpuBefore, cpuBefore + 60).isPositive();
        assertThat(counted("sluice.loop.allocated", "loop-0")).isGreaterThanOrEqualTo(allocatedBefore).isPositive();
        // Of a thread that has ended nothing is known.
        assertThat(counted("sluice.loop.cpu.time", "loop-1")).isZero();
        assertThat(counted("sluice.loop.allocated", "loop-1")).isZero();
        metrics.unbindFrom(registry);
        assertThat(registry.getMeters()).isEmpty();
    }

    /** Completes everything at once, and counts what a test wants it to have counted. */
    private record Sink(SinkCounters counters) implements BlockSink {
        @Override
        public boolean submit(BlockRequest request) {
            request.complete(0);
            return true;
        }

        @Override
        public void flush() {}

        @Override
        public int capacity() {
            return 8;
        }

        @Override
        public int inFlight() {
            return 0;
        }

        @Override
        public void close() {}
    }

    private static final class Backend implements BlockBackend {
        private BackendHealth health = BackendHealth.GOOD;

        @Override
        public String name() {
            return "counting";
        }

        @Override
        public BlockGeometry geometry() {
            return new BlockGeometry(1 << 20, 512, 4096, 0, false, true, true);
        }

        @Override
        public BackendHealth health() {
            return health;
        }

        @Override
        public BlockSink openSink(IoLoop loop) {
            return new Sink(new SinkCounters(1, 2, 3, 4, 5));
        }

        @Override
        public void close() {}
    }

    private double gauge(String name) {
        Gauge gauge = registry.get(name).tag("device", "disk0").gauge();
        return gauge.value();
    }

    @Test
    void shouldShowWhatADiskIsMadeOfAndWhatItsSinksCount() {
        Backend backend = new Backend();
        try (ManualLoop loop = new ManualLoop("loop-0");
                ManualLoop idle = new ManualLoop("loop-1");
                TestQueue queue = new TestQueue(loop, 0, 8);
                BlockPipeline pipeline = BlockPipeline.builder().backend(backend).build()) {
            PipelineMetrics metrics = new PipelineMetrics("disk0", "counting", pipeline, List.of(loop, idle));
            metrics.bindTo(registry);
            pipeline.connect(queue.feed(new QueueSource(loop, queue)));
            loop.tickUntilIdle();
            String[] names = {"sluice.sink.batches", "sluice.sink.operations", "sluice.sink.retries", "sluice.sink.continuations", "sluice.sink.bounces"};
            for (int i = 0; i < names.length; i++) {
                assertThat(counted(names[i], "loop-0")).as(names[i]).isEqualTo(i + 1);
                assertThat(counted(names[i], "loop-1")).as("%s of a loop without a sink", names[i]).isZero();
            }
            assertThat(gauge("sluice.device.size")).isEqualTo(1 << 20);
            assertThat(gauge("sluice.device.description")).isEqualTo(1);
            assertThat(gauge("sluice.device.missing")).isZero();
            assertThat(gauge("sluice.device.writeback.failed")).isZero();
            backend.health = new BackendHealth(true, 4096);
            assertThat(gauge("sluice.device.missing")).isEqualTo(4096);
            assertThat(gauge("sluice.device.writeback.failed")).isEqualTo(1);
            metrics.unbindFrom(registry);
            assertThat(registry.getMeters()).isEmpty();
        }
    }
}
