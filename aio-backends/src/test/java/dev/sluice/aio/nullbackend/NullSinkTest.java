package dev.sluice.aio.nullbackend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.CapturedLog;
import dev.sluice.linux.Errno;
import dev.sluice.linux.Fd;
import dev.sluice.linux.Iovec;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.Mapping;
import dev.sluice.linux.Memfd;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.testing.ManualLoop;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** Batches, their order, and what is submitted while they complete. */
class NullSinkTest {
    private static final int CAPACITY = 4;

    private final ManualLoop loop = new ManualLoop();
    private final NullBackend backend = new NullBackend(1 << 20, false, true, CAPACITY);
    private final BlockSink sink = backend.openSink(loop);
    private final List<Integer> completed = new ArrayList<>();

    private final class Noted extends BlockRequest {
        private final Runnable then;
        private int result = Integer.MIN_VALUE;

        Noted(int slot, BlockOp op, long lengthBytes, long iovecs, Runnable then) {
            super(loop, 0, slot);
            this.then = then;
            parsed(op, 0, lengthBytes, iovecs, iovecs == 0 ? 0 : 1);
        }

        @Override
        protected void completed(int value) {
            assertThat(result).as("once").isEqualTo(Integer.MIN_VALUE);
            result = value;
            completed.add(slot());
            then.run();
        }
    }

    private Noted flush(int slot) {
        return flush(slot, () -> {});
    }

    private Noted flush(int slot, Runnable then) {
        return new Noted(slot, BlockOp.FLUSH, 0, 0, then);
    }

    @Test
    void shouldCompleteABatchInItsOrderRoundAndRound() {
        assertThat(sink.capacity()).isEqualTo(CAPACITY);
        for (int round = 0; round < 5; round++) {
            completed.clear();
            for (int i = 0; i < 3; i++) {
                assertThat(sink.inFlight()).isEqualTo(i);
                Noted one = flush(i);
                assertThat(sink.submit(one)).isTrue();
                assertThat(one.state()).isEqualTo(BlockRequest.State.SUBMITTED);
            }
            assertThat(completed).isEmpty();
            sink.flush();
            assertThat(completed).containsExactly(0, 1, 2);
            assertThat(sink.inFlight()).isZero();
        }
    }

    @Test
    void shouldTakeNoMoreThanItsCapacity() {
        for (int i = 0; i < CAPACITY; i++) {
            assertThat(sink.submit(flush(i))).isTrue();
        }
        Noted oneMore = flush(9);
        assertThat(sink.submit(oneMore)).isFalse();
        sink.flush();
        assertThat(sink.submit(oneMore)).isTrue();
        sink.flush();
        assertThat(completed).containsExactly(0, 1, 2, 3, 9);
    }

    @Test
    void shouldLeaveToTheNextTickWhatIsSubmittedByThoseWhoHearOfACompletion() {
        Noted[] later = {flush(8), flush(9)};
        assertThat(sink.submit(flush(0, () -> {
            for (Noted one : later) {
                assertThat(sink.submit(one)).isTrue();
            }
            sink.flush();
        })))
                .isTrue();
        assertThat(sink.submit(flush(1))).isTrue();
        sink.flush();
        assertThat(completed).containsExactly(0, 1);
        sink.flush();
        assertThat(completed).as("a flush in the same tick").containsExactly(0, 1);
        loop.tick();
        assertThat(completed).containsExactly(0, 1, 8, 9);
        assertThat(loop.tickUntilIdle()).as("the turn is over").isLessThanOrEqualTo(1);
        assertThat(sink.submit(flush(2))).isTrue();
        sink.flush();
        assertThat(completed).as("as before").containsExactly(0, 1, 8, 9, 2);
    }

    @Test
    void shouldCompleteTheOthersIfOneThrows() {
        try (CapturedLog logged = new CapturedLog()) {
            assertThat(sink.submit(flush(0, () -> {
                throw new IllegalStateException("made up");
            })))
                    .isTrue();
            assertThat(sink.submit(flush(1))).isTrue();
            sink.flush();
            assertThat(completed).containsExactly(0, 1);
            assertThat(logged.containing("completing a request")).hasSize(1);
        }
    }

    @Test
    void shouldCompleteWhatItHasAndTakeNoMoreWhenItIsClosed() {
        Noted late = flush(5);
        assertThat(sink.submit(flush(0, () -> assertThat(sink.submit(late)).isTrue()))).isTrue();
        sink.flush();
        assertThat(sink.submit(flush(1))).isTrue();
        sink.close();
        assertThat(completed).containsExactly(0, 5, 1);
        assertThat(sink.submit(flush(2))).isFalse();
    }

    @Test
    void shouldSayWhatEachRequestComesTo() throws IOException {
        try (NativeBlock iovecs = NativeMemory.allocate(Iovec.SIZE, 16);
                NativeBlock data = NativeMemory.allocate(512, 16);
                Fd file = Fd.adopt(Memfd.create("guest", Memfd.MFD_CLOEXEC))) {
            Iovec.set(iovecs.address(), 0, data.address(), 512);
            data.segment().fill((byte) 7);
            assertThat(result(BlockOp.WRITE, 512, iovecs.address())).isEqualTo(512);
            assertThat(data.segment().get(java.lang.foreign.ValueLayout.JAVA_BYTE, 511)).as("a WRITE's memory is left alone").isEqualTo((byte) 7);
            assertThat(result(BlockOp.READ, 512, iovecs.address())).isEqualTo(512);
            assertThat(data.segment().toArray(java.lang.foreign.ValueLayout.JAVA_BYTE)).containsOnly(0);
            assertThat(result(BlockOp.DISCARD, 512, 0)).isZero();
            assertThat(result(BlockOp.WRITE_ZEROES, 512, 0)).isZero();
            assertThat(LinuxFile.ftruncate(file.number(), 8192)).isZero();
            try (Mapping guest = Mapping.shared(file.number(), 0, 8192)) {
                assertThat(LinuxFile.ftruncate(file.number(), 4096)).isZero();
                Iovec.set(iovecs.address(), 0, guest.address() + 4096, 512);
                assertThat(result(BlockOp.READ, 512, iovecs.address())).as("its memory is gone").isEqualTo(-Errno.EFAULT);
            }
        }
    }

    private int result(BlockOp op, long length, long iovecs) {
        Noted one = new Noted(0, op, length, iovecs, () -> {});
        assertThat(sink.submit(one)).isTrue();
        sink.flush();
        return one.result;
    }

    @Test
    void shouldSayWhatItIs() {
        assertThat(backend).hasToString("null of 1048576 bytes");
        assertThat(backend.name()).isEqualTo("null");
        assertThat(backend.geometry().sizeBytes()).isEqualTo(1 << 20);
        assertThatThrownBy(() -> CompletableFuture.runAsync(() -> backend.openSink(loop)).join()).hasCauseInstanceOf(IllegalStateException.class);
    }
}
