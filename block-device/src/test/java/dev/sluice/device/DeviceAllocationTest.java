package dev.sluice.device;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;

/** What one request with one Mono costs the heap: subscriber excluded, loop and simulated sink included. */
class DeviceAllocationTest {
    private static final int WARM_UP = 50_000;
    private static final int MEASURED = 50_000;
    private static final long MOST_BYTES = 200;

    private static final class Reused implements CoreSubscriber<Integer> {
        private int values;

        @Override
        public void onSubscribe(Subscription subscription) {
            subscription.request(Long.MAX_VALUE);
        }

        @Override
        public void onNext(Integer bytes) {
            values++;
        }

        @Override
        public void onError(Throwable error) {
            throw new AssertionError(error);
        }

        @Override
        public void onComplete() {}
    }

    @Test
    void shouldStayBelowTwoHundredBytesARequest() {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (DeviceRig rig = new DeviceRig()) {
            ByteBuffer buffer = ByteBuffer.allocateDirect(4096);
            Reused subscriber = new Reused();
            read(rig, buffer, subscriber, WARM_UP);
            long before = threads.getThreadAllocatedBytes(Thread.currentThread().threadId());
            read(rig, buffer, subscriber, MEASURED);
            long bytes = (threads.getThreadAllocatedBytes(Thread.currentThread().threadId()) - before) / MEASURED;
            assertThat(subscriber.values).isEqualTo(WARM_UP + MEASURED);
            assertThat(bytes).as("heap bytes a request").isBetween(1L, MOST_BYTES - 1);
        }
    }

    private static void read(DeviceRig rig, ByteBuffer buffer, Reused subscriber, int times) {
        for (int i = 0; i < times; i++) {
            rig.device.read(4096, buffer.clear()).subscribe(subscriber);
            rig.loop.tick();
            rig.loop.tick();
            if (i % 32 == 0) {
                rig.loop.tickUntilIdle();
            }
        }
        rig.loop.tickUntilIdle();
    }
}
