package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.TestIo;
import dev.sluice.pipeline.testing.TestQueue;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.publisher.Flux;

/** A queue that takes nothing for a while: what it has stays in the ring, and nothing is forgotten. */
class QueuePauseTest {
    private final ManualLoop loop = new ManualLoop();
    private final TestQueue queue = new TestQueue(loop, 0, 256, 512, 512);
    private final QueueSource source = queue.feed(new QueueSource(loop, queue));
    private final Recorder subscriber = new Recorder();
    private final List<String> events = new ArrayList<>();

    @AfterEach
    void endWithEverythingCompleted() {
        subscriber.completeAll();
        loop.tickUntilIdle();
        queue.close();
        loop.close();
    }

    private void submit(int count) {
        for (int i = 0; i < count; i++) {
            queue.submit(TestIo.flush());
        }
        loop.tickUntilIdle();
    }

    @Test
    void shouldLeaveRequestsInTheRingUntilItIsResumed() {
        source.subscribe(subscriber);
        subscriber.request(Long.MAX_VALUE);
        source.pause(() -> events.add("idle"));
        assertThat(events).as("nothing was in flight").containsExactly("idle");
        submit(3);
        submit(4);
        assertThat(queue.polls()).isZero();
        assertThat(subscriber.requests).isEmpty();

        source.resume();
        loop.tickUntilIdle();
        assertThat(subscriber.requests).hasSize(7);
        submit(2);
        assertThat(subscriber.requests).as("kicks are enabled again").hasSize(9);
    }

    @Test
    void shouldBeIdleOnceTheLastRequestInFlightHasCompleted() {
        source.subscribe(subscriber);
        subscriber.request(Long.MAX_VALUE);
        submit(2);
        source.pause(() -> events.add("idle"));
        submit(1);
        assertThat(events).isEmpty();
        subscriber.completeAll();
        loop.tickUntilIdle();
        assertThat(events).containsExactly("idle");
        assertThat(queue.polls()).isEqualTo(2);

        source.resume();
        loop.tickUntilIdle();
        subscriber.completeAll();
        loop.tickUntilIdle();
        assertThat(events).as("once").containsExactly("idle");
        assertThat(queue.polls()).isEqualTo(3);
    }

    @Test
    void shouldForgetItsCallbackWhenItIsResumedBefore() {
        source.subscribe(subscriber);
        subscriber.request(Long.MAX_VALUE);
        submit(1);
        source.pause(() -> events.add("first"));
        source.pause(() -> events.add("second"));
        source.resume();
        subscriber.completeAll();
        loop.tickUntilIdle();
        assertThat(events).isEmpty();
        source.pause(() -> events.add("third"));
        assertThat(events).containsExactly("third");
    }

    @Test
    void shouldEndWhileItIsPaused() {
        source.subscribe(subscriber);
        subscriber.request(Long.MAX_VALUE);
        submit(1);
        source.pause(() -> events.add("idle"));
        submit(1);
        source.stop(() -> events.add("drained"));
        loop.tickUntilIdle();
        assertThat(events).isEmpty();
        subscriber.completeAll();
        loop.tickUntilIdle();
        assertThat(events).containsExactly("idle", "drained");
        assertThat(subscriber.terminals).isEqualTo(1);
        source.resume();
        loop.tickUntilIdle();
        assertThat(queue.polls()).isEqualTo(1);
    }

    /** Through an operator that polls by itself, and one that does not. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldPauseUnderOperators(boolean fused) {
        Flux<BlockRequest> operators = fused ? source.map(request -> request) : source.hide();
        operators.subscribe(subscriber);
        subscriber.request(Long.MAX_VALUE);
        submit(1);
        source.pause(() -> {});
        submit(70);
        assertThat(subscriber.requests).hasSize(1);
        source.resume();
        loop.tickUntilIdle();
        assertThat(subscriber.requests).hasSize(71);
    }
}
