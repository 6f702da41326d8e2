package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.testing.Patience;
import dev.sluice.pipeline.testing.PollLoop;
import dev.sluice.pipeline.testing.TestIo;
import dev.sluice.pipeline.testing.TestQueue;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;

/** A queue under Reactor's own operators, on a loop with a thread. */
class QueueSourceOperatorsTest {

    @Test
    void shouldServeOperatorsThatFuseAndOthersAlike() throws InterruptedException {
        Scheduler elsewhere = Schedulers.newSingle("elsewhere", true);
        try {
            allGoThrough(source -> source.concatMapIterable(List::of));
            allGoThrough(source -> source.concatMapIterable(List::of).publishOn(elsewhere));
            allGoThrough(source -> source.publishOn(elsewhere));
            allGoThrough(source -> source.flatMap(Mono::just));
            allGoThrough(source -> source.flatMap(request -> Mono.just(request).subscribeOn(elsewhere)));
            allGoThrough(source -> source.filter(request -> true).map(request -> request).limitRate(3));
        } finally {
            elsewhere.dispose();
        }
    }

    private interface Operators {
        Flux<BlockRequest> over(Flux<BlockRequest> source);
    }

    private static void allGoThrough(Operators operators) throws InterruptedException {
        int total = 2000;
        try (PollLoop loop = PollLoop.start("fusion-test");
                TestQueue queue = new TestQueue(loop, 0, 8, 512, 512)) {
            QueueSource source = queue.feed(new QueueSource(loop, queue));
            AtomicInteger through = new AtomicInteger();
            operators.over(source).subscribe(request -> {
                through.incrementAndGet();
                request.complete(0);
            });
            TestIo last = TestIo.flush();
            for (int i = 1; i < total; i++) {
                queue.submit(TestIo.flush());
            }
            queue.submit(last);
            last.await();
            CountDownLatch drained = new CountDownLatch(1);
            loop.run(() -> source.stop(drained::countDown));
            assertThat(drained.await(Patience.seconds(30), TimeUnit.SECONDS)).isTrue();
            assertThat(through).hasValue(total);
            assertThat(queue.completions()).isEqualTo(total);
        }
    }
}
