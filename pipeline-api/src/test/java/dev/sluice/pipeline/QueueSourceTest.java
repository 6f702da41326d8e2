package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.Patience;
import dev.sluice.pipeline.testing.PollLoop;
import dev.sluice.pipeline.testing.TestIo;
import dev.sluice.pipeline.testing.TestQueue;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;
import reactor.test.StepVerifier;

class QueueSourceTest {
    private final ManualLoop loop = new ManualLoop();
    private final TestQueue queue = new TestQueue(loop, 0, 256, 512, 512);
    private final QueueSource source = queue.feed(new QueueSource(loop, queue));
    private final Recorder subscriber = new Recorder();

    @AfterEach
    void endWithEverythingAnswered() {
        subscriber.completeAll();
        loop.tickUntilIdle();
        queue.close();
        loop.close();
    }

    private void submit(TestQueue target, int count) {
        for (int i = 0; i < count; i++) {
            target.submit(TestIo.flush());
        }
        loop.tickUntilIdle();
    }

    @Test
    void shouldPollExactlyWhatIsDemanded() {
        source.subscribe(subscriber);
        submit(queue, 10);
        assertThat(queue.polls()).isZero();
        for (int demand = 1; demand <= 4; demand++) {
            subscriber.request(demand);
            loop.tickUntilIdle();
        }
        assertThat(subscriber.requests).hasSize(10);
        submit(queue, 10);
        assertThat(queue.polls()).isEqualTo(10);
        subscriber.request(3);
        loop.tickUntilIdle();
        assertThat(queue.polls()).isEqualTo(13);
    }

    @Test
    void shouldAddUpDemandThatComesBeforeTheRequests() {
        source.subscribe(subscriber);
        subscriber.request(2);
        subscriber.request(Long.MAX_VALUE);
        subscriber.request(Long.MAX_VALUE);
        loop.tickUntilIdle();
        submit(queue, 200);
        assertThat(subscriber.requests).hasSize(200);
    }

    @Test
    void shouldHonourDemandOfAVerifierOnAnotherThread() {
        try (PollLoop threaded = PollLoop.start("queue-source-test");
                TestQueue other = new TestQueue(threaded, 0, 16)) {
            QueueSource flux = other.feed(new QueueSource(threaded, other));
            for (int i = 0; i < 6; i++) {
                other.submit(TestIo.flush());
            }
            List<BlockRequest> out = new ArrayList<>();
            StepVerifier.create(flux.doOnNext(out::add), 0)
                    .thenRequest(2)
                    .expectNextCount(2)
                    .thenRequest(3)
                    .expectNextCount(3)
                    .then(() -> assertThat(threaded.<Long>call(other::polls)).isEqualTo(5))
                    .thenCancel()
                    .verify(Duration.ofSeconds(Patience.seconds(30)));
            // The cancellation came from this thread: it counts once the loop has heard of it.
            threaded.run(() -> {});
            StepVerifier.create(flux.doOnNext(out::add), 1)
                    .expectNextCount(1)
                    .then(() -> threaded.run(() -> flux.stop(() -> {})))
                    .expectComplete()
                    .verify(Duration.ofSeconds(Patience.seconds(30)));
            threaded.run(() -> out.forEach(request -> request.complete(0)));
        }
    }

    @Test
    void shouldRefuseASecondSubscriberAndGoOnWithTheFirst() {
        Recorder second = new Recorder();
        source.subscribe(subscriber);
        source.subscribe(second);
        assertThat(second.error).isInstanceOf(IllegalStateException.class).hasMessageContaining("one");
        subscriber.request(1);
        submit(queue, 1);
        assertThat(subscriber.requests).hasSize(1);
        assertThat(subscriber.terminals).isZero();
    }

    @Test
    void shouldServeAnotherSubscriberAfterACancellation() throws InterruptedException {
        Recorder first = new Recorder();
        source.subscribe(first);
        first.request(5);
        submit(queue, 3);
        BlockRequestTest.onAnotherThread(first::cancel);
        submit(queue, 4);
        assertThat(first.requests).hasSize(3);
        source.subscribe(subscriber);
        subscriber.request(100);
        loop.tickUntilIdle();
        assertThat(subscriber.requests).as("what waited in the ring").hasSize(4);
        first.completeAll();
        submit(queue, 1);
        assertThat(subscriber.requests).hasSize(5);
    }

    @Test
    void shouldServeAnotherSubscriberAsSoonAsTheFirstHasCancelledOnItsThread() throws InterruptedException {
        Recorder first = new Recorder();
        source.subscribe(first);
        submit(queue, 2);
        BlockRequestTest.onAnotherThread(() -> {
            first.cancel();
            source.subscribe(subscriber);
        });
        assertThat(subscriber.terminals).as("the loop has not ticked, and does not mind").isZero();
        subscriber.request(2);
        loop.tickUntilIdle();
        assertThat(subscriber.requests).hasSize(2);
        assertThat(first.requests).isEmpty();
    }

    @Test
    void shouldEmitNothingAfterACancellationInsideOnNext() {
        Recorder cancelling = new Recorder() {
            @Override
            protected void hookOnNext(BlockRequest request) {
                super.hookOnNext(request);
                if (requests.size() == 3) {
                    cancel();
                }
            }
        };
        source.subscribe(cancelling);
        cancelling.request(10);
        submit(queue, 10);
        assertThat(cancelling.requests).hasSize(3);
        assertThat(cancelling.requests.getLast().state()).as("the subscriber has it").isEqualTo(BlockRequest.State.PARSED);
        cancelling.completeAll();
    }

    @Test
    void shouldGiveEveryQueueItsShareOfATick() {
        Recorder greedy = new Recorder() {
            @Override
            protected void hookOnNext(BlockRequest request) {
                request.complete(0);
            }
        };
        try (TestQueue modest = new TestQueue(loop, 1, 256)) {
            QueueSource other = modest.feed(new QueueSource(loop, modest));
            source.subscribe(greedy);
            other.subscribe(subscriber);
            greedy.request(Long.MAX_VALUE);
            subscriber.request(Long.MAX_VALUE);
            loop.tick();
            queue.generate(request -> {
                request.parse(BlockOp.FLUSH, 0, 0);
                return true;
            });
            for (int i = 0; i < 100; i++) {
                modest.submit(TestIo.flush());
            }
            loop.tick();
            assertThat(queue.polls()).isEqualTo(QueueSource.TURN_BUDGET);
            assertThat(modest.polls()).isEqualTo(QueueSource.TURN_BUDGET);
            loop.tick();
            assertThat(queue.polls()).isEqualTo(2 * QueueSource.TURN_BUDGET);
            assertThat(modest.polls()).isEqualTo(100);
            loop.tick();
            assertThat(queue.polls()).as("no kick is needed to go on").isEqualTo(3 * QueueSource.TURN_BUDGET);
            queue.generate(request -> false);
            greedy.cancel();
            subscriber.completeAll();
        }
    }

    @Test
    void shouldAskForKicksOnlyWhenTheRingIsEmpty() {
        source.subscribe(subscriber);
        subscriber.request(2);
        loop.tickUntilIdle();
        assertThat(queue.kicksEnabled()).isTrue();
        submit(queue, 3);
        assertThat(queue.kicksEnabled()).as("one is left in the ring").isFalse();
        subscriber.request(Long.MAX_VALUE);
        loop.tickUntilIdle();
        assertThat(subscriber.requests).hasSize(3);
        assertThat(queue.kicksEnabled()).isTrue();
    }

    @Test
    void shouldCompleteWhenStoppedAndTellWhenWhatIsOutHasComeBack() {
        source.subscribe(subscriber);
        subscriber.request(10);
        submit(queue, 3);
        List<String> told = new ArrayList<>();
        source.stop(() -> told.add("replaced"));
        source.stop(() -> told.add("drained"));
        submit(queue, 1);
        assertThat(subscriber.terminals).isEqualTo(1);
        assertThat(subscriber.error).isNull();
        assertThat(subscriber.requests).as("stopped: the ring is left alone").hasSize(3);
        subscriber.requests.removeFirst().complete(0);
        subscriber.requests.removeFirst().complete(0);
        assertThat(told).isEmpty();
        subscriber.requests.removeFirst().complete(0);
        assertThat(told).containsExactly("drained");
        source.stop(() -> told.add("at once"));
        assertThat(told).containsExactly("drained", "at once");
    }

    @Test
    void shouldCompleteALateSubscriberWhenStopped() {
        source.stop(() -> {});
        source.subscribe(subscriber);
        loop.tickUntilIdle();
        assertThat(subscriber.terminals).isEqualTo(1);
        assertThat(subscriber.error).isNull();
    }

    @Test
    void shouldFailOnceAndForEveryLaterSubscriberWhenTheRingIsBroken() {
        try (TestQueue sound = new TestQueue(loop, 1, 4)) {
            QueueSource other = sound.feed(new QueueSource(loop, sound));
            Recorder unharmed = new Recorder();
            other.subscribe(unharmed);
            unharmed.request(10);
            source.subscribe(subscriber);
            subscriber.request(10);
            submit(queue, 2);
            queue.breakRing("VIRTIO 1.3 §2.7.13: made up");
            loop.tickUntilIdle();
            assertThat(subscriber.requests).hasSize(2);
            assertThat(subscriber.terminals).isEqualTo(1);
            assertThat(subscriber.error)
                    .isInstanceOfSatisfying(BrokenQueueException.class, broken -> assertThat(broken.queueIndex()).isZero())
                    .hasMessage("queue 0: VIRTIO 1.3 §2.7.13: made up");
            Recorder late = new Recorder();
            source.subscribe(late);
            loop.tickUntilIdle();
            assertThat(late.error).isSameAs(subscriber.error);
            submit(sound, 1);
            assertThat(unharmed.requests).hasSize(1);
            unharmed.completeAll();
            loop.tickUntilIdle();
        }
    }

    @Test
    void shouldFailASubscriberThatDemandsNothingOrLess() {
        Recorder wrong = new Recorder();
        source.subscribe(new CoreSubscriber<>() {
            @Override
            public void onSubscribe(Subscription subscription) {
                subscription.request(0);
            }

            @Override
            public void onNext(BlockRequest request) {
                wrong.hookOnNext(request);
            }

            @Override
            public void onError(Throwable failure) {
                wrong.hookOnError(failure);
            }

            @Override
            public void onComplete() {
                wrong.hookOnComplete();
            }
        });
        submit(queue, 1);
        assertThat(wrong.error).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("3.9");
        assertThat(wrong.terminals).isEqualTo(1);
        assertThat(wrong.requests).isEmpty();
    }

    @Test
    void shouldGoOnBehindARequestThatItsSubscriberThrewOn() {
        List<BlockRequest> seen = new ArrayList<>();
        source.subscribe(new CoreSubscriber<>() {
            @Override
            public void onSubscribe(Subscription subscription) {
                subscription.request(Long.MAX_VALUE);
            }

            @Override
            public void onNext(BlockRequest request) {
                seen.add(request);
                if (seen.size() == 1) {
                    throw new AssertionError("thrown on purpose");
                }
            }

            @Override
            public void onError(Throwable failure) {
                throw new AssertionError(failure);
            }

            @Override
            public void onComplete() {
                throw new AssertionError("not stopped");
            }
        });
        submit(queue, 3);
        assertThat(loop.takeFailures()).singleElement().satisfies(failure -> assertThat(failure).hasMessage("thrown on purpose"));
        assertThat(seen).hasSize(3);
        seen.forEach(request -> request.complete(0));
    }
}
