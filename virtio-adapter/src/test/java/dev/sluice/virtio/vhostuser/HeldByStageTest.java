package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockResult;
import dev.sluice.pipeline.BlockStage;
import dev.sluice.virtio.driver.BlkRequest;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Mono;
import reactor.core.publisher.MonoSink;

/** A stage that keeps its requests, and a front end that will not wait: the drain limit, and the memory that stays mapped until the stage has signalled. */
final class HeldByStageTest {
    private static final Duration LIMIT = Duration.ofMillis(300);
    private static final int SECTOR = 8;

    /** Keeps writes. */
    private static final class Keeps implements BlockStage {
        final List<BlockRequest> requests = new CopyOnWriteArrayList<>();
        final List<MonoSink<BlockResult>> signals = new CopyOnWriteArrayList<>();

        @Override
        public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
            requests.add(request);
            return Mono.create(signals::add);
        }

        @Override
        public Set<BlockOp> operations() {
            return Set.of(BlockOp.WRITE);
        }
    }

    private static long mappingsOfGuestMemory() {
        try {
            return Files.readAllLines(Path.of("/proc/self/maps")).stream().filter(line -> line.contains("memfd:")).count();
        } catch (IOException failed) {
            throw new UncheckedIOException(failed);
        }
    }

    private static void write(RawFrontEnd front, Keeps keeps) {
        int before = keeps.signals.size();
        assertThat(front.queue.submit(BlkRequest.T_OUT, SECTOR, 4096)).isNotNegative();
        boolean _ = front.queue.publish();
        ServerFixture.await("the stage has the request", () -> keeps.signals.size() > before);
    }

    private static int status(RawFrontEnd front) {
        int[] found = {-1};
        ServerFixture.await("the completion", () -> {
            int _ = front.queue.poll((completed, value, written) -> found[0] = value);
            return found[0] >= 0;
        });
        return found[0];
    }

    @Test
    void shouldAnswerGetVringBaseAndKeepTheMemoryUntilTheStageSignals() throws IOException {
        Keeps keeps = new Keeps();
        long mappedBefore = mappingsOfGuestMemory();
        try (ServerFixture fixture = ServerFixture.staged(builder -> builder.stage(keeps).drainLimit(LIMIT))) {
            try (RawFrontEnd front = RawFrontEnd.running(fixture)) {
                write(front, keeps);
                keeps.requests.getFirst().copyDataTo(0, new byte[4096], 0, 4096);
                assertThatThrownBy(() -> keeps.requests.getFirst().copyDataFrom(0, new byte[1], 0, 1))
                        .as("the guest's page cache").isInstanceOf(UnsupportedOperationException.class);
                assertThat(front.frontend.vringBase(0)).isEqualTo(1);
                assertThat(status(front)).as("published before the reply").isEqualTo(BlkRequest.S_IOERR);
                assertThatThrownBy(() -> keeps.requests.getFirst().copyDataTo(0, new byte[1], 0, 1)).isInstanceOf(IllegalStateException.class);
            }
            ServerFixture.await("the end of the connection", () -> !fixture.server.state().connected());
            assertThat(mappingsOfGuestMemory()).as("the stage has not signalled").isEqualTo(mappedBefore + 1);
            keeps.signals.getFirst().success(BlockResult.OK);
            ServerFixture.await("unmapped", () -> mappingsOfGuestMemory() == mappedBefore);
            assertThat(fixture.pipeline.failedAtDrainLimit()).isEqualTo(1);
        }
    }

    @Test
    void shouldGoOnInNewMemoryWhileAStageHoldsTheOld() throws IOException {
        Keeps keeps = new Keeps();
        long mappedBefore = mappingsOfGuestMemory();
        try (ServerFixture fixture = ServerFixture.staged(builder -> builder.stage(keeps).drainLimit(LIMIT))) {
            try (RawFrontEnd front = RawFrontEnd.running(fixture)) {
                write(front, keeps);
                front.shareMemory();
                assertThat(status(front)).isEqualTo(BlkRequest.S_IOERR);
                assertThat(front.reads()).isTrue();
                assertThat(mappingsOfGuestMemory()).as("the driver's, the old one and the new one").isEqualTo(mappedBefore + 3);
                keeps.signals.getFirst().error(new IllegalStateException("late, and on purpose"));
                ServerFixture.await("unmapped", () -> mappingsOfGuestMemory() == mappedBefore + 2);
            }
        }
        assertThat(mappingsOfGuestMemory()).isEqualTo(mappedBefore);
    }

    @Test
    void shouldCloseWhileAStageHoldsARequest() throws IOException {
        Keeps keeps = new Keeps();
        try (ServerFixture fixture = ServerFixture.staged(builder -> builder.stage(keeps).drainLimit(Duration.ofHours(1)));
                RawFrontEnd front = RawFrontEnd.running(fixture)) {
            write(front, keeps);
            fixture.pipeline.cutDrainShort();
            fixture.server.close();
            assertThat(status(front)).isEqualTo(BlkRequest.S_IOERR);
        }
    }
}
