package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.CapturedLog;
import dev.sluice.linux.Errno;
import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.SimulatedBackend;
import dev.sluice.pipeline.testing.SimulatedSink;
import dev.sluice.pipeline.testing.TestIo;
import dev.sluice.pipeline.testing.TestQueue;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Mono;
import reactor.core.publisher.MonoSink;

/** The requests that stages of a queue have; what becomes of those that nothing refers to any more, and of those that fail under their stage. */
class StageHoldsTest {
    private static final long SECOND = 1_000_000_000L;

    private final ManualLoop ticks = new ManualLoop();
    private final List<Long> timers = new ArrayList<>();
    private final IoLoop loop = countingTimers();
    private final SimulatedBackend backend = SimulatedBackend.ofSize(1 << 20);
    private final TestQueue queue = new TestQueue(loop, 0, 16);
    private final QueueSource source = queue.feed(new QueueSource(loop, queue));
    private final SimulatedSink disk = (SimulatedSink) backend.openSink(loop);
    private final Map<Long, MonoSink<BlockResult>> signals = new LinkedHashMap<>();
    private final Map<Long, BlockRequest> shown = new LinkedHashMap<>();
    private final BlockPipeline pipeline = BlockPipeline.builder().backend(backend).stage((request, chain) -> {
        shown.put(request.sector(), request);
        Mono<BlockResult> byHand = Mono.create(signal -> signals.put(request.sector(), signal));
        // From sector 50 on it sends them on, from 100 on at once.
        return request.sector() >= 100 ? chain.proceed(request) : request.sector() >= 50 ? byHand.then(chain.proceed(request)) : byHand;
    }).build();
    private final QueueSubscriber subscriber = new QueueSubscriber(source, new SharedSink(loop, disk), pipeline);

    StageHoldsTest() {
        subscriber.subscribe();
        ticks.tickUntilIdle();
    }

    private IoLoop countingTimers() {
        return (IoLoop) Proxy.newProxyInstance(IoLoop.class.getClassLoader(), new Class<?>[] {IoLoop.class}, (proxy, method, arguments) -> {
            if (method.getName().equals("schedule")) {
                timers.add((Long) arguments[1]);
            }
            try {
                return method.invoke(ticks, arguments);
            } catch (InvocationTargetException failed) {
                throw failed.getCause();
            }
        });
    }

    @AfterEach
    void close() {
        signals.values().forEach(signal -> signal.success(BlockResult.OK));
        disk.releaseAll();
        ticks.tickUntilIdle();
        queue.close();
        backend.close();
        ticks.close();
    }

    private TestIo submit(long sector) {
        TestIo io = queue.submit(TestIo.read(sector, 512));
        ticks.tickUntilIdle();
        return io;
    }

    private void signal(long sector) {
        Objects.requireNonNull(signals.get(sector)).success(BlockResult.OK);
        ticks.tickUntilIdle();
    }

    private List<Long> held() {
        List<Long> sectors = new ArrayList<>();
        subscriber.scope().holds().forEach(call -> sectors.add(call.request().sector()));
        return sectors;
    }

    /** As the garbage collector does with the calls whose requests nothing refers to. */
    private void lose(long sector) {
        subscriber.scope().holds().forEach(call -> {
            if (call.request().sector() == sector) {
                call.enqueue();
            }
        });
    }

    private void pass(long nanos) {
        ticks.advanceNanos(nanos);
        ticks.tickUntilIdle();
    }

    @Test
    void shouldKnowWhatStagesHaveInWhicheverOrderTheyEnd() {
        long[][] orders = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
        for (long[] order : orders) {
            List<Long> left = new ArrayList<>(List.of(2L, 1L, 0L));
            for (long sector = 0; sector < 3; sector++) {
                submit(sector);
            }
            assertThat(held()).isEqualTo(left);
            for (long sector : order) {
                signal(sector);
                left.remove(sector);
                assertThat(held()).isEqualTo(left);
            }
        }
    }

    @Test
    void shouldLookForLostRequestsOnceASecondHoweverManyThereAre() {
        for (long sector = 0; sector < 10; sector++) {
            submit(sector);
        }
        assertThat(timers).containsExactly(SECOND);
        pass(SECOND - 1);
        assertThat(timers).hasSize(1);
        pass(1);
        pass(SECOND);
        assertThat(timers).hasSize(3).containsOnly(SECOND);
        for (long sector = 0; sector < 10; sector++) {
            signal(sector);
        }
        pass(SECOND);
        assertThat(timers).as("there is nothing to look for").hasSize(3);
        submit(0);
        assertThat(timers).hasSize(4);
    }

    @Test
    void shouldFailEachRequestThatNothingRefersToAndNoOther() {
        TestIo lost = submit(0);
        TestIo kept = submit(1);
        TestIo alsoLost = submit(2);
        lose(0);
        lose(2);
        try (CapturedLog log = new CapturedLog()) {
            pass(SECOND);
            assertThat(lost.result()).isEqualTo(-Errno.EIO);
            assertThat(alsoLost.result()).isEqualTo(-Errno.EIO);
            assertThat(kept.completed()).isFalse();
            assertThat(log.lines("its Mono can never end")).hasSize(1);
            assertThat(held()).containsExactly(1L);
        }
        submit(3);
        lose(3);
        signal(1);
        pass(SECOND);
        assertThat(held()).as("the loop looks on").isEmpty();
    }

    @Test
    void shouldReleaseTheMemoryOfAFailedRequestThatNothingRefersTo() {
        submit(0);
        submit(1);
        AtomicBoolean released = new AtomicBoolean();
        source.stop(() -> {});
        subscriber.scope().holds().forEach(subscriber.scope().holds()::expire);
        ticks.tickUntilIdle();
        assertThat(queue.inFlight()).isZero();
        source.whenReleased(() -> released.set(true));
        lose(0);
        pass(SECOND);
        assertThat(released).as("a stage has the other one").isFalse();
        assertThat(held()).containsExactly(1L);
        lose(1);
        pass(SECOND);
        assertThat(released).isTrue();
        assertThat(held()).isEmpty();
    }

    @Test
    void shouldReleaseAtOnceWhatHasItsOutcomeAndWaitsForTheSink() {
        disk.hold();
        TestIo read = submit(100);
        Objects.requireNonNull(shown.get(100L)).complete(-Errno.ENOSPC);
        ticks.tickUntilIdle();
        assertThat(read.completed()).isFalse();
        AtomicBoolean released = new AtomicBoolean();
        source.stop(() -> source.whenReleased(() -> released.set(true)));
        pass(BlockPipeline.DEFAULT_DRAIN_LIMIT.toNanos());
        assertThat(pipeline.failedAtDrainLimit()).isZero();
        disk.releaseAll();
        ticks.tickUntilIdle();
        assertThat(read.result()).as("what the stage decided").isEqualTo(-Errno.ENOSPC);
        assertThat(released).isTrue();
    }

    @Test
    void shouldCompleteARequestAsUsualThatOnlySeemsLost() {
        TestIo read = submit(50);
        lose(50);
        try (CapturedLog log = new CapturedLog()) {
            signal(50);
            assertThat(read.result()).isEqualTo(512);
            pass(SECOND);
            assertThat(log.lines()).isEmpty();
        }
        List<String> told = new ArrayList<>();
        source.stop(() -> source.whenReleased(() -> told.add("released")));
        assertThat(told).containsExactly("released");
    }

    @Test
    void shouldFailAtTheLimitWhatIsLostAndNotFoundYet() {
        TestIo read = submit(0);
        lose(0);
        source.stop(() -> {});
        subscriber.scope().holds().forEach(subscriber.scope().holds()::expire);
        assertThat(read.result()).isEqualTo(-Errno.ECANCELED);
    }

    @Test
    void shouldKeepTheDataFromTheStageFromTheLimitOnThoughTheSinkHasItYet() {
        disk.hold();
        TestIo read = submit(100);
        BlockRequest request = Objects.requireNonNull(shown.get(100L));
        request.copyDataTo(0, new byte[512], 0, 512);
        source.stop(() -> {});
        subscriber.scope().holds().forEach(subscriber.scope().holds()::expire);
        assertThat(read.completed()).isFalse();
        assertThatThrownBy(() -> request.copyDataTo(0, new byte[512], 0, 512)).isInstanceOf(IllegalStateException.class).hasMessageContaining("completed");
        assertThatThrownBy(() -> request.copyDataFrom(0, new byte[512], 0, 512)).isInstanceOf(IllegalStateException.class).hasMessageContaining("completed");
    }

    @Test
    void shouldReleaseAtOnceWhenTheStagesHaveSignalledBeforeAnybodyAsked() {
        submit(0);
        submit(1);
        source.stop(() -> {});
        subscriber.scope().holds().forEach(subscriber.scope().holds()::expire);
        try (CapturedLog log = new CapturedLog()) {
            signal(0);
            signal(1);
            assertThat(log.lines()).isEmpty();
        }
        assertThat(held()).isEmpty();
        List<String> told = new ArrayList<>();
        source.whenReleased(() -> told.add("released"));
        assertThat(told).containsExactly("released");
    }

    @Test
    void shouldTellOnceWhenEverythingIsReleased() {
        submit(0);
        source.stop(() -> {});
        subscriber.scope().holds().forEach(subscriber.scope().holds()::expire);
        List<String> told = new ArrayList<>();
        source.whenReleased(() -> told.add("released"));
        assertThat(told).isEmpty();
        signal(0);
        // A second signal of the same stage, and one from nowhere.
        Objects.requireNonNull(shown.get(0L)).complete(0);
        ticks.tickUntilIdle();
        assertThat(told).containsExactly("released");
        source.whenReleased(() -> told.add("asked again"));
        assertThat(told).containsExactly("released", "asked again");
    }

    /** Of a request that fails at the limit the stage may signal before the sink completes it, and after. */
    @Test
    void shouldForgetARequestOnceAndNoOtherWithItWhicheverOfStageAndSinkIsLast() {
        disk.hold();
        submit(0);
        submit(100);
        submit(1);
        submit(101);
        submit(2);
        source.stop(() -> {});
        subscriber.scope().holds().forEach(subscriber.scope().holds()::expire);
        ticks.tickUntilIdle();
        assertThat(held()).containsExactly(2L, 101L, 1L, 100L, 0L);
        Objects.requireNonNull(shown.get(100L)).complete(0);
        ticks.tickUntilIdle();
        assertThat(held()).containsExactly(2L, 101L, 1L, 0L);
        disk.releaseAll();
        ticks.tickUntilIdle();
        assertThat(held()).as("the sink was last for 100, the stage for 101").containsExactly(2L, 1L, 0L);
        signal(1);
        assertThat(held()).containsExactly(2L, 0L);
        lose(0);
        lose(2);
        pass(SECOND);
        assertThat(held()).isEmpty();
    }
}
