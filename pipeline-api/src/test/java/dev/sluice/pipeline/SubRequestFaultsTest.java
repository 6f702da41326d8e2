package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.testing.MirrorStage;
import dev.sluice.pipeline.testing.SimulatedFaults;
import dev.sluice.pipeline.testing.TestIo;
import dev.sluice.pipeline.testing.XorStage;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.CancellationException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.publisher.Mono;

/** Stages with requests of their own over a disk on which everything goes wrong, against what a guest has been told. */
class SubRequestFaultsTest {
    private static final int SECTORS = 64;
    private static final int ROUNDS = 40;

    /** Gives up on some requests, which cancels what the stages below have in flight for them. */
    private record GivesUp(SplittableRandom random) implements BlockStage {
        @Override
        public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
            Mono<BlockResult> rest = chain.proceed(request);
            return random.nextInt(8) == 0 ? rest.takeUntilOther(Mono.error(new CancellationException("on purpose"))).onErrorReturn(BlockResult.failed(110))
                    : rest;
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
    void shouldKeepWhatAGuestWasToldAndLeaveNothingBehind(long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        int kind = (int) (seed % 3);
        try (PipelineRig rig = new PipelineRig(16, 1 + random.nextInt(20), SimulatedFaults.some(seed), builder -> {
            builder.drainLimit(Duration.ofSeconds(1));
            if (seed % 2 == 0) {
                builder.stage(new GivesUp(random.split()));
            }
            if (kind != 1) {
                builder.stage(new XorStage(4096, (byte) 0x77));
            }
            if (kind != 2) {
                builder.stage(new MirrorStage());
            }
        })) {
            // What each sector may hold: after a failed write what was before, what was to be written, or some of both; null.
            Map<Integer, byte[]> expected = new HashMap<>();
            for (int round = 0; round < ROUNDS; round++) {
                List<TestIo> ios = new ArrayList<>();
                List<byte[]> data = new ArrayList<>();
                List<Integer> sectors = new ArrayList<>();
                List<Integer> left = new ArrayList<>();
                for (int i = 0; i < SECTORS; i++) {
                    left.add(i);
                }
                // Each sector once a round: requests in flight together have no order.
                for (int i = 0; i < 16; i++) {
                    Collections.swap(left, random.nextInt(left.size()), left.size() - 1);
                    int sector = left.removeLast();
                    byte[] written = SubRequestTest.bytes(512, random.nextInt());
                    sectors.add(sector);
                    data.add(written);
                    ios.add(rig.submit(
                            random.nextInt(10) == 0 ? TestIo.flush() : random.nextBoolean() ? TestIo.read(sector, 512) : TestIo.write(sector, written)));
                }
                rig.settle();
                for (int i = 0; i < ios.size(); i++) {
                    TestIo io = ios.get(i);
                    assertThat(io.completions()).as("seed %s: %s", seed, io).isEqualTo(1);
                    byte[] known = expected.get(sectors.get(i));
                    if (io.op() == BlockOp.READ && io.result() >= 0 && known != null) {
                        assertThat(io.data()).as("seed %s: %s", seed, io).isEqualTo(known);
                    } else if (io.op() == BlockOp.WRITE) {
                        if (io.result() >= 0) {
                            expected.put(sectors.get(i), data.get(i));
                        } else {
                            expected.remove(sectors.get(i));
                        }
                    }
                }
                assertThat(SubRequestTest.buffersInUse(rig)).as("seed %s, round %s", seed, round).isZero();
            }
            drain(rig, seed);
        }
    }

    /** Stops the queue while the backend and waiting lines have requests. */
    private static void drain(PipelineRig rig, long seed) {
        rig.sink().hold();
        List<TestIo> ios = new ArrayList<>();
        for (int i = 0; i < 16; i++) {
            ios.add(rig.submit(i % 4 == 3 ? TestIo.flush() : TestIo.write(i, new byte[512])));
        }
        rig.settle();
        AtomicBoolean stopped = new AtomicBoolean();
        rig.source.stop(() -> stopped.set(true));
        rig.loop.advanceNanos(1_000_000_000L);
        rig.settle();
        rig.sink().releaseAll();
        rig.settle();
        assertThat(stopped).as("seed %s", seed).isTrue();
        assertThat(ios).as("seed %s: the others were left in the ring", seed).allMatch(io -> io.completions() <= 1).anyMatch(TestIo::completed);
        assertThat(rig.queue.inFlight()).as("seed %s", seed).isZero();
        assertThat(SubRequestTest.buffersInUse(rig)).as("seed %s", seed).isZero();
    }
}
