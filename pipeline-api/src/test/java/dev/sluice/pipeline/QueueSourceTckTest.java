package dev.sluice.pipeline;

import dev.sluice.pipeline.testing.PollLoop;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Publisher;
import org.reactivestreams.tck.PublisherVerification;
import org.reactivestreams.tck.TestEnvironment;
import org.testng.annotations.AfterClass;
import org.testng.annotations.BeforeClass;
import reactor.core.publisher.BaseSubscriber;

/** The Reactive Streams TCK on a {@link QueueSource} with a loop thread of its own. Runs on TestNG through the JUnit platform. */
public class QueueSourceTckTest extends PublisherVerification<BlockRequest> {
    private static final long PATIENCE_MILLIS = 2000;
    private static final long SILENCE_MILLIS = 100;

    private @Nullable PollLoop loop;

    public QueueSourceTckTest() {
        super(new TestEnvironment(PATIENCE_MILLIS, SILENCE_MILLIS));
    }

    @BeforeClass
    void startLoop() {
        loop = PollLoop.start("queue-source-tck");
    }

    @AfterClass
    void endLoop() {
        loop().close();
    }

    private PollLoop loop() {
        PollLoop started = loop;
        if (started == null) {
            throw new IllegalStateException("the loop has not been started");
        }
        return started;
    }

    @Override
    public Publisher<BlockRequest> createPublisher(long elements) {
        CountedQueue queue = new CountedQueue(loop(), elements);
        QueueSource source = new QueueSource(loop(), queue);
        queue.whenExhausted = () -> source.stop(() -> {});
        if (elements == 0) {
            loop().run(queue.whenExhausted);
        }
        return source;
    }

    @Override
    public Publisher<BlockRequest> createFailedPublisher() {
        CountedQueue queue = new CountedQueue(loop(), 1);
        queue.broken = true;
        QueueSource source = new QueueSource(loop(), queue);
        // A ring is found broken when it is looked at; from then on every subscriber is told.
        loop().run(() -> source.subscribe(new BaseSubscriber<BlockRequest>() {
            @Override
            protected void hookOnError(Throwable expected) {}
        }));
        loop().run(() -> {});
        return source;
    }

    /** Has so many requests and then ends; never answers one, never runs out of slots. */
    private static final class CountedQueue implements RequestQueue {
        private final IoLoop loop;
        private long left;
        private boolean broken;
        private Runnable whenExhausted = () -> {};

        CountedQueue(IoLoop loop, long left) {
            this.loop = loop;
            this.left = left;
        }

        @Override
        public int index() {
            return 0;
        }

        @Override
        public int size() {
            return 128;
        }

        @Override
        public int inFlight() {
            return 0;
        }

        @Override
        public @Nullable BlockRequest poll() {
            loop.assertInLoop();
            if (broken) {
                throw new BrokenQueueException(0, "broken on purpose");
            }
            if (left == 0) {
                return null;
            }
            if (--left == 0) {
                loop.execute(whenExhausted);
            }
            return new BareRequest(loop, 0, 0).parse(BlockOp.FLUSH);
        }

        @Override
        public boolean enableKicks() {
            return false;
        }

        @Override
        public void disableKicks() {}
    }
}
