package dev.sluice.pipeline;

import dev.sluice.linux.Errno;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.testing.SimulatedFaults;
import dev.sluice.pipeline.testing.TestIo;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.UnaryOperator;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;

/** Whatever operators, stages and disks do: every request that was polled is answered, once. */
class PipelineLeakTest {
    private static final Logger LOG = LoggerFactory.getLogger(PipelineLeakTest.class);
    private static final int REQUESTS = 300;
    private static final Scheduler ELSEWHERE = Schedulers.newParallel("leak-test", 2, true);

    @AfterAll
    static void disposeScheduler() {
        ELSEWHERE.dispose();
    }

    /** What earlier runs have found. */
    private static final long[] FOUND = {10448557212251L, 1000211, 1000873, 1001227, 1001568};

    /** Sixty that are always the same, and one that never is. */
    static LongStream seeds() {
        return LongStream.concat(LongStream.concat(LongStream.range(0, 60), LongStream.of(FOUND)), LongStream.of(System.nanoTime()));
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void shouldAnswerEveryRequestOnce(long seed) {
        LOG.info("seed {}", seed);
        SplittableRandom random = new SplittableRandom(seed);
        List<TestIo> ios = new ArrayList<>();
        int queueSize = 1 + random.nextInt(32);
        int sinkCapacity = 1 + random.nextInt(16);
        try (PipelineRig rig = new PipelineRig(queueSize, sinkCapacity, SimulatedFaults.some(seed), builder -> configure(builder, random))) {
            rig.otherThreads();
            for (int i = 0; i < REQUESTS; i++) {
                ios.add(rig.submit(io(random)));
                if (random.nextInt(10) == 0) {
                    rig.loop.tick();
                }
            }
            if (random.nextInt(8) == 0) {
                // What is out goes on; the rest stays in the ring for good.
                rig.queue.breakRing("made up by seed " + seed);
                rig.settle();
            } else {
                rig.settleUntilAnswered(ios);
            }
        } catch (RuntimeException | AssertionError failure) {
            throw new AssertionError("seed " + seed + ": " + failure.getMessage(), failure);
        }
        assertThat(ios).as("seed " + seed).allMatch(io -> io.completions() <= 1);
    }

    private static TestIo io(SplittableRandom random) {
        long sector = random.nextInt(1024);
        int length = 512 * random.nextInt(8);
        return switch (random.nextInt(8)) {
            case 0, 1 -> TestIo.flush();
            case 2 -> TestIo.discard(sector, length);
            case 3 -> TestIo.writeZeroes(sector, length);
            case 4, 5 -> TestIo.write(sector, new byte[length]);
            default -> TestIo.read(sector, length);
        };
    }

    private static void configure(BlockPipeline.Builder builder, SplittableRandom random) {
        for (int i = random.nextInt(4); i > 0; i--) {
            builder.operator(operator(random));
        }
        for (int i = random.nextInt(4); i > 0; i--) {
            builder.stage(stage(random));
        }
    }

    private static boolean hit(BlockRequest request, int modulus) {
        return (request.sector() + request.lengthBytes() / 512) % modulus == 1;
    }

    private static IllegalStateException thrown() {
        return new IllegalStateException("thrown on purpose");
    }

    private static UnaryOperator<Flux<BlockRequest>> operator(SplittableRandom random) {
        int modulus = 5 + random.nextInt(20);
        int prefetch = 1 + random.nextInt(16);
        return switch (random.nextInt(9)) {
            case 0 -> flux -> flux.filter(request -> !hit(request, modulus));
            case 1 -> flux -> flux.map(request -> {
                if (hit(request, modulus)) {
                    throw thrown();
                }
                return request;
            });
            case 2 -> flux -> flux.filter(request -> {
                if (hit(request, modulus)) {
                    throw thrown();
                }
                return true;
            });
            case 3 -> flux -> flux.publishOn(ELSEWHERE, prefetch);
            case 4 -> flux -> flux.take(modulus);
            case 5 -> flux -> flux.take(modulus).publishOn(ELSEWHERE, prefetch);
            case 6 -> flux -> flux.concatMapIterable(List::of, prefetch);
            case 7 -> flux -> flux.flatMap(request -> hit(request, modulus) ? Mono.<BlockRequest>error(thrown()) : Mono.just(request).subscribeOn(ELSEWHERE),
                    prefetch);
            default -> flux -> flux.doOnNext(request -> {
                if (hit(request, modulus)) {
                    throw thrown();
                }
            }).limitRate(prefetch);
        };
    }

    private static BlockStage stage(SplittableRandom random) {
        int modulus = 2 + random.nextInt(10);
        int kind = random.nextInt(10);
        return new BlockStage() {
            @Override
            public boolean interestedIn(BlockRequest request) {
                if (kind == 9 && hit(request, 10 * modulus)) {
                    throw thrown();
                }
                return hit(request, modulus);
            }

            @Override
            public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
                return switch (kind) {
                    case 0 -> chain.proceed(request);
                    case 1 -> Mono.just(BlockResult.OK);
                    case 2 -> Mono.error(thrown());
                    case 3 -> Mono.empty();
                    case 4 -> throw thrown();
                    case 5 -> Mono.defer(() -> chain.proceed(request)).subscribeOn(ELSEWHERE);
                    case 6 -> chain.proceed(request).publishOn(ELSEWHERE);
                    case 7 -> chain.proceed(request).repeat(2).last();
                    // Gives up at once, on another thread, while the sink may or may not have the request.
                    case 8 -> chain.proceed(request).timeout(Mono.fromRunnable(() -> {}).subscribeOn(ELSEWHERE), Mono.just(BlockResult.failed(Errno.EIO)));
                    default -> chain.proceed(request).flatMap(status -> status.isOk() ? Mono.just(status) : Mono.error(thrown())).retry(3);
                };
            }
        };
    }
}
