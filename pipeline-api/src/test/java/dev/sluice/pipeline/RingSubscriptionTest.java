package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.TestIo;
import dev.sluice.pipeline.testing.TestQueue;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.BaseSubscriber;
import reactor.core.publisher.Operators;

/** The order of signals and calls that Reactive Streams asks for, from whichever thread the calls come; and what throws. */
class RingSubscriptionTest {
    private final ManualLoop loop = new ManualLoop();
    private final TestQueue queue = new TestQueue(loop, 0, 8);
    private final QueueSource source = queue.feed(new QueueSource(loop, queue));
    private final Told told = new Told();

    /** What the pipeline hears of the queue. */
    private static final class Told implements QueueSource.Listener {
        final List<String> events = new ArrayList<>();
        boolean givesUp;

        @Override
        public void taken(int requests, int inFlight) {
            events.add("taken " + requests + " of " + inFlight);
        }

        @Override
        public void draining() {
            events.add("draining");
        }

        @Override
        public void drained() {
            events.add("drained");
        }

        @Override
        public boolean operatorsFailed(Throwable thrown) {
            events.add("failed " + thrown.getMessage());
            return givesUp;
        }
    }

    /** Remembers every signal with the thread that it came on. */
    private static class Signals implements CoreSubscriber<BlockRequest> {
        final List<String> signals = new ArrayList<>();
        final List<BlockRequest> requests = new ArrayList<>();
        final List<Thread> threads = new ArrayList<>();
        Subscription subscription = Operators.emptySubscription();

        @Override
        public void onSubscribe(Subscription mine) {
            subscription = mine;
        }

        @Override
        public void onNext(BlockRequest request) {
            threads.add(Thread.currentThread());
            signals.add("next");
            requests.add(request);
        }

        @Override
        public void onError(Throwable failure) {
            threads.add(Thread.currentThread());
            signals.add("error " + failure.getClass().getSimpleName());
        }

        @Override
        public void onComplete() {
            threads.add(Thread.currentThread());
            signals.add("complete");
        }
    }

    @AfterEach
    void close() {
        for (int slot = 0; slot < queue.size(); slot++) {
            queue.request(slot).discard();
        }
        loop.tickUntilIdle();
        queue.close();
        loop.close();
    }

    private void submit(int count) {
        for (int i = 0; i < count; i++) {
            queue.submit(TestIo.flush());
        }
    }

    @Test
    void shouldRefuseCallsOfTheLoopFromAnotherThread() throws InterruptedException {
        List<Runnable> calls = List.of(source::kicked, () -> source.stop(() -> {}), () -> source.whenReleased(() -> {}), source::takeBack);
        for (Runnable call : calls) {
            BlockRequestTest.onAnotherThread(() -> assertThatThrownBy(call::run)
                    .isInstanceOf(IllegalStateException.class).hasMessageContaining("must run on manual-loop"));
        }
        assertThat(source.ended()).isFalse();
    }

    /** Reactive Streams §1.3, §2.12: signals are serial, onSubscribe comes first. */
    @Test
    void shouldSignalNothingBeforeOnSubscribeHasReturned() throws InterruptedException {
        CountDownLatch inside = new CountDownLatch(1);
        CountDownLatch leave = new CountDownLatch(1);
        Signals slow = new Signals() {
            @Override
            public void onSubscribe(Subscription mine) {
                super.onSubscribe(mine);
                mine.request(5);
                inside.countDown();
                awaitQuietly(leave);
            }
        };
        submit(2);
        Thread subscribing = Thread.ofPlatform().start(() -> source.subscribe(slow));
        assertThat(inside.await(30, TimeUnit.SECONDS)).isTrue();
        loop.tickUntilIdle();
        source.kicked();
        loop.tickUntilIdle();
        assertThat(slow.signals).isEmpty();
        List<String> drained = new ArrayList<>();
        source.stop(() -> drained.add("drained"));
        assertThat(slow.signals).isEmpty();
        assertThat(drained).as("nothing is in flight").containsExactly("drained");
        leave.countDown();
        subscribing.join();
        loop.tickUntilIdle();
        assertThat(slow.signals).containsExactly("complete");
        assertThat(queue.polls()).isZero();
    }

    private static void awaitQuietly(CountDownLatch latch) {
        try {
            assertThat(latch.await(30, TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException interrupted) {
            throw new AssertionError(interrupted);
        }
    }

    @Test
    void shouldBeginInTheCallWhenSubscribedToOnTheLoop() {
        Signals signals = new Signals();
        source.subscribe(signals);
        source.stop(() -> {});
        assertThat(signals.signals).containsExactly("complete");
        assertThat(source.ended()).isTrue();
    }

    @Test
    void shouldLeaveTheRingAloneOnceStopped() throws InterruptedException {
        source.subscribe(new Signals());
        loop.tickUntilIdle();
        source.stop(() -> {});
        boolean before = queue.kicksEnabled();
        BlockRequestTest.onAnotherThread(() -> assertThatThrownBy(source::kicked).isInstanceOf(IllegalStateException.class));
        source.kicked();
        loop.tickUntilIdle();
        assertThat(queue.kicksEnabled()).isEqualTo(before).isTrue();
    }

    @Test
    void shouldEmitNothingBehindTheEndWhenStoppedInsideOnNext() {
        Signals stopping = new Signals() {
            @Override
            public void onNext(BlockRequest request) {
                super.onNext(request);
                source.stop(() -> {});
            }
        };
        source.subscribe(stopping);
        stopping.subscription.request(8);
        submit(3);
        loop.tickUntilIdle();
        assertThat(stopping.signals).containsExactly("next", "complete");
        assertThat(queue.polls()).isEqualTo(1);
        assertThat(source.polled()).isEqualTo(1);
    }

    @Test
    void shouldEmitNothingWhenAnotherThreadHasCancelledInThisTick() {
        Signals signals = new Signals();
        loop.requestTurn(() -> {
            cancelElsewhere(signals.subscription);
            return false;
        });
        source.subscribe(signals);
        signals.subscription.request(8);
        submit(3);
        loop.tickUntilIdle();
        assertThat(signals.signals).isEmpty();
        assertThat(queue.polls()).isZero();
        source.stop(() -> {});
        assertThat(signals.signals).isEmpty();
    }

    /** Stopped before the loop has heard of the cancellation. */
    @Test
    void shouldNotCompleteASubscriberThatAnotherThreadHasCancelled() {
        Signals signals = new Signals();
        source.subscribe(signals);
        loop.tickUntilIdle();
        cancelElsewhere(signals.subscription);
        source.stop(() -> {});
        loop.tickUntilIdle();
        assertThat(signals.signals).isEmpty();
    }

    private static void cancelElsewhere(Subscription subscription) {
        try {
            BlockRequestTest.onAnotherThread(subscription::cancel);
        } catch (InterruptedException interrupted) {
            throw new AssertionError(interrupted);
        }
    }

    @Test
    void shouldSignalOnTheLoopWhatAnotherThreadHasAskedFor() throws InterruptedException {
        Signals signals = new Signals();
        source.subscribe(signals);
        submit(3);
        loop.tickUntilIdle();
        BlockRequestTest.onAnotherThread(() -> signals.subscription.request(1));
        assertThat(signals.signals).isEmpty();
        loop.tickUntilIdle();
        assertThat(signals.signals).containsExactly("next");
        BlockRequestTest.onAnotherThread(() -> signals.subscription.request(-1));
        assertThat(signals.signals).hasSize(1);
        loop.tickUntilIdle();
        assertThat(signals.signals).containsExactly("next", "error IllegalArgumentException");
        assertThat(signals.threads).containsOnly(Thread.currentThread());
    }

    /** Reactive Streams §1.7, §3.6: nothing is signalled after an end or a cancellation, whatever the subscriber asks for. */
    @Test
    void shouldIgnoreDemandBehindTheEnd() {
        Signals cancelled = new Signals();
        source.subscribe(cancelled);
        cancelled.subscription.cancel();
        cancelled.subscription.request(0);
        Signals completed = new Signals();
        source.subscribe(completed);
        source.stop(() -> {});
        completed.subscription.request(0);
        completed.subscription.request(5);
        submit(1);
        loop.tickUntilIdle();
        assertThat(cancelled.signals).isEmpty();
        assertThat(completed.signals).containsExactly("complete");
    }

    @Test
    void shouldTakeDemandInsideOnNextInTheSameTurn() {
        Signals one = new Signals() {
            @Override
            public void onNext(BlockRequest request) {
                super.onNext(request);
                subscription.request(1);
            }
        };
        source.subscribe(one);
        one.subscription.request(1);
        submit(5);
        loop.tick();
        assertThat(one.requests).hasSize(5);
    }

    @Test
    void shouldReportWhatEachTurnTakesAndTheStop() {
        source.listener(told);
        Signals signals = new Signals();
        source.subscribe(signals);
        loop.tickUntilIdle();
        assertThat(told.events).as("a turn that takes nothing").isEmpty();
        signals.subscription.request(5);
        submit(3);
        loop.tickUntilIdle();
        submit(1);
        loop.tickUntilIdle();
        assertThat(told.events).containsExactly("taken 3 of 3", "taken 1 of 4");
        source.stop(() -> told.events.add("stopped"));
        source.stop(() -> told.events.add("stopped again"));
        signals.requests.forEach(request -> request.complete(0));
        source.stop(() -> told.events.add("once more"));
        assertThat(told.events.subList(2, told.events.size()))
                .containsExactly("draining", "draining", "drained", "stopped again", "drained", "once more");
        source.whenReleased(() -> told.events.add("released"));
        assertThat(told.events).endsWith("released");
    }

    @Test
    void shouldFailWhatNobodyHasTakenWhenTakenBack() {
        Signals signals = new Signals();
        source.subscribe(signals);
        signals.subscription.request(8);
        List<TestIo> ios = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            ios.add(queue.submit(TestIo.flush()));
        }
        loop.tickUntilIdle();
        BlockRequest taken = signals.requests.getFirst();
        taken.take((request, result) -> source.settle(request));
        List<BlockRequest> held = new ArrayList<>();
        assertThat(source.heldByOperators(held::add)).isEqualTo(1);
        assertThat(held).containsExactly(signals.requests.getLast());
        source.takeBack();
        submit(1);
        loop.tickUntilIdle();
        assertThat(ios.get(0).completed()).isFalse();
        assertThat(ios.get(1).result()).isEqualTo(-Errno.ECANCELED);
        assertThat(queue.polls()).as("the subscription has ended").isEqualTo(2);
        assertThat(source.heldByOperators(request -> {})).isZero();
        source.takeBack();
        taken.complete(0);
        assertThat(ios.get(0).result()).isZero();
    }

    /** Throws what it is told at its first request and at its end. */
    private static final class Throwing extends Signals {
        private final Throwable thrown;

        Throwing(Throwable thrown) {
            this.thrown = thrown;
        }

        @Override
        public void onNext(BlockRequest request) {
            super.onNext(request);
            if (signals.size() == 1) {
                RingSubscriptionTest.<RuntimeException>sneak(thrown);
            }
        }

        @Override
        public void onComplete() {
            super.onComplete();
            RingSubscriptionTest.<RuntimeException>sneak(thrown);
        }
    }

    @SuppressWarnings("unchecked")
    private static <T extends Throwable> void sneak(Throwable thrown) throws T {
        throw (T) thrown;
    }

    @Test
    void shouldSignalNothingMoreToASubscriberThatThrewWhenTheListenerGivesItUp() {
        source.listener(told);
        told.givesUp = true;
        Throwing throwing = new Throwing(new NoClassDefFoundError("on purpose"));
        source.subscribe(throwing);
        throwing.subscription.request(8);
        submit(3);
        loop.tickUntilIdle();
        source.stop(() -> {});
        assertThat(throwing.signals).containsExactly("next");
        assertThat(told.events).startsWith("failed on purpose");
        assertThat(loop.takeFailures()).isEmpty();
        throwing.requests.forEach(BlockRequest::discard);
        Signals next = new Signals();
        source.subscribe(next);
        assertThat(next.signals).as("there is room for another subscriber").containsExactly("complete");
    }

    @Test
    void shouldHandWhatASubscriberThrewToTheLoopWhenTheListenerDoesNotCare() {
        for (Throwable thrown : List.of(new AssertionError("on purpose"), new IllegalArgumentException("on purpose"), new IOException("on purpose"))) {
            Throwing throwing = new Throwing(thrown);
            source.subscribe(throwing);
            throwing.subscription.request(8);
            submit(3);
            loop.tickUntilIdle();
            assertThat(throwing.requests).as("behind the one that it threw at").hasSize(3);
            assertThat(loop.takeFailures()).singleElement().satisfies(failure -> {
                if (thrown instanceof IOException) {
                    assertThat(failure).isInstanceOf(IllegalStateException.class).hasCause(thrown);
                } else {
                    assertThat(failure).isSameAs(thrown);
                }
            });
            throwing.subscription.cancel();
            throwing.requests.forEach(BlockRequest::discard);
        }
    }

    @Test
    void shouldNotLetASubscriberThatThrowsAtItsEndKeepTheQueueFromStopping() {
        source.listener(told);
        told.givesUp = true;
        Throwing throwing = new Throwing(new AssertionError("on purpose"));
        source.subscribe(throwing);
        source.stop(() -> told.events.add("stopped"));
        assertThat(throwing.signals).containsExactly("complete");
        assertThat(told.events).containsExactly("failed on purpose", "drained", "stopped");
    }

    @Test
    void shouldAdmitAnotherSubscriberBehindACancelledOne() {
        BaseSubscriber<BlockRequest> first = new Recorder();
        source.subscribe(first);
        first.cancel();
        Signals second = new Signals();
        source.subscribe(second);
        second.subscription.request(1);
        first.cancel();
        submit(1);
        loop.tickUntilIdle();
        assertThat(second.signals).containsExactly("next");
    }
}
