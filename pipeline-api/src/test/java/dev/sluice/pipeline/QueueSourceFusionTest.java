package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.TestIo;
import dev.sluice.pipeline.testing.TestQueue;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;
import reactor.core.Fuseable;

class QueueSourceFusionTest {

    /** A fused downstream by hand. */
    private static class Fused implements CoreSubscriber<BlockRequest> {
        final int asked;
        Fuseable.@Nullable QueueSubscription<BlockRequest> queue;
        int granted;
        int signals;

        Fused(int asked) {
            this.asked = asked;
        }

        @Override
        @SuppressWarnings("unchecked")
        public void onSubscribe(Subscription subscription) {
            Fuseable.QueueSubscription<BlockRequest> fused = (Fuseable.QueueSubscription<BlockRequest>) subscription;
            queue = fused;
            granted = fused.requestFusion(asked);
        }

        Fuseable.QueueSubscription<BlockRequest> queue() {
            Fuseable.QueueSubscription<BlockRequest> known = queue;
            if (known == null) {
                throw new AssertionError("not subscribed");
            }
            return known;
        }

        @Override
        public void onNext(@Nullable BlockRequest request) {
            assertThat(request).as("fused: come and poll").isNull();
            signals++;
        }

        @Override
        public void onError(Throwable failure) {
            throw new AssertionError(failure);
        }

        @Override
        public void onComplete() {}
    }

    /** Its object is in the pool by then, or somebody else's request. */
    @Test
    void shouldNotPollWhatHasEndedSinceItWasLookedAt() {
        try (ManualLoop loop = new ManualLoop();
                TestQueue queue = new TestQueue(loop, 0, 4)) {
            QueueSource source = new QueueSource(loop, queue);
            Fused subscriber = new Fused(Fuseable.ASYNC);
            source.subscribe(subscriber);
            TestIo dropped = queue.submit(TestIo.flush());
            source.kicked();
            int _ = loop.tickUntilIdle();
            assertThat(subscriber.queue().isEmpty()).isFalse();
            assertThat(source.heldByOperators(BlockRequest::discard)).isEqualTo(1);
            assertThat(dropped.completions()).isEqualTo(1);
            assertThat(subscriber.queue().poll()).isNull();
        }
    }

    @Test
    void shouldGrantAsyncFusionOnlyToWhoeverStaysOnTheThread() {
        try (ManualLoop loop = new ManualLoop();
                TestQueue queue = new TestQueue(loop, 0, 4)) {
            for (int asked : new int[] {Fuseable.ASYNC, Fuseable.ANY, Fuseable.SYNC, Fuseable.ASYNC | Fuseable.THREAD_BARRIER,
                Fuseable.ANY | Fuseable.THREAD_BARRIER}) {
                Fused subscriber = new Fused(asked);
                new QueueSource(loop, queue).subscribe(subscriber);
                boolean may = asked == Fuseable.ASYNC || asked == Fuseable.ANY;
                assertThat(subscriber.granted).as(Fuseable.fusionModeName(asked)).isEqualTo(may ? Fuseable.ASYNC : Fuseable.NONE);
                subscriber.queue().cancel();
            }
        }
    }

    @Test
    void shouldLetAFusedSubscriberPollWithinTheBudgetOfATurn() {
        try (ManualLoop loop = new ManualLoop();
                TestQueue queue = new TestQueue(loop, 0, 4)) {
            QueueSource source = queue.feed(new QueueSource(loop, queue));
            Fused subscriber = new Fused(Fuseable.ASYNC);
            source.subscribe(subscriber);
            loop.tickUntilIdle();
            int before = subscriber.signals;
            queue.generate(request -> {
                request.parse(BlockOp.FLUSH, 0, 0);
                return true;
            });
            loop.tick();
            assertThat(subscriber.signals).isEqualTo(before + 1);
            assertThat(subscriber.queue().isEmpty()).isFalse();
            assertThat(subscriber.queue().size()).isEqualTo(1);
            int polled = 0;
            for (BlockRequest next = subscriber.queue().poll(); next != null; next = subscriber.queue().poll()) {
                next.complete(0);
                polled++;
            }
            assertThat(polled).isEqualTo(QueueSource.TURN_BUDGET);
            assertThat(subscriber.queue().isEmpty()).isTrue();
            loop.tick();
            assertThat(subscriber.signals).as("called again for the next share").isEqualTo(before + 2);
            assertThat(subscriber.queue().isEmpty()).isFalse();
            subscriber.queue().cancel();
            assertThat(queue.inFlight()).as("what was looked at and not taken is discarded").isZero();
            assertThat(subscriber.queue().poll()).isNull();
        }
    }

    @Test
    void shouldSendAPollOfAnotherThreadBackToTheLoop() throws InterruptedException {
        try (ManualLoop loop = new ManualLoop();
                TestQueue queue = new TestQueue(loop, 0, 4)) {
            QueueSource source = queue.feed(new QueueSource(loop, queue));
            Fused subscriber = new Fused(Fuseable.ASYNC);
            source.subscribe(subscriber);
            queue.submit(TestIo.flush());
            loop.tickUntilIdle();
            int before = subscriber.signals;
            BlockRequestTest.onAnotherThread(() -> {
                assertThat(subscriber.queue().poll()).isNull();
                assertThat(subscriber.queue().isEmpty()).isTrue();
            });
            assertThat(queue.polls()).isZero();
            loop.tickUntilIdle();
            assertThat(subscriber.signals).isGreaterThan(before);
            BlockRequest request = subscriber.queue().poll();
            assertThat(request).isNotNull();
            subscriber.queue().cancel();
            queue.request(0).complete(0);
        }
    }

    @Test
    void shouldRememberThatAFusedPollFoundTheRingBroken() {
        try (ManualLoop loop = new ManualLoop();
                TestQueue queue = new TestQueue(loop, 0, 4)) {
            QueueSource source = queue.feed(new QueueSource(loop, queue));
            Recorder subscriber = new Recorder();
            source.concatMapIterable(List::of).subscribe(subscriber);
            subscriber.request(1);
            queue.breakRing("made up");
            loop.tickUntilIdle();
            assertThat(subscriber.error).isInstanceOf(BrokenQueueException.class);
            assertThat(source.ended()).isTrue();
        }
    }

    @Test
    void shouldEndAnOperatorThatFindsTheRingBrokenBetweenTwoRequests() {
        try (ManualLoop loop = new ManualLoop();
                TestQueue queue = new TestQueue(loop, 0, 4)) {
            QueueSource source = queue.feed(new QueueSource(loop, queue));
            Recorder subscriber = new Recorder();
            source.concatMapIterable(List::of).subscribe(subscriber);
            subscriber.request(2);
            queue.submit(TestIo.flush());
            loop.tickUntilIdle();
            assertThat(subscriber.error).isNull();
            queue.breakRing("made up");
            subscriber.request(1);
            loop.tickUntilIdle();
            assertThat(subscriber.error).isInstanceOf(BrokenQueueException.class);
            subscriber.completeAll();
        }
    }

    @Test
    void shouldCallASubscriberBackOnTheLoopForEachCallOfAnotherThread() throws InterruptedException {
        try (ManualLoop loop = new ManualLoop();
                TestQueue queue = new TestQueue(loop, 0, 4)) {
            Fused subscriber = new Fused(Fuseable.ASYNC);
            queue.feed(new QueueSource(loop, queue)).subscribe(subscriber);
            loop.tickUntilIdle();
            List<Runnable> calls = List.of(
                    () -> assertThat(subscriber.queue().poll()).isNull(),
                    () -> assertThat(subscriber.queue().isEmpty()).isTrue(),
                    () -> assertThat(subscriber.queue().size()).isZero(),
                    () -> subscriber.queue().request(1));
            for (Runnable call : calls) {
                int before = subscriber.signals;
                BlockRequestTest.onAnotherThread(call);
                assertThat(subscriber.signals).isEqualTo(before);
                loop.tickUntilIdle();
                assertThat(subscriber.signals).isEqualTo(before + 1);
            }
            int before = subscriber.signals;
            subscriber.queue().request(1);
            subscriber.queue().request(1);
            loop.tickUntilIdle();
            assertThat(subscriber.signals).as("asked for more, whatever it asked for before").isEqualTo(before + 1);
            assertThat(subscriber.queue().size()).isZero();
            subscriber.queue().cancel();
        }
    }

    @Test
    void shouldNotGiveOutARequestThatHasEndedSinceItWasLookedAt() {
        try (ManualLoop loop = new ManualLoop();
                TestQueue queue = new TestQueue(loop, 0, 4)) {
            Fused subscriber = new Fused(Fuseable.ASYNC);
            queue.feed(new QueueSource(loop, queue)).subscribe(subscriber);
            queue.submit(TestIo.flush());
            loop.tickUntilIdle();
            assertThat(subscriber.queue().isEmpty()).isFalse();
            queue.request(0).discard();
            assertThat(queue.inFlight()).isZero();
            assertThat(subscriber.queue().poll()).isNull();
            subscriber.queue().cancel();
        }
    }

    @Test
    void shouldLeaveTheRingAloneOnceItIsBrokenOrTheSubscriberHasEnded() {
        try (ManualLoop loop = new ManualLoop();
                TestQueue queue = new TestQueue(loop, 0, 4)) {
            AtomicInteger polls = new AtomicInteger();
            RequestQueue counted = new RequestQueue() {
                @Override
                public int index() {
                    return queue.index();
                }

                @Override
                public int size() {
                    return queue.size();
                }

                @Override
                public int inFlight() {
                    return queue.inFlight();
                }

                @Override
                public @Nullable BlockRequest poll() {
                    polls.incrementAndGet();
                    return queue.poll();
                }

                @Override
                public boolean enableKicks() {
                    return queue.enableKicks();
                }

                @Override
                public void disableKicks() {
                    queue.disableKicks();
                }
            };
            Fused wrong = new Fused(Fuseable.ASYNC) {
                @Override
                public void onError(Throwable failure) {
                    assertThat(failure).isInstanceOf(IllegalArgumentException.class);
                }
            };
            QueueSource source = queue.feed(new QueueSource(loop, counted));
            source.subscribe(wrong);
            loop.tickUntilIdle();
            queue.submit(TestIo.flush());
            wrong.queue().request(0);
            assertThat(wrong.queue().poll()).as("it has got its error").isNull();
            assertThat(polls).hasValue(0);
            Fused subscriber = new Fused(Fuseable.ASYNC) {
                @Override
                public void onError(Throwable failure) {
                    assertThat(failure).isInstanceOf(BrokenQueueException.class);
                }
            };
            source.subscribe(subscriber);
            loop.tickUntilIdle();
            queue.breakRing("made up");
            assertThat(subscriber.queue().poll()).isNull();
            assertThat(subscriber.queue().poll()).isNull();
            assertThat(subscriber.queue().isEmpty()).isTrue();
            assertThat(polls).as("after it was found broken").hasValue(1);
            loop.tickUntilIdle();
            assertThat(polls).hasValue(1);
        }
    }

    @Test
    void shouldNotComeAgainToASubscriberThatThrowsAtTheCallToPoll() {
        try (ManualLoop loop = new ManualLoop();
                TestQueue queue = new TestQueue(loop, 0, 4)) {
            Fused throwing = new Fused(Fuseable.ASYNC) {
                @Override
                public void onNext(@Nullable BlockRequest request) {
                    super.onNext(request);
                    throw new AssertionError("on purpose");
                }
            };
            queue.feed(new QueueSource(loop, queue)).subscribe(throwing);
            loop.tickUntilIdle();
            assertThat(throwing.signals).isEqualTo(1);
            assertThat(loop.takeFailures()).singleElement().satisfies(failure -> assertThat(failure).hasMessage("on purpose"));
            throwing.queue().cancel();
        }
    }

    @Test
    void shouldNotCallASubscriberThatAnotherThreadHasCancelledInThisTick() {
        try (ManualLoop loop = new ManualLoop();
                TestQueue queue = new TestQueue(loop, 0, 4)) {
            Fused subscriber = new Fused(Fuseable.ASYNC);
            loop.requestTurn(() -> {
                Thread cancelling = Thread.ofPlatform().start(() -> subscriber.queue().cancel());
                try {
                    cancelling.join();
                } catch (InterruptedException interrupted) {
                    throw new AssertionError(interrupted);
                }
                return false;
            });
            new QueueSource(loop, queue).subscribe(subscriber);
            loop.tickUntilIdle();
            assertThat(subscriber.signals).isZero();
        }
    }

    /** The guest adds its request between the poll that finds nothing and the moment when kicks are enabled. */
    @Test
    void shouldTakeARequestThatComesWhileKicksAreBeingEnabled() {
        try (ManualLoop loop = new ManualLoop();
                TestQueue queue = new TestQueue(loop, 0, 4)) {
            AtomicInteger hidden = new AtomicInteger(1);
            queue.generate(request -> false);
            RequestQueue late = (RequestQueue) java.lang.reflect.Proxy.newProxyInstance(
                    RequestQueue.class.getClassLoader(), new Class<?>[] {RequestQueue.class},
                    (proxy, method, arguments) -> method.getName().equals("poll") && hidden.getAndDecrement() > 0 ? null : method.invoke(queue, arguments));
            QueueSource source = queue.feed(new QueueSource(loop, late));
            Recorder subscriber = new Recorder();
            source.subscribe(subscriber);
            queue.disableKicks();
            queue.submit(TestIo.flush());
            subscriber.request(1);
            loop.tickUntilIdle();
            assertThat(subscriber.requests).hasSize(1);
            assertThat(queue.kicksEnabled()).as("it has been told of this one").isFalse();
            subscriber.completeAll();
        }
    }
}
