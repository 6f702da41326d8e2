package dev.sluice.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.BlockOp;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class SubmissionRingTest {

    private static final class Numbered extends DeviceIo {
        private final int producer;
        private final int number;

        Numbered(int producer, int number) {
            super(BlockOp.FLUSH, 0, 0);
            this.producer = producer;
            this.number = number;
        }

        @Override
        void completed(int result) {}

        @Override
        void refused(Throwable reason) {}
    }

    @Test
    void shouldKeepTheOrderAndTheBoundWhenItWrapsAround() {
        SubmissionRing ring = new SubmissionRing(3);
        int offered = 0;
        int polled = 0;
        for (int round = 0; round < 10; round++) {
            while (ring.offer(new Numbered(0, offered))) {
                offered++;
            }
            assertThat(offered - polled).isEqualTo(3);
            for (int i = 0; i < 1 + round % 3; i++) {
                assertThat(ring.poll()).isInstanceOfSatisfying(Numbered.class, io -> assertThat(io.number).isGreaterThanOrEqualTo(0));
                polled++;
            }
        }
        while (ring.poll() instanceof Numbered next) {
            assertThat(next.number).isEqualTo(polled++);
        }
        assertThat(polled).isEqualTo(offered);
        assertThat(ring.isEmpty()).isTrue();
    }

    @Test
    void shouldKeepTheOrderOfEachProducerAndLoseNothing() throws InterruptedException {
        int producers = 4;
        int each = 20_000;
        SubmissionRing ring = new SubmissionRing(100);
        List<Thread> threads = new ArrayList<>();
        for (int p = 0; p < producers; p++) {
            int producer = p;
            threads.add(Thread.ofPlatform().start(() -> {
                for (int i = 0; i < each; i++) {
                    Numbered io = new Numbered(producer, i);
                    while (!ring.offer(io)) {
                        Thread.onSpinWait();
                    }
                }
            }));
        }
        int[] next = new int[producers];
        for (int left = producers * each; left > 0;) {
            if (ring.poll() instanceof Numbered io) {
                assertThat(io.number).isEqualTo(next[io.producer]++);
                left--;
            } else {
                Thread.onSpinWait();
            }
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(ring.isEmpty()).isTrue();
        assertThat(next).containsOnly(each);
    }
}
