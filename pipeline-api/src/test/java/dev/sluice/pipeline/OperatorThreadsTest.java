package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.CapturedLog;
import dev.sluice.linux.Errno;
import dev.sluice.pipeline.testing.SimulatedFaults;
import dev.sluice.pipeline.testing.TestIo;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Operators;

/** Signals that operators give on other threads are brought to the loop; signal by signal, by hand. */
class OperatorThreadsTest {
    /** Keeps every signal until the test passes it on, and remembers the threads that it is called on. */
    private static final class ByHand extends Flux<BlockRequest> implements CoreSubscriber<BlockRequest> {
        private final Flux<BlockRequest> source;
        final List<BlockRequest> requests = new ArrayList<>();
        final List<Thread> demanding = new ArrayList<>();
        @Nullable
        CoreSubscriber<? super BlockRequest> downstream;
        private @Nullable Subscription upstream;
        boolean keepsItsEnd;

        ByHand(Flux<BlockRequest> source) {
            this.source = source;
        }

        CoreSubscriber<? super BlockRequest> downstream() {
            CoreSubscriber<? super BlockRequest> known = downstream;
            if (known == null) {
                throw new AssertionError("nobody has subscribed");
            }
            return known;
        }

        Subscription upstream() {
            Subscription known = upstream;
            if (known == null) {
                throw new AssertionError("the queue has no subscriber");
            }
            return known;
        }

        @Override
        public void subscribe(CoreSubscriber<? super BlockRequest> actual) {
            downstream = actual;
            source.subscribe(this);
        }

        @Override
        public void onSubscribe(Subscription mine) {
            upstream = new Subscription() {
                @Override
                public void request(long n) {
                    demanding.add(Thread.currentThread());
                    mine.request(n);
                }

                @Override
                public void cancel() {
                    mine.cancel();
                }
            };
        }

        @Override
        public void onNext(BlockRequest request) {
            requests.add(request);
        }

        @Override
        public void onError(Throwable failure) {
            downstream().onError(failure);
        }

        @Override
        public void onComplete() {
            if (!keepsItsEnd) {
                downstream().onComplete();
            }
        }
    }

    @Test
    void shouldBringSignalsOfOtherThreadsToTheLoop() throws InterruptedException {
        List<ByHand> made = new ArrayList<>();
        try (PipelineRig rig = new PipelineRig(builder -> builder.operator(flux -> {
            made.add(new ByHand(flux));
            return made.getLast();
        }))) {
            ByHand operator = made.getFirst();
            TestIo read = rig.submit(TestIo.read(0, 512));
            rig.settle();
            BlockRequestTest.onAnotherThread(() -> operator.downstream().onSubscribe(operator.upstream()));
            assertThat(operator.demanding).isEmpty();
            rig.settle();
            assertThat(operator.demanding).containsOnly(Thread.currentThread());
            assertThat(operator.requests).hasSize(1);
            BlockRequestTest.onAnotherThread(() -> operator.downstream().onNext(operator.requests.getFirst()));
            assertThat(rig.sink().submissions()).isZero();
            rig.settle();
            assertThat(read.result()).isEqualTo(512);
            assertThat(operator.demanding).hasSize(2).containsOnly(Thread.currentThread());
        }
    }

    @Test
    void shouldBeginAtOnceOnTheLoop() {
        List<ByHand> made = new ArrayList<>();
        try (PipelineRig rig = new PipelineRig(builder -> builder.operator(flux -> {
            made.add(new ByHand(flux));
            return made.getLast();
        }))) {
            ByHand operator = made.getFirst();
            operator.downstream().onSubscribe(operator.upstream());
            assertThat(operator.demanding).hasSize(1);
            TestIo read = rig.submit(TestIo.read(0, 512));
            rig.settle();
            rig.sink().hold();
            operator.downstream().onNext(operator.requests.getFirst());
            assertThat(rig.sink().submissions()).as("in the call").isEqualTo(1);
            rig.settle();
            rig.sink().releaseAll();
            rig.settle();
            assertThat(read.result()).isEqualTo(512);
        }
    }

    /** What an operator drops on another thread is failed on the loop; once the operators have ended, by whoever sees to their end. */
    @Test
    void shouldFailWhatIsDroppedOnceAndOnTheLoop() throws InterruptedException {
        List<ByHand> made = new ArrayList<>();
        try (PipelineRig rig = new PipelineRig(builder -> builder.operator(flux -> {
            made.add(new ByHand(flux));
            return made.getLast();
        }))) {
            ByHand operator = made.getFirst();
            operator.downstream().onSubscribe(operator.upstream());
            TestIo first = rig.submit(TestIo.read(0, 512));
            TestIo second = rig.submit(TestIo.read(1, 512));
            rig.settle();
            BlockRequestTest.onAnotherThread(() -> operator.requests.getFirst().discard());
            assertThat(first.completed()).isFalse();
            rig.settle();
            assertThat(first.result()).isEqualTo(-Errno.ECANCELED);
            BlockRequestTest.onAnotherThread(() -> operator.downstream().onComplete());
            assertThat(made).hasSize(1);
            rig.settle();
            assertThat(second.result()).isEqualTo(-Errno.ECANCELED);
            assertThat(made).as("the next subscription").hasSize(2);
            made.getLast().downstream().onSubscribe(made.getLast().upstream());
        }
    }

    private static PipelineRig oneSlotRig(List<ByHand> made) {
        return new PipelineRig(1, 8, SimulatedFaults.NONE, builder -> builder.operator(flux -> {
            made.add(new ByHand(flux));
            return made.getLast();
        }));
    }

    private static void begin(ByHand operator) {
        operator.downstream().onSubscribe(operator.upstream());
    }

    /** One slot: the object that the first operators held is that of the second ones' request. */
    @Test
    void shouldLeaveTheNextRequestAloneWhateverOperatorsDoAfterTheirEnd() {
        List<ByHand> made = new ArrayList<>();
        try (PipelineRig rig = oneSlotRig(made)) {
            begin(made.getFirst());
            TestIo first = rig.submit(TestIo.read(0, 512));
            rig.settle();
            BlockRequest object = made.getFirst().requests.getFirst();
            made.getFirst().downstream().onComplete();
            rig.settle();
            assertThat(first.result()).isEqualTo(-Errno.ECANCELED);
            begin(made.getLast());
            TestIo second = rig.submit(TestIo.read(1, 512));
            rig.settle();
            assertThat(made.getLast().requests).containsExactly(object);
            Operators.onDiscard(object, made.getFirst().downstream().currentContext());
            made.getFirst().downstream().onNext(object);
            rig.settle();
            assertThat(second.completed()).isFalse();
            assertThat(rig.sink().submissions()).isZero();
            made.getLast().downstream().onNext(object);
            rig.settle();
            assertThat(second.result()).isEqualTo(512);
        }
    }

    @Test
    void shouldCompleteWhatIsInFlightWhileTheNextOperatorsHaveNotBegun() {
        List<ByHand> made = new ArrayList<>();
        try (CapturedLog log = new CapturedLog(); PipelineRig rig = new PipelineRig(4, 8, SimulatedFaults.NONE, builder -> builder.operator(flux -> {
            made.add(new ByHand(flux));
            return made.getLast();
        }))) {
            begin(made.getFirst());
            TestIo first = rig.submit(TestIo.read(0, 512));
            TestIo second = rig.submit(TestIo.read(1, 512));
            rig.settle();
            rig.sink().hold();
            made.getFirst().requests.forEach(request -> made.getFirst().downstream().onNext(request));
            rig.settle();
            made.getFirst().downstream().onComplete();
            rig.settle();
            assertThat(made).hasSize(2);
            rig.sink().release(rig.sink().held().getFirst());
            rig.settle();
            assertThat(first.result()).isEqualTo(512);
            made.getLast().keepsItsEnd = true;
            rig.source.stop(() -> {});
            rig.loop.advanceNanos(BlockPipeline.DEFAULT_DRAIN_LIMIT.toNanos());
            rig.settle();
            rig.sink().releaseAll();
            rig.settle();
            assertThat(second.result()).isEqualTo(512);
            assertThat(log.lines("failed when it was cancelled")).isEmpty();
            assertThat(rig.loop.takeFailures()).isEmpty();
        }
    }
}
