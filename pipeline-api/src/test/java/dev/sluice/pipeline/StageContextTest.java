package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.CapturedLog;
import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.SimulatedBackend;
import dev.sluice.pipeline.testing.TestIo;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Mono;
import reactor.core.publisher.MonoSink;
import reactor.core.scheduler.Scheduler;

/** What a stage gets from its disk, from its creation to its close. */
class StageContextTest {
    private static final long SIZE = 1 << 20;

    private final List<String> events = new ArrayList<>();
    private final List<StageContext> contexts = new ArrayList<>();

    /** Keeps a header of its own at the beginning of what is below. */
    private record Header(String name, long bytes) implements BlockStage {
        @Override
        public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
            return chain.proceed(request);
        }

        @Override
        public BlockGeometry geometry(BlockGeometry below) {
            if (below.sizeBytes() < bytes) {
                throw new IllegalArgumentException("stage " + name + ": the disk is smaller than its header");
            }
            return new BlockGeometry(below.sizeBytes() - bytes, 4096, 4096, 0, below.readOnly(), false, below.writeZeroes());
        }
    }

    private StageFactory noting(String name) {
        return context -> {
            contexts.add(context);
            events.add("create " + name);
            context.onClose(() -> events.add("close " + name + " 1"));
            context.onClose(() -> events.add("close " + name + " 2"));
            return new Header(name, 0);
        };
    }

    private static BlockPipeline.Builder builder(SimulatedBackend backend) {
        return BlockPipeline.builder().backend(backend).diskName("vm1");
    }

    @Test
    void shouldCreateFromTheLastAndCloseFromTheFirstOnce() {
        try (SimulatedBackend backend = SimulatedBackend.ofSize(SIZE)) {
            BlockPipeline pipeline = builder(backend).stage(noting("upper")).stage(noting("lower")).build();
            assertThat(events).containsExactly("create lower", "create upper");
            pipeline.close();
            pipeline.close();
            assertThat(events).containsExactly("create lower", "create upper", "close upper 2", "close upper 1", "close lower 2", "close lower 1");
            assertThat(contexts).allSatisfy(context -> {
                assertThat(context.diskName()).isEqualTo("vm1");
                assertThatThrownBy(() -> context.onClose(() -> {})).isInstanceOf(IllegalStateException.class).hasMessageContaining("vm1");
                assertThatThrownBy(context::blocking).isInstanceOf(IllegalStateException.class);
            });
        }
    }

    @Test
    void shouldCloseWhatWasCreatedWhenAStageCannotBe() {
        try (SimulatedBackend backend = SimulatedBackend.ofSize(SIZE)) {
            StageFactory refuses = context -> {
                context.onClose(() -> events.add("close half"));
                throw new IOException("no key for disk " + context.diskName());
            };
            BlockPipeline.Builder refused = builder(backend).stage(noting("upper")).stage(refuses).stage(noting("lower"));
            assertThatThrownBy(refused::build).isInstanceOf(UncheckedIOException.class).hasMessage("no key for disk vm1").hasCauseInstanceOf(IOException.class);
            assertThat(events).containsExactly("create lower", "close half", "close lower 2", "close lower 1");

            events.clear();
            BlockPipeline.Builder tooSmall = builder(backend).stage(noting("upper")).stage(context -> new Header("large", 2 * SIZE)).stage(noting("lower"));
            assertThatThrownBy(tooSmall::build).isInstanceOf(IllegalArgumentException.class).hasMessage("stage large: the disk is smaller than its header");
            assertThat(events).containsExactly("create lower", "close lower 2", "close lower 1");
        }
    }

    @Test
    void shouldLogWhatAHookThrowsAndRunTheOthers() {
        try (SimulatedBackend backend = SimulatedBackend.ofSize(SIZE); CapturedLog log = new CapturedLog()) {
            builder(backend).stage(context -> {
                context.onClose(() -> events.add("first"));
                context.onClose(() -> {
                    throw new IOException("made up");
                });
                return new Header("luks", 0);
            }).stage(noting("lower")).build().close();
            assertThat(events).containsExactly("create lower", "first", "close lower 2", "close lower 1");
            assertThat(log.lines("disk vm1: stage luks failed to close")).hasSize(1);
        }
    }

    @Test
    void shouldRunHooksOnlyWhenTheLastRequestOfTheDiskHasCompleted() throws InterruptedException {
        List<MonoSink<BlockResult>> held = new ArrayList<>();
        CountDownLatch closed = new CountDownLatch(1);
        AtomicInteger closes = new AtomicInteger();
        Thread test = Thread.currentThread();
        List<Thread> by = new ArrayList<>();
        try (PipelineRig rig = new PipelineRig(builder -> builder.stage(context -> {
            context.onClose(() -> {
                closes.incrementAndGet();
                by.add(Thread.currentThread());
                closed.countDown();
            });
            return (request, chain) -> Mono.create(held::add);
        }))) {
            TestIo read = rig.submit(TestIo.read(0, 512));
            rig.settle();
            rig.pipeline.close();
            rig.source.stop(() -> {});
            rig.settle();
            assertThat(closes).as("a request is in flight").hasValue(0);
            held.getFirst().success(BlockResult.OK);
            rig.settle();
            assertThat(read.result()).isEqualTo(512);
            closed.await();
            rig.pipeline.close();
            assertThat(closes).hasValue(1);
            assertThat(by).as("a hook may block, which a loop must not").doesNotContain(test);
        }
    }

    @Test
    void shouldShowTheGeometryThatTheStagesMakeOfTheBackends() {
        try (SimulatedBackend backend = SimulatedBackend.ofSize(SIZE);
                BlockPipeline pipeline = builder(backend)
                        .stage(noting("upper"))
                        .stage(context -> {
                            contexts.add(context);
                            assertThat(context.geometry().sizeBytes()).isEqualTo(SIZE - 4096);
                            return new Header("luks", 16384);
                        })
                        .stage(context -> new Header("partition", 4096))
                        .build()) {
            assertThat(pipeline.geometry().sizeBytes()).isEqualTo(SIZE - 4096 - 16384);
            assertThat(pipeline.geometry().logicalBlockBytes()).isEqualTo(4096);
            assertThat(pipeline.geometry().discard()).isFalse();
            assertThat(contexts).extracting(context -> context.geometry().sizeBytes()).containsExactly(SIZE - 4096, SIZE - 4096 - 16384);
            assertThat(pipeline.geometry()).as("made once").isSameAs(pipeline.geometry());
        }
    }

    @Test
    void shouldFollowTheBackendWhenItIsResized() {
        RecordingGeometry backend = new RecordingGeometry();
        try (SimulatedBackend real = SimulatedBackend.ofSize(SIZE);
                BlockPipeline pipeline = BlockPipeline.builder().backend(backend.over(real)).stage(context -> {
                    contexts.add(context);
                    return new Header("luks", 4096);
                }).build()) {
            assertThat(pipeline.geometry().sizeBytes()).isEqualTo(SIZE - 4096);
            backend.sizeBytes = 2 * SIZE;
            assertThat(pipeline.geometry().sizeBytes()).isEqualTo(2 * SIZE - 4096);
            assertThat(contexts.getFirst().geometry().sizeBytes()).isEqualTo(2 * SIZE);
        }
    }

    /** A backend whose size a test changes. */
    private static final class RecordingGeometry {
        private long sizeBytes = SIZE;

        BlockBackend over(BlockBackend backend) {
            return new BlockBackend() {
                private BlockGeometry geometry = new BlockGeometry(SIZE, 512, 512, 0, false, true, true);

                @Override
                public String name() {
                    return backend.name();
                }

                @Override
                public BlockGeometry geometry() {
                    if (geometry.sizeBytes() != sizeBytes) {
                        geometry = new BlockGeometry(sizeBytes, 512, 512, 0, false, true, true);
                    }
                    return geometry;
                }

                @Override
                public BlockSink openSink(IoLoop loop) {
                    return backend.openSink(loop);
                }

                @Override
                public void close() {}
            };
        }
    }

    @Test
    void shouldNameTheLoops() {
        try (PipelineRig rig = new PipelineRig(builder -> builder.stage(noting("upper")));
                SimulatedBackend backend = SimulatedBackend.ofSize(SIZE);
                ManualLoop other = new ManualLoop()) {
            assertThat(contexts.getFirst().loops()).as("on which a queue was connected").containsExactly(rig.loop);
            BlockPipeline pipeline = builder(backend).loops(List.of(rig.loop, other)).stage(noting("given")).build();
            assertThat(contexts.getLast().loops()).containsExactly(rig.loop, other);
            pipeline.close();
        }
    }

    @Test
    void shouldBoundBlockingWorkAndDisposeOfItsThreadsLast() throws InterruptedException {
        CountDownLatch started = new CountDownLatch(StageContext.BLOCKING_THREADS);
        CountDownLatch go = new CountDownLatch(1);
        List<Boolean> disposedInHook = new ArrayList<>();
        Scheduler[] blocking = new Scheduler[1];
        try (SimulatedBackend backend = SimulatedBackend.ofSize(SIZE)) {
            BlockPipeline pipeline = builder(backend).stage(context -> {
                blocking[0] = context.blocking();
                assertThat(context.blocking()).isSameAs(blocking[0]);
                context.onClose(() -> disposedInHook.add(blocking[0].isDisposed()));
                return new Header("luks", 0);
            }).build();
            Runnable task = () -> {
                started.countDown();
                try {
                    go.await();
                } catch (InterruptedException disposed) {
                    Thread.currentThread().interrupt();
                }
            };
            int most = StageContext.BLOCKING_THREADS * (1 + StageContext.BLOCKING_TASKS);
            int taken = 0;
            try {
                for (; taken <= most; taken++) {
                    blocking[0].schedule(task);
                }
            } catch (RejectedExecutionException full) {
                // As it has to be, once.
            }
            started.await();
            assertThat(taken).isBetween(StageContext.BLOCKING_THREADS * StageContext.BLOCKING_TASKS, most);
            go.countDown();
            pipeline.close();
            assertThat(disposedInHook).containsExactly(false);
            assertThat(blocking[0].isDisposed()).isTrue();
        }
    }

    @Test
    void shouldPublishMeters() {
        try (SimulatedBackend backend = SimulatedBackend.ofSize(SIZE)) {
            StageCounter[] hits = new StageCounter[1];
            BlockPipeline pipeline = builder(backend).stage(context -> {
                hits[0] = context.counter("cache.hits", "Reads from memory.");
                context.gauge("cache.dirty.bytes", "Bytes to be written.", () -> 7);
                assertThatThrownBy(() -> context.counter("cache.hits", "")).hasMessageContaining("'cache.hits' exists");
                assertThatThrownBy(() -> context.counter("cache_hits", "")).hasMessageContaining("'cache_hits' exists");
                assertThatThrownBy(() -> context.counter("Cache hits", "")).hasMessageContaining("'Cache hits'");
                return new Header("cache", 0);
            }).stage(new Header("other", 0)).build();
            hits[0].increment();
            hits[0].add(2);
            assertThat(pipeline.stageMeters())
                    .extracting(meter -> meter.stage() + " " + meter.place() + " " + meter.name() + " " + meter.counter() + " " + meter.value().getAsLong())
                    .containsExactly("cache 0 cache.hits true 3", "cache 0 cache.dirty.bytes false 7");
            pipeline.close();
        }
    }
}
