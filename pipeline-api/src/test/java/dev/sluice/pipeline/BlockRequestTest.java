package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BlockRequest.State;
import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.PollLoop;
import dev.sluice.pipeline.testing.TestIo;
import dev.sluice.pipeline.testing.TestQueue;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class BlockRequestTest {
    /** The table of the class's Javadoc. */
    private static final Map<State, Set<State>> ALLOWED = new EnumMap<>(Map.of(
            State.FREE, EnumSet.of(State.PARSED),
            State.PARSED, EnumSet.of(State.SUBMITTED, State.COMPLETED),
            State.SUBMITTED, EnumSet.of(State.COMPLETED),
            State.COMPLETED, EnumSet.of(State.SUBMITTED, State.FREE)));

    private static final BlockRequest.CompletionListener KEEPS = (request, result) -> {};

    @Test
    void shouldAllowExactlyTheMovesOfItsTable() {
        for (State from : State.values()) {
            for (State to : State.values()) {
                assertThat(from.maySwitchTo(to)).as(from + " -> " + to).isEqualTo(ALLOWED.getOrDefault(from, Set.of()).contains(to));
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldRefuseEveryOtherMove(State from) {
        try (ManualLoop loop = new ManualLoop()) {
            for (State to : State.values()) {
                BareRequest request = bring(loop, from);
                if (ALLOWED.getOrDefault(from, Set.of()).contains(to)) {
                    move(request, to);
                    assertThat(request.state()).isEqualTo(to);
                } else {
                    assertThatThrownBy(() -> move(request, to))
                            .isInstanceOf(IllegalStateException.class)
                            .hasMessageContaining("request 9 of queue 3")
                            .hasMessageContaining(from + " to " + to);
                    assertThat(request.state()).isEqualTo(from);
                }
                assertThat(request.answers).isEqualTo(from == State.COMPLETED && to == State.FREE ? 1 : 0);
            }
        }
    }

    private static BareRequest bring(ManualLoop loop, State state) {
        BareRequest request = new BareRequest(loop, 3, 9);
        if (state != State.FREE) {
            move(request, State.PARSED);
        }
        if (state == State.SUBMITTED || state == State.COMPLETED) {
            move(request, state);
        }
        return request;
    }

    private static void move(BareRequest request, State to) {
        switch (to) {
            case FREE -> request.release();
            case PARSED -> {
                request.parse(BlockOp.FLUSH);
                request.listener(KEEPS);
            }
            case SUBMITTED -> request.submitted();
            case COMPLETED -> request.complete(0);
        }
    }

    private static BlockRequest polled(TestQueue queue) {
        BlockRequest request = queue.poll();
        if (request == null) {
            throw new AssertionError("nothing to poll");
        }
        return request;
    }

    @Test
    void shouldAnswerItselfWhenNobodyListens() {
        try (ManualLoop loop = new ManualLoop();
                TestQueue queue = new TestQueue(loop, 0, 1)) {
            TestIo io = queue.submit(TestIo.flush());
            polled(queue).complete(-Errno.EIO);
            assertThat(io.status()).isEqualTo(BlockStatus.IOERR);
            assertThat(io.completions()).isEqualTo(1);
        }
    }

    @Test
    void shouldCompleteThroughTheMailboxWhenCalledOnAnotherThread() throws InterruptedException {
        try (PollLoop loop = PollLoop.start("block-request-test");
                TestQueue queue = new TestQueue(loop, 0, 1)) {
            TestIo io = queue.submit(TestIo.flush());
            BlockRequest request = loop.call(() -> polled(queue));
            request.complete(7);
            assertThat(io.await()).isEqualTo(7);
        }
    }

    @Test
    void shouldReportASecondCompletionAndLeaveTheNextLifeAloneWhenBothCameFromAnotherThread() throws InterruptedException {
        try (ManualLoop loop = new ManualLoop();
                TestQueue queue = new TestQueue(loop, 0, 1)) {
            TestIo first = queue.submit(TestIo.flush());
            TestIo second = queue.submit(TestIo.flush());
            BlockRequest request = polled(queue);
            onAnotherThread(() -> {
                request.complete(1);
                request.complete(2);
            });
            // The first completion frees the slot; the guest's next request takes it before the second one arrives.
            request.listener((completed, result) -> {
                completed.release();
                polled(queue);
            });
            loop.tick();
            assertThat(loop.takeFailures()).singleElement().satisfies(failure -> assertThat(failure).hasMessageContaining("completed twice"));
            assertThat(first.result()).isEqualTo(1);
            assertThat(second.completed()).isFalse();
            request.complete(3);
            assertThat(second.result()).isEqualTo(3);
        }
    }

    @Test
    void shouldDiscardOnceAndOnlyWhatNobodyHasTouched() throws InterruptedException {
        try (ManualLoop loop = new ManualLoop();
                TestQueue queue = new TestQueue(loop, 0, 2)) {
            TestIo dropped = queue.submit(TestIo.flush());
            BlockRequest request = polled(queue);
            request.discard();
            request.discard();
            assertThat(dropped.result()).isEqualTo(-Errno.ECANCELED);
            assertThat(dropped.completions()).isEqualTo(1);

            TestIo elsewhere = queue.submit(TestIo.flush());
            onAnotherThread(polled(queue)::discard);
            assertThat(elsewhere.completed()).as("the loop has not heard of it").isFalse();
            loop.tickUntilIdle();
            assertThat(elsewhere.result()).isEqualTo(-Errno.ECANCELED);

            TestIo working = queue.submit(TestIo.flush());
            BlockRequest taken = polled(queue);
            taken.take(KEEPS);
            taken.discard();
            assertThat(taken.state()).isEqualTo(State.PARSED);
            taken.submitted();
            onAnotherThread(taken::discard);
            loop.tickUntilIdle();
            assertThat(taken.state()).isEqualTo(State.SUBMITTED);
            taken.complete(0);
            taken.discard();
            assertThat(taken.state()).isEqualTo(State.COMPLETED);
            taken.release();
            assertThat(working.result()).isZero();
        }
    }

    @Test
    void shouldNotDiscardTheNextLifeOfItsObject() throws InterruptedException {
        try (ManualLoop loop = new ManualLoop();
                TestQueue queue = new TestQueue(loop, 0, 1)) {
            queue.submit(TestIo.flush());
            TestIo next = queue.submit(TestIo.flush());
            BlockRequest request = polled(queue);
            onAnotherThread(request::discard);
            request.complete(0);
            assertThat(polled(queue)).isSameAs(request);
            loop.tickUntilIdle();
            assertThat(next.completed()).isFalse();
            request.complete(0);
            assertThat(next.result()).isZero();
        }
    }

    @Test
    void shouldTellWhenItWasFirstSeenAndWhenItWasSubmitted() {
        try (ManualLoop loop = new ManualLoop();
                TestQueue queue = new TestQueue(loop, 0, 1)) {
            queue.submit(TestIo.read(2, 1024).asDurable());
            BlockRequest request = polled(queue);
            long available = loop.tickNanos();
            assertThat(request.submittedNanos()).isEqualTo(available);
            loop.advanceNanos(50);
            loop.tick();
            request.submitted();
            assertThat(request.availableNanos()).isEqualTo(available);
            assertThat(request.submittedNanos()).isEqualTo(available + 50);
            assertThat(request.offsetBytes()).isEqualTo(1024);
            assertThat(request.durable()).isTrue();
            assertThat(request.toString()).contains("READ", "sector 2", "length 1024", "queue 0", "slot 0", "SUBMITTED");
            request.complete(1024);
        }
    }

    @Test
    void shouldForgetItsPreviousLifeWhenParsedAgain() {
        try (ManualLoop loop = new ManualLoop();
                TestQueue queue = new TestQueue(loop, 0, 1)) {
            TestIo lost = queue.submit(TestIo.writeZeroes(0, 512).asDurable().asUnmapping());
            BlockRequest request = polled(queue);
            assertThat(request.mayUnmap()).isTrue();
            queue.abandonAll();
            request.complete(-Errno.EIO);
            assertThat(lost.abandoned()).isTrue();
            TestIo plain = queue.submit(TestIo.writeZeroes(0, 512));
            polled(queue);
            assertThat(request.durable()).isFalse();
            assertThat(request.mayUnmap()).isFalse();
            assertThat(request.abandoned()).isFalse();
            assertThat(request.result()).isZero();
            request.complete(0);
            assertThat(plain.abandoned()).isFalse();
        }
    }

    @Test
    void shouldSayWhatItsQueueHasParsed() {
        try (ManualLoop loop = new ManualLoop()) {
            BareRequest request = new BareRequest(loop, 3, 9).parse(BlockOp.WRITE, 8192, 4096, 2);
            assertThat(request.loop()).isSameAs(loop);
            assertThat(request.queueIndex()).isEqualTo(3);
            assertThat(request.slot()).isEqualTo(9);
            assertThat(request.op()).isEqualTo(BlockOp.WRITE);
            assertThat(request.lengthBytes()).isEqualTo(8192);
            assertThat(request.dataBytes()).isEqualTo(8192);
            assertThat(request.iovecsAddress()).isEqualTo(4096);
            assertThat(request.iovecCount()).isEqualTo(2);
            request.complete(-Errno.ENOSPC);
            assertThat(request.result()).isEqualTo(-Errno.ENOSPC);
            assertThat(new BareRequest(loop, 0, 0).parse(BlockOp.DISCARD, 8192, 0, 0).dataBytes()).as("a range is no data").isZero();
        }
    }

    @Test
    void shouldKeepItsDataFromWhoeverHasCompletedIt() {
        try (ManualLoop loop = new ManualLoop()) {
            BareRequest request = new BareRequest(loop, 0, 0).parse(BlockOp.READ);
            request.copyDataTo(0, new byte[0], 0, 0);
            request.complete(0);
            for (ThrowingCallable copy : List.<ThrowingCallable>of(() -> request.copyDataTo(0, new byte[0], 0, 0),
                    () -> request.copyDataFrom(0, new byte[0], 0, 0))) {
                assertThatThrownBy(copy).isInstanceOf(IllegalStateException.class).hasMessageContaining("its queue's again");
            }
        }
    }

    @Test
    void shouldNotDiscardOnTheLoopWhatIsMeantForAnotherLife() {
        try (ManualLoop loop = new ManualLoop()) {
            BareRequest request = new BareRequest(loop, 0, 0).parse(BlockOp.FLUSH);
            int before = request.incarnation();
            request.complete(0);
            request.parse(BlockOp.FLUSH);
            request.discard(before, Errno.EIO);
            assertThat(request.answers).isOne();
            request.discard(request.incarnation(), Errno.EIO);
            assertThat(request.answers).isEqualTo(2);
            assertThat(request.answered).isEqualTo(-Errno.EIO);
        }
    }

    @Test
    void shouldBeNeitherDurableNorUnmappingUnlessItsQueueSaysSo() {
        try (ManualLoop loop = new ManualLoop()) {
            BareRequest request = new BareRequest(loop, 0, 0).parse(BlockOp.WRITE_ZEROES);
            request.setDurable(true);
            request.setMayUnmap(true);
            request.complete(0);
            assertThat(request.parse(BlockOp.WRITE_ZEROES).durable()).isFalse();
            assertThat(request.mayUnmap()).isFalse();
        }
    }

    static void onAnotherThread(Runnable task) throws InterruptedException {
        @Nullable Throwable[] thrown = new Throwable[1];
        Thread thread = new Thread(task, "another");
        thread.setUncaughtExceptionHandler((dead, failure) -> thrown[0] = failure);
        thread.start();
        thread.join();
        assertThat(thrown[0]).isNull();
    }
}
