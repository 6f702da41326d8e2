package dev.sluice.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import dev.sluice.linux.Errno;
import dev.sluice.metrics.MetricsSnapshot.OpTotals;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.FrontEndObserver.ConnectionEvent;
import dev.sluice.pipeline.PipelineObserver.QueueEvent;
import dev.sluice.pipeline.PipelineObserver;
import dev.sluice.pipeline.QueueSource;
import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.SimulatedBackend;
import dev.sluice.pipeline.testing.SimulatedSink;
import dev.sluice.pipeline.testing.TestIo;
import dev.sluice.pipeline.testing.TestQueue;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

class SluiceMetricsTest {
    private static final Logger LOG = LoggerFactory.getLogger(SluiceMetricsTest.class);
    private static final int QUEUES = 4;

    private final SluiceMetrics metrics = new SluiceMetrics("disk0", QUEUES);
    private final SimpleMeterRegistry registry = new SimpleMeterRegistry();

    private double counted(String name, String... tags) {
        return registry.get(name).tag("device", "disk0").tags(tags).functionCounter().count();
    }

    @Test
    void shouldShowRequestsByQueueOpPathAndStatus() {
        metrics.bindTo(registry);
        metrics.requestCompleted(1, BlockOp.READ, 4096, 0, 2_000, 100_000, PipelineObserver.BYPASSED);
        metrics.requestCompleted(1, BlockOp.READ, 512, 0, 1_000, 50_000, 0);
        metrics.requestCompleted(1, BlockOp.READ, 8192, Errno.EIO, 0, 10, 0);
        metrics.requestCompleted(3, BlockOp.DISCARD, 1 << 20, Errno.EOPNOTSUPP, 0, 0, PipelineObserver.BYPASSED);

        assertThat(counted("sluice.requests.completed", "queue", "1", "op", "read", "path", "bypassed")).isEqualTo(1);
        assertThat(counted("sluice.requests.completed", "queue", "1", "op", "read", "path", "staged")).isEqualTo(2);
        assertThat(counted("sluice.requests.completed", "queue", "0", "op", "read", "path", "bypassed")).isZero();
        assertThat(counted("sluice.request.bytes", "queue", "1", "op", "read")).as("of those that succeeded").isEqualTo(4608);
        assertThat(counted("sluice.request.bytes", "queue", "3", "op", "discard")).isZero();
        assertThat(counted("sluice.request.wait.time", "queue", "1", "op", "read")).isEqualTo(3_000 / 1e9);
        assertThat(counted("sluice.request.device.time", "queue", "1", "op", "read")).isEqualTo(150_010 / 1e9);
        assertThat(counted("sluice.request.time", "queue", "1", "op", "read")).isEqualTo(153_010 / 1e9);
    }

    @Test
    void shouldShowErrorsByStatusAndErrno() {
        metrics.bindTo(registry);
        metrics.requestCompleted(1, BlockOp.READ, 8192, Errno.EIO, 0, 10, 0);
        metrics.requestCompleted(2, BlockOp.READ, 8192, Errno.EIO, 0, 10, 0);
        metrics.requestCompleted(3, BlockOp.READ, 8192, Errno.EMFILE, 0, 10, 0);
        metrics.requestCompleted(3, BlockOp.DISCARD, 1 << 20, Errno.EOPNOTSUPP, 0, 0, PipelineObserver.BYPASSED);
        assertThat(counted("sluice.request.errors", "op", "read", "status", "ioerr", "errno", "EIO")).isEqualTo(2);
        assertThat(counted("sluice.request.errors", "op", "read", "status", "ioerr", "errno", "other")).isEqualTo(1);
        assertThat(counted("sluice.request.errors", "op", "write", "status", "ioerr", "errno", "EIO")).isZero();
        assertThat(counted("sluice.request.errors", "op", "discard", "status", "unsupp", "errno", "EOPNOTSUPP")).isEqualTo(1);
        assertThat(metrics.snapshot().op(BlockOp.READ).ioErrors()).isEqualTo(3);
        assertThat(metrics.snapshot().op(BlockOp.DISCARD).unsupported()).isEqualTo(1);
    }

    @Test
    void shouldCountTheUntoldTimeOfRequestsThatWereNeverSubmittedAsNone() {
        metrics.requestCompleted(0, BlockOp.READ, 512, Errno.ECANCELED, -5, Long.MIN_VALUE, 0);
        assertThat(metrics.snapshot().op(BlockOp.READ)).isEqualTo(new OpTotals(1, 0, 0, 1, 0, 0, 0));
    }

    @Test
    void shouldShowTurnsDepthAndWhatIsInFlight() {
        metrics.bindTo(registry);
        metrics.taken(1, 8, 8);
        metrics.taken(1, 2, 10);
        metrics.requestCompleted(1, BlockOp.READ, 512, 0, 1, 1, 0);
        assertThat(counted("sluice.queue.turns", "queue", "1")).isEqualTo(2);
        assertThat(counted("sluice.queue.turn.requests", "queue", "1")).isEqualTo(10);
        assertThat(counted("sluice.queue.turn.depth", "queue", "1")).isEqualTo(18);
        assertThat(registry.get("sluice.queue.inflight").tag("queue", "1").gauge().value()).isEqualTo(9);
        assertThat(metrics.inFlight()).isEqualTo(9);
    }

    @Test
    void shouldShowConnectionsAndHowTheyEnd() {
        metrics.bindTo(registry);
        metrics.connectionEvent(ConnectionEvent.CONNECTED, 1);
        metrics.connectionEvent(ConnectionEvent.VIOLATION, 1);
        metrics.connectionEvent(ConnectionEvent.CONNECTED, 2);
        assertThat(counted("sluice.connections", "event", "connected")).isEqualTo(2);
        assertThat(counted("sluice.connections", "event", "violation")).isEqualTo(1);
        assertThat(counted("sluice.connections", "event", "disconnected")).isZero();
        assertThat(registry.get("sluice.device.connected").gauge().value()).isEqualTo(1);
        metrics.connectionEvent(ConnectionEvent.DISCONNECTED, 2);
        assertThat(registry.get("sluice.device.connected").gauge().value()).isZero();
    }

    @Test
    void shouldShowQueuesAboveThe64thTogether() {
        SluiceMetrics many = new SluiceMetrics("wide", 256);
        many.bindTo(registry);
        many.kicked(63);
        many.kicked(64);
        many.kicked(255);
        assertThat(registry.get("sluice.queue.kicks").tags("device", "wide", "queue", "63").functionCounter().count()).isEqualTo(1);
        assertThat(registry.get("sluice.queue.kicks").tags("device", "wide", "queue", "other").functionCounter().count()).isEqualTo(2);
        assertThat(registry.find("sluice.queue.kicks").functionCounters()).hasSize(65);
        assertThat(registry.getMeters()).hasSizeLessThan(3_500);
    }

    @Test
    void shouldLeaveARegistryAsItWas() {
        metrics.bindTo(registry);
        metrics.bindTo(registry);
        assertThat(registry.getMeters()).isNotEmpty();
        metrics.unbindFrom(registry);
        assertThat(registry.getMeters()).isEmpty();
        metrics.unbindFrom(registry);
    }

    @Test
    void shouldShowCumulativeLatencyBucketsOfAllQueues() {
        metrics.bindTo(registry);
        metrics.requestCompleted(0, BlockOp.WRITE, 512, 0, 500, 9_500, 0);
        metrics.requestCompleted(1, BlockOp.WRITE, 512, 0, 500, 9_501, 0);
        metrics.requestCompleted(2, BlockOp.WRITE, 512, 0, 0, TimeUnit.MINUTES.toNanos(1), 0);
        assertThat(counted("sluice.request.duration.bucket", "op", "write", "le", "1.0E-5")).isEqualTo(1);
        assertThat(counted("sluice.request.duration.bucket", "op", "write", "le", "2.0E-5")).isEqualTo(2);
        assertThat(counted("sluice.request.duration.bucket", "op", "write", "le", "10.0")).isEqualTo(2);
        assertThat(counted("sluice.request.duration.bucket", "op", "write", "le", "+Inf")).isEqualTo(3);
        assertThat(counted("sluice.request.duration.bucket", "op", "read", "le", "+Inf")).isZero();
    }

    @Test
    void shouldShowWhatHappensToQueues() {
        metrics.bindTo(registry);
        metrics.queueEvent(2, QueueEvent.STARTED);
        assertThat(running(2)).isEqualTo(1);
        assertThat(running(1)).isZero();
        metrics.kicked(2);
        metrics.kicked(2);
        metrics.published(2, 7, true);
        metrics.published(2, 3, false);
        metrics.queueEvent(2, QueueEvent.MALFORMED_CHAIN);
        assertThat(running(2)).as("a malformed chain fails a request, not the queue").isEqualTo(1);
        metrics.queueEvent(2, QueueEvent.BROKEN);
        assertThat(running(2)).isZero();
        metrics.queueEvent(1, QueueEvent.STARTED);
        metrics.queueEvent(1, QueueEvent.STOPPED);
        assertThat(running(1)).isZero();

        assertThat(counted("sluice.queue.kicks", "queue", "2")).isEqualTo(2);
        assertThat(counted("sluice.queue.calls", "queue", "2")).isEqualTo(1);
        assertThat(counted("sluice.queue.calls.suppressed", "queue", "2")).isEqualTo(1);
        assertThat(counted("sluice.queue.elements", "queue", "2")).isEqualTo(10);
        assertThat(counted("sluice.queue.malformed.chains", "queue", "2")).isEqualTo(1);
        assertThat(counted("sluice.queue.broken", "queue", "2")).isEqualTo(1);
        assertThat(counted("sluice.queue.broken", "queue", "1")).isZero();

        MetricsSnapshot snapshot = metrics.snapshot();
        assertThat(List.of(snapshot.kicks(), snapshot.calls(), snapshot.callsSuppressed(), snapshot.elements(), snapshot.malformedChains(),
                snapshot.brokenQueues()))
                .containsExactly(2L, 1L, 1L, 10L, 1L, 1L);
    }

    private double running(int queue) {
        return registry.get("sluice.queue.running").tag("queue", Integer.toString(queue)).gauge().value();
    }

    @Test
    void shouldSumUpQueuesInASnapshot() {
        for (int queue = 0; queue < QUEUES; queue++) {
            metrics.requestCompleted(queue, BlockOp.READ, 512, 0, 10, 100, PipelineObserver.BYPASSED);
            metrics.requestCompleted(queue, BlockOp.FLUSH, 0, queue == 0 ? Errno.ENOSPC : 0, 1, 2, 0);
        }
        metrics.requestCompleted(1, BlockOp.DISCARD, 512, Errno.EOPNOTSUPP, 0, 1, 0);
        metrics.requestCompleted(2, BlockOp.DISCARD, 512, Errno.EOPNOTSUPP, 0, 1, 0);
        MetricsSnapshot snapshot = metrics.snapshot();
        assertThat(snapshot.device()).isEqualTo("disk0");
        assertThat(snapshot.op(BlockOp.DISCARD)).isEqualTo(new OpTotals(2, 0, 0, 0, 2, 0, 2));
        assertThat(snapshot.op(BlockOp.READ)).isEqualTo(new OpTotals(4, 4, 2048, 0, 0, 40, 400));
        assertThat(snapshot.op(BlockOp.FLUSH)).isEqualTo(new OpTotals(4, 0, 0, 1, 0, 4, 8));
        assertThat(snapshot.op(BlockOp.WRITE)).isEqualTo(new OpTotals(0, 0, 0, 0, 0, 0, 0));
        assertThat(snapshot.requests()).isEqualTo(10);
        assertThat(snapshot.bytes()).isEqualTo(2048);
        assertThat(snapshot.errors()).as("of the host and of what is not supported").isEqualTo(3);
        assertThat(snapshot.ops()).containsOnlyKeys(BlockOp.values());
    }

    @Test
    void shouldCountRequestsToldOfTogetherAsThoseToldOfOneByOne() {
        long seed = 11;
        SplittableRandom random = new SplittableRandom(seed);
        List<BlockOp> ops = List.of(BlockOp.values());
        SluiceMetrics oneByOne = new SluiceMetrics("disk0", QUEUES);
        for (int i = 0; i < 1_000; i++) {
            BlockOp op = ops.get(random.nextInt(ops.size()));
            int errno = random.nextInt(8) == 0 ? Errno.EIO : 0;
            long waited = random.nextInt(2) * 1_000L;
            int flags = random.nextInt(4) == 0 ? 0 : PipelineObserver.BYPASSED;
            int alike = 1 + random.nextInt(64);
            metrics.requestsCompleted(2, op, alike, 512, errno, waited, 70_000, flags);
            for (int j = 0; j < alike; j++) {
                oneByOne.requestCompleted(2, op, 512, errno, waited, 70_000, flags);
            }
        }
        assertThat(metrics.snapshot()).as("seed %d", seed).isEqualTo(oneByOne.snapshot());
        for (BlockOp op : ops) {
            assertThat(metrics.buckets(op)).as("seed %d, %s", seed, op).isEqualTo(oneByOne.buckets(op));
        }
    }

    /** A program that names a queue that is not there is broken; with assertions off it is not worth a disk. */
    @Test
    void shouldNotCountWhatHappensToQueuesThatAreNotThere() {
        for (int queue : new int[] {-1, QUEUES, Integer.MAX_VALUE}) {
            List<ThrowingCallable> calls = List.of(
                    () -> metrics.kicked(queue),
                    () -> metrics.taken(queue, 1, 1),
                    () -> metrics.published(queue, 1, true),
                    () -> metrics.queueEvent(queue, QueueEvent.STARTED),
                    () -> metrics.requestCompleted(queue, BlockOp.READ, 512, 0, 1, 1, 0));
            calls.forEach(call -> assertThatThrownBy(call).isInstanceOf(AssertionError.class).hasMessage("device disk0 has no queue " + queue));
        }
        metrics.kicked(0);
        metrics.kicked(QUEUES - 1);
        assertThat(metrics.snapshot().kicks()).isEqualTo(2);
    }

    @Test
    void shouldKeepTheCountersOfQueuesAndOperationsApart() {
        SluiceMetrics wide = new SluiceMetrics("wide", 2);
        wide.bindTo(registry);
        BlockOp[] ops = BlockOp.values();
        // Each number is another one, so that one that is counted elsewhere is seen in both places.
        for (int i = 0; i < ops.length; i++) {
            int requests = 1 << i;
            wide.requestsCompleted(1, ops[i], requests, 3L << i, 0, 5, 70_000, PipelineObserver.BYPASSED);
            wide.requestsCompleted(1, ops[i], requests, 512, Errno.EOPNOTSUPP, 0, 0, 0);
        }
        wide.taken(1, 1000, 7);
        for (int i = 0; i < ops.length; i++) {
            long requests = 1L << i;
            assertThat(wide.snapshot().op(ops[i])).as("%s", ops[i]).isEqualTo(
                    new OpTotals(2 * requests, requests, requests * (3L << i), 0, requests, 5 * requests, 70_000 * requests));
            long[] buckets = new long[LatencyBuckets.COUNT];
            buckets[0] = requests;
            buckets[LatencyBuckets.indexOf(70_005)] = requests;
            assertThat(wide.buckets(ops[i])).isEqualTo(buckets);
            assertThat(wide.seconds(ops[i])).isEqualTo(70_005 * requests / 1e9);
        }
        assertThat(wide.inFlight()).isEqualTo(1000 - 2 * ((1L << ops.length) - 1));
        assertThat(wide.snapshot().errors()).isEqualTo((1L << ops.length) - 1);
        assertThat(wide.snapshot().kicks()).isZero();
        assertThat(registry.get("sluice.queue.running").tags("device", "wide", "queue", "1").gauge().value()).isZero();
    }

    @Test
    void shouldNeverShowFewerThanNoRequestsInFlight() {
        metrics.requestCompleted(0, BlockOp.READ, 512, 0, 1, 1, 0);
        metrics.taken(1, 3, 3);
        assertThat(metrics.inFlight()).isEqualTo(3);
    }

    @Test
    void shouldHaveTotalsForEveryOperationInASnapshot() {
        Map<BlockOp, OpTotals> ops = new EnumMap<>(metrics.snapshot().ops());
        ops.remove(BlockOp.FLUSH);
        assertThatThrownBy(() -> new MetricsSnapshot("disk0", 0, 0, 0, 0, 0, 0, ops)).isInstanceOf(IllegalArgumentException.class)
                .hasMessage("no totals for FLUSH");
        assertThat(metrics.snapshot().ops()).isUnmodifiable();
        assertThat(metrics.device()).isEqualTo("disk0");
    }

    @Test
    void shouldRefuseADeviceWithoutQueues() {
        assertThatThrownBy(() -> new SluiceMetrics("disk0", 0)).hasMessageContaining("0 queues");
    }

    @Test
    void shouldLoseNothingWhenEveryQueueHasItsThreadAndSomebodyReads() throws InterruptedException {
        metrics.bindTo(registry);
        long each = 500_000;
        List<Thread> loops = new ArrayList<>();
        for (int queue = 0; queue < QUEUES; queue++) {
            int mine = queue;
            loops.add(Thread.ofPlatform().name("loop-" + queue).start(() -> {
                for (int i = 0; i < each; i++) {
                    metrics.requestCompleted(mine, BlockOp.READ, 512, 0, 1, 2, PipelineObserver.BYPASSED);
                    metrics.published(mine, 1, (i & 1) == 0);
                }
            }));
        }
        long last = 0;
        while (loops.stream().anyMatch(Thread::isAlive)) {
            long seen = metrics.snapshot().requests();
            assertThat(seen).as("counters never go back").isGreaterThanOrEqualTo(last);
            last = seen;
        }
        for (Thread loop : loops) {
            loop.join();
        }
        MetricsSnapshot snapshot = metrics.snapshot();
        assertThat(snapshot.op(BlockOp.READ))
                .isEqualTo(new OpTotals(QUEUES * each, QUEUES * each, 512 * QUEUES * each, 0, 0, QUEUES * each, 2 * QUEUES * each));
        assertThat(snapshot.calls()).isEqualTo(QUEUES * each / 2);
        assertThat(snapshot.callsSuppressed()).isEqualTo(QUEUES * each / 2);
        for (int queue = 0; queue < QUEUES; queue++) {
            assertThat(counted("sluice.requests.completed", "queue", Integer.toString(queue), "op", "read", "path", "bypassed")).isEqualTo((double) each);
        }
    }

    @Test
    void shouldAllocateNothingOnTheDataPath() {
        count(100_000);
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        int measured = 1_000_000;
        long before = threads.getCurrentThreadAllocatedBytes();
        count(measured);
        long allocated = threads.getCurrentThreadAllocatedBytes() - before;
        LOG.info("{} bytes for {} requests", allocated, measured);
        assertThat((double) allocated / measured).isLessThan(1);
        assertThat(metrics.snapshot().requests()).isEqualTo(100_000 + measured);
    }

    private void count(int requests) {
        BlockOp[] ops = BlockOp.values();
        for (int i = 0; i < requests; i++) {
            metrics.kicked(i & 3);
            metrics.taken(i & 3, 1, 1);
            metrics.requestCompleted(i & 3, ops[i % ops.length], 4096, i % 100 == 0 ? Errno.EIO : 0, i, i * 3L, i & 1);
            metrics.published(i & 3, 1, true);
            metrics.queueEvent(i & 3, QueueEvent.MALFORMED_CHAIN);
        }
    }

    @Test
    void shouldCountWhatAPipelineDid() {
        try (ManualLoop loop = new ManualLoop();
                SimulatedBackend backend = SimulatedBackend.ofSize(1 << 20);
                BlockPipeline pipeline = BlockPipeline.builder()
                        .backend(backend)
                        .observer(metrics)
                        .operator(flux -> flux.filter(request -> request.sector() != 9))
                        .build();
                TestQueue queue = new TestQueue(loop, 0, 8)) {
            pipeline.connect(queue.feed(new QueueSource(loop, queue)));
            SimulatedSink sink = backend.sinkOf(loop);
            sink.hold();
            queue.submit(TestIo.write(0, new byte[1024]));
            queue.submit(TestIo.read(8, 512));
            queue.submit(TestIo.read(9, 512));
            loop.tickUntilIdle();
            loop.advanceNanos(5_000);
            sink.release(sink.held().getFirst(), Errno.ENOSPC);
            sink.releaseAll();
            loop.tickUntilIdle();
            assertThat(metrics.snapshot().op(BlockOp.WRITE)).isEqualTo(new OpTotals(1, 1, 0, 1, 0, 0, 5_000));
            assertThat(metrics.snapshot().op(BlockOp.READ)).as("the dropped one is an error").isEqualTo(new OpTotals(2, 1, 512, 1, 0, 0, 5_000));
        }
    }
}
