package dev.sluice.virtio.blk;

import static dev.sluice.virtio.blk.QueueUnderTest.F_NEXT;
import static dev.sluice.virtio.blk.QueueUnderTest.F_WRITE;
import static dev.sluice.virtio.blk.QueueUnderTest.HEAP;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.BlockRequest;
import dev.sluice.virtio.blk.QueueUnderTest.Used;
import dev.sluice.virtio.layout.VirtqUsed;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Where a queue stops although there is more to take, and how it continues; and what it has of its own. */
final class VirtioBlkQueueLimitsTest extends BareQueue {
    VirtioBlkQueueLimitsTest() throws IOException {}

    /** 4096 descriptors and heads a tick: 64 chains of 63 descriptors each. */
    @Test
    void shouldYieldWhenATicksShareOfDescriptorsIsRead() throws IOException {
        QueueUnderTest.Setup setup = bare();
        setup.size = 128;
        reopen(setup);
        for (int i = 0; i < 128; i++) {
            guest.desc(i, DATA, 0, i == 127 ? 0 : F_NEXT, i < 66 ? 66 : i + 1);
        }
        for (int head = 0; head < 66; head++) {
            guest.offer(head);
        }
        guest.publish();
        assertThat(queue.poll()).isNull();
        assertThat(queue.position()).isEqualTo(64);
        assertThat(queue.poll()).as("others come first").isNull();
        assertThat(queue.position()).isEqualTo(64);
        assertThat(queue.available()).isTrue();
        assertThat(queue.poll()).isNull();
        assertThat(queue.position()).isEqualTo(66);
        assertThat(queue.available()).isFalse();
        assertThat(guest.events.malformed).hasValue(66);
        assertThat(usedAfterTick()).hasSize(66).allMatch(used -> used.bytes() == 0);
    }

    @Test
    void shouldAskForItsNextTurnInsteadOfAKickAfterItHasYielded() throws IOException {
        QueueUnderTest.Setup setup = bare();
        setup.size = 128;
        reopen(setup);
        for (int i = 0; i < 128; i++) {
            guest.desc(i, DATA, 0, F_NEXT, i);
            guest.offer(i);
        }
        guest.publish();
        // 32 loops of 128 steps, each with its head.
        for (int turn = 1; turn <= 4; turn++) {
            assertThat(queue.poll()).isNull();
            assertThat(queue.position()).isEqualTo(32 * turn);
            assertThat(wakes).isEqualTo(turn - 1);
            assertThat(queue.enableKicks()).isFalse();
            assertThat(wakes).isEqualTo(turn);
        }
        wakes = 0;
        assertThat(queue.poll()).isNull();
        assertThat(queue.enableKicks()).isFalse();
        assertThat(wakes).isZero();
        int _ = usedAfterTick().size();
    }

    @Test
    void shouldHaveAShareOfDescriptorsInEachTick() throws IOException {
        QueueUnderTest.Setup setup = bare();
        setup.size = 128;
        reopen(setup);
        for (int i = 0; i < 64; i++) {
            guest.desc(i, DATA, 0, F_NEXT, i);
        }
        for (int tick = 0; tick < 3; tick++) {
            for (int head = 0; head < 31; head++) {
                guest.offer(head);
            }
            guest.publish();
            assertThat(queue.poll()).isNull();
            assertThat(queue.enableKicks()).isFalse();
            assertThat(wakes).as("it has not yielded").isZero();
            guest.loop.advanceNanos(1000);
            assertThat(usedAfterTick()).hasSize(31);
            guest.loop.tick();
        }
    }

    @Test
    void shouldWaitForIovecsWithoutAskingForKicks() {
        for (int head = 0; head < 3; head++) {
            large(head * 3, 9);
        }
        large(30, 9);
        guest.publish();
        queue.disableKicks();
        List<BlockRequest> out = List.of(polled(), polled(), polled());
        assertThat(queue.poll()).isNull();
        assertThat(queue.position()).isEqualTo(3);
        assertThat(queue.available()).isFalse();
        assertThat(queue.enableKicks()).isFalse();
        assertThat(usedFlags()).isEqualTo(VirtqUsed.F_NO_NOTIFY);
        assertThat(queue.inFlight()).isEqualTo(3);
        out.get(1).complete(9 * 512);
        assertThat(wakes).isEqualTo(1);
        assertThat(queue.available()).isTrue();
        out.get(2).complete(9 * 512);
        assertThat(wakes).as("it waits no more").isEqualTo(1);
        polled().complete(9 * 512);
        out.get(0).complete(9 * 512);
        assertThat(usedAfterTick()).extracting(Used::head).containsExactly(3, 6, 30, 0);
    }

    @Test
    void shouldWakeForTheSizeOfIovecsThatItWaitsFor() {
        offer(45);
        large(0, 200);
        large(16, 9);
        large(32, 200);
        guest.publish();
        BlockRequest small = polled();
        List<BlockRequest> out = List.of(polled(), polled());
        assertThat(queue.poll()).isNull();
        assertThat(queue.position()).isEqualTo(3);
        small.complete(512);
        out.get(1).complete(9 * 512);
        assertThat(wakes).as("neither has what it waits for").isZero();
        out.get(0).complete(200 * 512);
        assertThat(wakes).isEqualTo(1);
        polled().complete(200 * 512);
        assertThat(usedAfterTick()).extracting(Used::head).containsExactly(45, 16, 0, 32);
    }

    /** Closing the queue misses those that it holds. */
    @Test
    void shouldHoldNoIovecsForAChainThatWaits() {
        large(0, 200);
        large(32, 200);
        guest.publish();
        BlockRequest out = polled();
        assertThat(queue.poll()).isNull();
        out.complete(200 * 512);
        assertThat(usedAfterTick()).hasSize(1);
    }

    /** While it waits for iovecs its chain is not read again, however often it is polled. */
    @Test
    void shouldReadAChainAgainWhenThereIsRoomForIt() throws IOException {
        for (boolean pool : new boolean[] {true, false}) {
            QueueUnderTest.Setup setup = bare();
            setup.ablation = new Ablation(pool, true);
            reopen(setup);
            for (int head : new int[] {0, 3, 6, 30}) {
                large(head, 9);
            }
            guest.publish();
            List<BlockRequest> out = List.of(polled(), polled(), polled());
            assertThat(queue.poll()).isNull();
            long _ = guest.plain(30, IN, 0, DATA, 512);
            assertThat(queue.poll()).isNull();
            out.forEach(request -> request.complete(9 * 512));
            assertThat(wakes).isEqualTo(1);
            BlockRequest waiting = polled();
            assertThat(waiting.lengthBytes()).isEqualTo(512);
            waiting.complete(512);
            assertThat(usedAfterTick()).hasSize(4);
            offer(33);
            BlockRequest next = polled();
            assertThat(next == waiting).as("used again").isEqualTo(pool);
            next.complete(512);
        }
    }

    @Test
    void shouldHaveARequestForEveryHeadAtOnceAndUseThemAgain() {
        for (int round = 0; round < 2; round++) {
            // Flushes, all with the status of descriptor 63.
            guest.header(HEAP, 4, 0);
            guest.desc(63, HEAP + 16, 1, F_WRITE, 0);
            for (int head = 0; head < 63; head++) {
                guest.desc(head, HEAP, 16, F_NEXT, 63);
                guest.offer(head);
            }
            guest.publish();
            List<BlockRequest> out = new ArrayList<>();
            for (BlockRequest request = queue.poll(); request != null; request = queue.poll()) {
                out.add(request);
            }
            assertThat(out).hasSize(63).extracting(BlockRequest::slot).doesNotHaveDuplicates().allMatch(slot -> slot < 64);
            assertThat(queue.inFlight()).isEqualTo(63);
            out.forEach(request -> request.complete(0));
            assertThat(usedAfterTick()).hasSize(63);
        }
    }
}
