package dev.sluice.pipeline.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.Errno;
import dev.sluice.linux.Iovec;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockStatus;
import dev.sluice.pipeline.BrokenQueueException;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.RequestQueue;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * What every {@link RequestQueue} does, whoever is on its other side. The test of a kind of queue extends it.
 *
 * <p>The test's thread is the loop's: the contract drives a {@link ManualLoop}.
 */
public abstract class RequestQueueContract {

    /** The other side of a queue under test: a guest, or a program. */
    protected interface OtherSide extends AutoCloseable {
        RequestQueue queue();

        /** Makes a request available; for READ and WRITE with data of that length. At most {@link RequestQueue#size} are in flight at a time. */
        void offer(BlockOp op, long sector, int lengthBytes);

        /** The statuses of the requests completed since the last call, in order of completion. */
        List<BlockStatus> takeStatuses();

        /** Breaks a rule of the ring, which the next poll detects; false if this kind of queue has no ring. */
        boolean breakRing();

        @Override
        void close();
    }

    private final ManualLoop loop = new ManualLoop();
    private @Nullable OtherSide opened;

    /** A queue of that size, on a disk of at least 1 MiB that may be written. */
    protected abstract OtherSide open(IoLoop loop, int index, int size);

    @BeforeEach
    final void openQueue() {
        opened = open(loop, 2, 8);
    }

    @AfterEach
    final void closeQueue() {
        other().close();
        loop.close();
    }

    private OtherSide other() {
        OtherSide open = opened;
        if (open == null) {
            throw new IllegalStateException("not opened");
        }
        return open;
    }

    private RequestQueue queue() {
        return other().queue();
    }

    private BlockRequest polled() {
        BlockRequest request = queue().poll();
        if (request == null) {
            throw new AssertionError("the queue shows nothing");
        }
        return request;
    }

    @Test
    void shouldShowNothingWhenNothingIsOffered() {
        assertThat(queue().index()).isEqualTo(2);
        assertThat(queue().size()).isEqualTo(8);
        assertThat(queue().poll()).isNull();
        assertThat(queue().enableKicks()).isFalse();
        assertThat(queue().inFlight()).isZero();
    }

    @Test
    void shouldShowRequestsInTheirOrderAndAsTheyWereAskedFor() {
        other().offer(BlockOp.READ, 3, 4096);
        other().offer(BlockOp.WRITE, 7, 512);
        other().offer(BlockOp.FLUSH, 0, 0);
        shows(BlockOp.READ, 3, 4096);
        shows(BlockOp.WRITE, 7, 512);
        shows(BlockOp.FLUSH, 0, 0);
        assertThat(queue().poll()).isNull();
        loop.tickUntilIdle();
        assertThat(other().takeStatuses()).containsExactly(BlockStatus.OK, BlockStatus.OK, BlockStatus.OK);
    }

    private void shows(BlockOp op, long sector, int lengthBytes) {
        BlockRequest request = polled();
        assertThat(request.state()).isEqualTo(BlockRequest.State.PARSED);
        assertThat(request.op()).isEqualTo(op);
        assertThat(request.loop()).isSameAs(loop);
        assertThat(request.queueIndex()).isEqualTo(2);
        assertThat(request.lengthBytes()).isEqualTo(lengthBytes);
        assertThat(request.abandoned()).isFalse();
        assertThat(request.availableNanos()).isEqualTo(loop.tickNanos());
        long total = 0;
        for (int i = 0; i < request.iovecCount(); i++) {
            total += Iovec.length(request.iovecsAddress(), i);
        }
        assertThat(total).as("the iovecs of " + request).isEqualTo(lengthBytes);
        showsItsData(request, lengthBytes);
        if (op != BlockOp.FLUSH) {
            assertThat(request.sector()).isEqualTo(sector);
        }
        request.complete(lengthBytes);
        assertThat(request.state()).isEqualTo(BlockRequest.State.FREE);
        assertThatThrownBy(() -> request.copyDataTo(0, new byte[0], 0, 0)).isInstanceOf(IllegalStateException.class);
    }

    private static void showsItsData(BlockRequest request, int bytes) {
        assertThat(request.dataBytes()).isEqualTo(bytes);
        byte[] content = new byte[bytes];
        new Random(bytes).nextBytes(content);
        if (request.op() == BlockOp.WRITE) {
            assertThatThrownBy(() -> request.copyDataFrom(0, content, 0, bytes)).as("what is written is the other side's")
                    .isInstanceOf(UnsupportedOperationException.class);
        } else {
            request.copyDataFrom(0, content, 0, bytes);
            byte[] found = new byte[bytes];
            request.copyDataTo(0, found, 0, bytes);
            assertThat(found).isEqualTo(content);
        }
        assertThatThrownBy(() -> request.copyDataTo(bytes, new byte[1], 0, 1)).isInstanceOf(IndexOutOfBoundsException.class);
    }

    @Test
    void shouldUseASlotForOneRequestAtATimeAndAgainAfterItsCompletion() {
        for (int round = 0; round < 3; round++) {
            Set<Integer> slots = new HashSet<>();
            List<BlockRequest> out = new ArrayList<>();
            for (int i = 0; i < queue().size(); i++) {
                other().offer(BlockOp.READ, i, 512);
            }
            for (int i = 0; i < queue().size(); i++) {
                BlockRequest request = polled();
                assertThat(request.slot()).isBetween(0, queue().size() - 1);
                assertThat(slots.add(request.slot())).as("slot " + request.slot() + " is in use already").isTrue();
                out.add(request);
                assertThat(queue().inFlight()).isEqualTo(out.size());
            }
            assertThat(queue().poll()).isNull();
            out.reversed().forEach(request -> request.complete(512));
            loop.tickUntilIdle();
            assertThat(queue().inFlight()).isZero();
            assertThat(other().takeStatuses()).hasSize(queue().size()).containsOnly(BlockStatus.OK);
        }
    }

    @Test
    void shouldReportTheStatusToTheOtherSide() {
        int[] results = {512, -Errno.EIO, -Errno.EOPNOTSUPP, -Errno.ENOSPC};
        for (int result : results) {
            other().offer(BlockOp.READ, 0, 512);
            polled().complete(result);
        }
        other().offer(BlockOp.READ, 0, 512);
        polled().discard();
        loop.tickUntilIdle();
        assertThat(other().takeStatuses())
                .containsExactly(BlockStatus.OK, BlockStatus.IOERR, BlockStatus.UNSUPP, BlockStatus.IOERR, BlockStatus.IOERR);
    }

    @Test
    void shouldReportARequestThatSlippedInWhileKicksWereOff() {
        queue().disableKicks();
        assertThat(queue().poll()).isNull();
        other().offer(BlockOp.FLUSH, 0, 0);
        assertThat(queue().enableKicks()).as("else nobody would look until the next kick").isTrue();
        polled().complete(0);
        assertThat(queue().enableKicks()).isFalse();
        loop.tickUntilIdle();
        assertThat(other().takeStatuses()).containsExactly(BlockStatus.OK);
    }

    @Test
    void shouldThrowWhenTheRingIsBrokenAndStillCompleteWhatIsInFlight() {
        other().offer(BlockOp.READ, 0, 512);
        BlockRequest out = polled();
        if (!other().breakRing()) {
            out.complete(512);
            return;
        }
        assertThatThrownBy(() -> queue().poll())
                .isInstanceOfSatisfying(BrokenQueueException.class, broken -> assertThat(broken.queueIndex()).isEqualTo(2));
        out.complete(512);
        assertThat(queue().inFlight()).isZero();
    }
}
