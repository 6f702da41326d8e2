package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.SimulatedBackend;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.publisher.Mono;

/** The small closed words: {@link BlockOp}, {@link BlockStatus}, {@link BlockGeometry}, {@link BackendOptions}, and what interfaces do unless told. */
class BlockVocabularyTest {

    @ParameterizedTest
    @EnumSource
    void shouldKnowWhatModifies(BlockOp op) {
        boolean modifies = switch (op) {
            case WRITE, DISCARD, WRITE_ZEROES -> true;
            case READ, FLUSH -> false;
        };
        assertThat(op.modifies()).isEqualTo(modifies);
    }

    @Test
    void shouldMapResultsToTheStatusOfTheSpecification() {
        // VIRTIO 1.3 §5.2.6: VIRTIO_BLK_S_OK 0, IOERR 1, UNSUPP 2.
        assertThat(BlockStatus.OK.wireValue()).isEqualTo((byte) 0);
        assertThat(BlockStatus.IOERR.wireValue()).isEqualTo((byte) 1);
        assertThat(BlockStatus.UNSUPP.wireValue()).isEqualTo((byte) 2);
        assertThat(BlockStatus.ofResult(0)).isEqualTo(BlockStatus.OK);
        assertThat(BlockStatus.ofResult(Integer.MAX_VALUE)).isEqualTo(BlockStatus.OK);
        for (int errno = 1; errno < 4096; errno++) {
            assertThat(BlockStatus.ofResult(-errno)).isEqualTo(errno == Errno.EOPNOTSUPP ? BlockStatus.UNSUPP : BlockStatus.IOERR);
        }
        assertThat(BlockStatus.ofResult(Integer.MIN_VALUE)).isEqualTo(BlockStatus.IOERR);
    }

    @Test
    void shouldKeepTheErrnoOfAResult() {
        assertThat(BlockResult.of(0)).isSameAs(BlockResult.OK);
        assertThat(BlockResult.of(Integer.MAX_VALUE)).isSameAs(BlockResult.OK);
        assertThat(BlockResult.OK.isOk()).isTrue();
        assertThat(BlockResult.OK.status()).isEqualTo(BlockStatus.OK);
        for (int errno = 1; errno < 4096; errno++) {
            BlockResult failed = BlockResult.of(-errno);
            assertThat(failed.errno()).isEqualTo(errno);
            assertThat(failed.isOk()).isFalse();
            assertThat(failed).isEqualTo(BlockResult.failed(errno));
            assertThat(failed.status()).isEqualTo(BlockStatus.ofResult(-errno));
        }
        assertThat(BlockResult.of(Integer.MIN_VALUE).errno()).isEqualTo(Errno.EIO);
        assertThat(BlockResult.failed(Errno.ENOSPC)).isSameAs(BlockResult.of(-Errno.ENOSPC)).hasToString("ENOSPC (no space left on device)");
        assertThat(BlockResult.OK).hasToString("OK");
        for (int none : new int[] {0, -1, 4096}) {
            assertThatThrownBy(() -> BlockResult.failed(none)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("errno " + none);
        }
    }

    @Test
    void shouldTakeTheFirstFailureOfResultsThatMustAllSucceed() {
        BlockResult noSpace = BlockResult.failed(Errno.ENOSPC);
        assertThat(BlockResult.OK.and(BlockResult.OK)).isSameAs(BlockResult.OK);
        assertThat(BlockResult.OK.and(noSpace)).isSameAs(noSpace);
        assertThat(noSpace.and(BlockResult.OK)).isSameAs(noSpace);
        assertThat(noSpace.and(BlockResult.failed(Errno.EIO))).isSameAs(noSpace);
    }

    @ParameterizedTest
    @ValueSource(longs = {-512, 511, 1, 1000})
    void shouldRefuseASizeThatIsNoMultipleOfASector(long size) {
        assertThatThrownBy(() -> new BlockGeometry(size, 512, 512, 0, false, false, false)).hasMessageContaining(Long.toString(size));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 256, 513, 131072, -512, Integer.MIN_VALUE})
    void shouldRefuseALogicalBlockOutOfBounds(int logical) {
        assertThatThrownBy(() -> new BlockGeometry(512, logical, 1 << 20, 0, false, false, false)).hasMessageContaining("logical block of " + logical);
    }

    @ParameterizedTest
    @ValueSource(ints = {512, 6144, Integer.MIN_VALUE})
    void shouldRefuseAPhysicalBlockThatIsNoMultipleOfTheLogicalOne(int physical) {
        assertThatThrownBy(() -> new BlockGeometry(512, 4096, physical, 0, false, false, false)).hasMessageContaining(Integer.toString(physical));
    }

    @Test
    void shouldCountSectors() {
        assertThat(new BlockGeometry(1 << 20, 4096, 8192, 65536, false, true, true).sectors()).isEqualTo(2048);
        assertThatThrownBy(() -> new BlockGeometry(512, 512, 512, -1, false, false, false)).hasMessageContaining("-1");
    }

    @Test
    void shouldBoundTheCapacityOfASink() {
        Path image = Path.of("disk.img");
        BackendOptions options = BackendOptions.of(image).withReadOnly(true).withDirect(false);
        assertThat(options).isEqualTo(new BackendOptions(image, true, false, BackendOptions.DEFAULT_SINK_CAPACITY));
        assertThat(options.sinkCapacityOr(256)).isEqualTo(256);
        assertThat(options.withSinkCapacity(7).sinkCapacityOr(256)).isEqualTo(7);
        assertThat(options.withSinkCapacity(7)).isEqualTo(new BackendOptions(image, true, false, 7));
        for (int capacity : new int[] {1, BackendOptions.MAX_SINK_CAPACITY}) {
            assertThat(options.withSinkCapacity(capacity).sinkCapacity()).isEqualTo(capacity);
        }
        assertThatThrownBy(() -> new BackendOptions(image, false, true, -1)).hasMessageContaining("capacity -1");
        assertThatThrownBy(() -> new BackendOptions(image, false, true, BackendOptions.MAX_SINK_CAPACITY + 1)).hasMessageContaining("32769");
    }

    @Test
    void shouldTakeGeometriesAtTheirBounds() {
        assertThat(new BlockGeometry(0, 512, 512, 0, false, false, false).sectors()).isZero();
        assertThat(new BlockGeometry(512, 65536, 65536, 0, false, false, false).logicalBlockBytes()).isEqualTo(65536);
    }

    @Test
    void shouldKnowWhatLiesOnTheDisk() {
        long sectors = 3;
        BlockGeometry disk = new BlockGeometry(sectors * 512, 512, 512, 0, false, false, false);
        long[][] inside = {{0, 0}, {0, 1}, {0, sectors}, {sectors - 1, 1}, {sectors, 0}, {1, sectors - 1}};
        long[][] outside = {
            {0, sectors + 1}, {sectors, 1}, {1, sectors}, {sectors + 1, 0}, {-1, 1}, {-1, 0}, {-1, 2}, {1, -1},
            {Long.MIN_VALUE, 1}, {Long.MAX_VALUE, 1}, {0, Long.MAX_VALUE}, {Long.MAX_VALUE, Long.MAX_VALUE}, {0, Long.MIN_VALUE}
        };
        for (long[] range : inside) {
            assertThat(disk.containsSectors(range[0], range[1])).as("%d sectors at %d", range[1], range[0]).isTrue();
            assertThat(disk.containsBytes(range[0] * 512, range[1] * 512)).isTrue();
        }
        for (long[] range : outside) {
            assertThat(disk.containsSectors(range[0], range[1])).as("%d sectors at %d", range[1], range[0]).isFalse();
        }
        assertThat(disk.containsBytes(sectors * 512 - 1, 1)).isTrue();
        assertThat(disk.containsBytes(sectors * 512 - 1, 2)).isFalse();
        assertThat(disk.containsBytes(-1, 1)).isFalse();
        assertThat(disk.containsBytes(Long.MAX_VALUE, Long.MAX_VALUE)).isFalse();
    }

    @Test
    void shouldReachToTheEndOfTheDiskAndNotBeyond() {
        BlockGeometry disk = new BlockGeometry(4096, 512, 512, 0, false, false, false);
        assertThat(disk.reachesTo(4095)).isTrue();
        assertThat(disk.reachesTo(4096)).isTrue();
        assertThat(disk.reachesTo(4097)).isFalse();
    }

    @Test
    void shouldNameQueueAndRuleOfABrokenQueue() {
        IllegalStateException cause = new IllegalStateException("made up");
        BrokenQueueException broken = new BrokenQueueException(3, "VIRTIO 1.3 §2.7: made up", cause);
        assertThat(broken).hasMessage("queue 3: VIRTIO 1.3 §2.7: made up").hasCause(cause);
        assertThat(broken.queueIndex()).isEqualTo(3);
        assertThat(new BrokenQueueException(4, "made up").queueIndex()).isEqualTo(4);
    }

    @Test
    void shouldTellAnObserverOfEachRequestThatDoesNotCareForRuns() {
        List<String> told = new ArrayList<>();
        PipelineObserver observer = new PipelineObserver() {
            @Override
            public void requestCompleted(int queue, BlockOp op, long bytes, int errno, long waitNanos, long deviceNanos, int flags) {
                told.add(queue + " " + op + " " + bytes + " " + errno + " " + waitNanos + " " + deviceNanos + " " + flags);
            }
        };
        observer.requestsCompleted(1, BlockOp.WRITE, 3, 512, Errno.EIO, 10, 20, PipelineObserver.BYPASSED);
        assertThat(told).hasSize(3).containsOnly("1 WRITE 512 5 10 20 1");
    }

    @Test
    void shouldSeeEverythingWhenAStageSaysNothingElse() {
        BlockStage plain = new Plain();
        assertThat(plain.operations()).containsExactlyInAnyOrder(BlockOp.values());
        try (ManualLoop loop = new ManualLoop()) {
            assertThat(plain.interestedIn(new BareRequest(loop, 0, 0).parse(BlockOp.READ))).isTrue();
        }
        assertThat(plain.name()).isEqualTo("Plain");
    }

    private static final class Plain implements BlockStage {
        @Override
        public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
            return chain.proceed(request);
        }
    }

    @Test
    void shouldCountWhatASinkHandsToTheKernel() {
        SinkCounts counts = new SinkCounts();
        counts.publish();
        assertThat(counts.snapshot()).isEqualTo(SinkCounters.NONE);
        counts.batch(0);
        assertThat(counts.snapshot()).as("nothing was handed over").isEqualTo(SinkCounters.NONE);
        counts.batch(1);
        counts.batch(4);
        counts.retried();
        counts.continued();
        counts.continued();
        counts.bounced();
        counts.bounced();
        counts.bounced();
        counts.publish();
        assertThat(counts.snapshot()).isEqualTo(new SinkCounters(2, 5, 1, 2, 3));
    }

    @Test
    void shouldOfferNothingThatAnImplementationDoesNotHave() throws IOException {
        try (ManualLoop loop = new ManualLoop(); SimulatedBackend backend = SimulatedBackend.ofSize(512)) {
            assertThat(loop.kind()).isEmpty();
            assertThat(loop.busyPolls()).isFalse();
            assertThat(loop.addPoller(new Poller())).isFalse();
            BlockSink sink = backend.openSink(loop);
            assertThat(sink.registerBuffers(4096, 4096)).isFalse();
            sink.unregisterBuffers(4096);
            assertThat(sink.counters()).isEqualTo(SinkCounters.NONE);
            sink.close();
            OneRequestQueue queue = new OneRequestQueue(loop);
            queue.submit(BlockOp.READ, 0);
            assertThat(queue.available()).isFalse();
        }
        PlainLoops loops = new PlainLoops();
        assertThat(loops.watches()).isTrue();
        try (IoLoop started = loops.start("plain")) {
            assertThat(started.name()).as("it does not spin").isEqualTo("plain 0");
        }
        assertThat(new PlainBackends().unavailable(BackendOptions.of(Path.of("disk.img")))).contains("made up");
        assertThat(new PlainBackends().loops()).isEmpty();
    }

    private static final class Poller implements IoLoop.Poller {
        @Override
        public boolean poll() {
            return true;
        }

        @Override
        public boolean armNotifications() {
            return true;
        }

        @Override
        public void disarmNotifications() {}
    }

    private static final class PlainLoops implements IoLoopProvider {
        @Override
        public String name() {
            return "plain";
        }

        @Override
        public Optional<String> unavailable() {
            return Optional.empty();
        }

        @Override
        public IoLoop start(String name, long pollMaxNanos) {
            return new ManualLoop(name + " " + pollMaxNanos);
        }
    }

    private static final class PlainBackends implements BlockBackendProvider {
        @Override
        public String name() {
            return "plain";
        }

        @Override
        public Optional<String> unavailable() {
            return Optional.of("made up");
        }

        @Override
        public BlockBackend open(BackendOptions options) {
            return SimulatedBackend.ofSize(512);
        }
    }
}
