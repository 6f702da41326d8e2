package dev.sluice.virtio.blk;

import static dev.sluice.virtio.blk.QueueUnderTest.F_NEXT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.CapturedLog;
import dev.sluice.linux.Errno;
import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BrokenQueueException;
import dev.sluice.virtio.blk.QueueUnderTest.Used;
import dev.sluice.virtio.layout.VirtioFeatures;
import dev.sluice.virtio.layout.VirtqUsed;
import dev.sluice.virtio.queue.GuestMemory;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.Test;

/** What a queue does of itself in the course of a tick, and what it asks of who runs it. */
final class VirtioBlkQueueTest extends BareQueue {
    VirtioBlkQueueTest() throws IOException {}

    @Test
    void shouldBeUsedOnItsLoopOnly() {
        List<Runnable> uses = List.of(
                () -> queue.start(() -> {}), () -> queue.memory(GuestMemory.NONE), () -> queue.enabled(false), () -> queue.polled(true),
                () -> queue.eventFds(VirtioBlkQueue.NO_FD, VirtioBlkQueue.NO_FD), queue::callFdCame, queue::publishNow, queue::close);
        queue.eventFds(VirtioBlkQueue.NO_FD, VirtioBlkQueue.NO_FD);
        for (Runnable use : uses) {
            assertThatThrownBy(() -> CompletableFuture.runAsync(use).join())
                    .isInstanceOf(CompletionException.class)
                    .hasCauseInstanceOf(IllegalStateException.class);
        }
        assertThat(queue.callOwed()).isFalse();
        offer(0);
        polled().complete(512);
        assertThat(usedAfterTick()).containsExactly(new Used(0, 513));
    }

    @Test
    void shouldUseAnotherMapFromTheNextRequestOn() {
        offer(0, 3);
        polled().complete(512);
        queue.memory(GuestMemory.NONE);
        assertThat(queue.poll()).isNull();
        queue.memory(guest.memory);
        assertThat(usedAfterTick()).containsExactly(new Used(0, 513), new Used(3, 0));
        offer(0);
        polled().complete(512);
    }

    @Test
    void shouldLogTheRuleThatAChainBreaks() {
        guest.desc(7, DATA, 0, F_NEXT, 7);
        guest.offer(7);
        guest.publish();
        try (CapturedLog log = new CapturedLog()) {
            assertThat(queue.poll()).isNull();
            assertThat(log.of(ChainLog.class)).singleElement().asString()
                    .startsWith("WARN: queue 0: request of head 7 is malformed: VIRTIO 1.3 §2.7.5: chain is longer");
        }
        assertThat(usedAfterTick()).containsExactly(new Used(7, 0));
    }

    @Test
    void shouldTakeNothingWhileItIsDisabled() {
        queue.enabled(true);
        assertThat(wakes).as("nothing has changed").isZero();
        offer(0, 3);
        BlockRequest out = polled();
        queue.disableKicks();
        assertThat(usedFlags()).isEqualTo(VirtqUsed.F_NO_NOTIFY);
        queue.enabled(false);
        assertThat(wakes).isEqualTo(1);
        assertThat(queue.poll()).isNull();
        assertThat(queue.available()).isFalse();
        assertThat(queue.enableKicks()).isFalse();
        assertThat(usedFlags()).as("the ring is left alone").isEqualTo(VirtqUsed.F_NO_NOTIFY);
        out.complete(512);
        assertThat(usedAfterTick()).as("what is in flight completes").containsExactly(new Used(0, 513));
        queue.enabled(true);
        assertThat(wakes).isEqualTo(2);
        assertThat(queue.available()).isTrue();
        assertThat(queue.enableKicks()).isTrue();
        assertThat(usedFlags()).isZero();
        queue.enabled(false);
        queue.disableKicks();
        assertThat(usedFlags()).isZero();
        queue.enabled(true);
        polled().complete(512);
    }

    @Test
    void shouldNeverAskForKicksWhileItIsPolled() {
        queue.disableKicks();
        queue.polled(true);
        offer(0);
        assertThat(queue.enableKicks()).isFalse();
        assertThat(usedFlags()).isEqualTo(VirtqUsed.F_NO_NOTIFY);
        assertThat(queue.available()).isTrue();
        polled().complete(512);
        assertThat(queue.available()).isFalse();
        queue.polled(false);
        assertThat(queue.enableKicks()).isFalse();
        assertThat(usedFlags()).isZero();
    }

    @Test
    void shouldPublishOnceATickAndCallWhenThatIsWanted() {
        offer(0, 3, 6);
        BlockRequest first = polled();
        BlockRequest second = polled();
        BlockRequest third = polled();
        assertThat(queue.inFlight()).isEqualTo(3);
        second.complete(512);
        first.complete(-Errno.EIO);
        assertThat(queue.inFlight()).isEqualTo(1);
        assertThat(guest.takeUsed()).isEmpty();
        guest.loop.tick();
        assertThat(guest.takeUsed()).containsExactly(new Used(3, 513), new Used(0, 1));
        assertThat(EventFd.drain(guest.call.number())).isEqualTo(1);
        assertThat(guest.events.publications).hasValue(1);
        assertThat(guest.events.elements).hasValue(2);
        assertThat(guest.events.calls).hasValue(1);
        guest.loop.tick();
        queue.publishNow();
        assertThat(guest.events.publications).as("nothing to show").hasValue(1);
        assertThat(guest.called()).isFalse();
        third.complete(512);
        queue.publishNow();
        assertThat(guest.takeUsed()).containsExactly(new Used(6, 513));
        assertThat(guest.called()).as("at once").isTrue();
        assertThat(usedAfterTick()).isEmpty();
        assertThat(guest.events.publications).hasValue(2);
        // VIRTIO 1.3 §2.7.7: the driver needs no call.
        dev.sluice.virtio.layout.VirtqAvail.flags(guest.availRing(), 0, 1);
        offer(0);
        polled().complete(512);
        assertThat(usedAfterTick()).hasSize(1);
        assertThat(guest.called()).isFalse();
        assertThat(queue.callOwed()).isFalse();
        assertThat(guest.events.calls).hasValue(2);
        assertThat(guest.events.publications).hasValue(3);
    }

    @Test
    void shouldShowAndSignalEachCompletionByItselfWithoutBatches() throws IOException {
        QueueUnderTest.Setup setup = bare();
        setup.ablation = new Ablation(true, false);
        reopen(setup);
        offer(0, 3);
        BlockRequest first = polled();
        assertThat(queue.poll()).as("one a tick").isNull();
        assertThat(queue.enableKicks()).isFalse();
        assertThat(wakes).as("it asks for a turn in the next one").isEqualTo(1);
        BlockRequest second = polled();
        first.complete(512);
        assertThat(guest.takeUsed()).containsExactly(new Used(0, 513));
        assertThat(EventFd.drain(guest.call.number())).isEqualTo(1);
        second.complete(512);
        assertThat(guest.takeUsed()).containsExactly(new Used(3, 513));
        assertThat(EventFd.drain(guest.call.number())).isEqualTo(1);
        assertThat(guest.loop.tickUntilIdle()).isLessThanOrEqualTo(1);
        assertThat(guest.events.publications).hasValue(2);
    }

    @Test
    void shouldUseEventIndexesWhenTheyWereNegotiated() throws IOException {
        QueueUnderTest.Setup setup = bare();
        setup.features |= VirtioFeatures.EVENT_IDX;
        reopen(setup);
        assertThat(queue.enableKicks()).isFalse();
        queue.disableKicks();
        assertThat(usedFlags()).isZero();
        assertThat(VirtqUsed.availEvent(guest.usedRing(), 0, 64)).isEqualTo(0xFFFF);
        assertThat(queue.enableKicks()).isFalse();
        assertThat(VirtqUsed.availEvent(guest.usedRing(), 0, 64)).isZero();
    }

    // ---- calls that are owed

    @Test
    void shouldOweACallUntilThereIsAnEventfd() {
        queue.eventFds(VirtioBlkQueue.NO_FD, guest.err.number());
        offer(0);
        polled().complete(512);
        assertThat(usedAfterTick()).hasSize(1);
        assertThat(queue.callOwed()).isTrue();
        assertThat(guest.events.publications).hasValue(1);
        assertThat(guest.events.calls).hasValue(0);
        queue.callFdCame();
        assertThat(queue.callOwed()).as("none has come").isTrue();
        assertThat(guest.events.publications).hasValue(1);
        queue.eventFds(guest.call.number(), guest.err.number());
        assertThat(queue.callOwed()).isTrue();
        queue.callFdCame();
        assertThat(queue.callOwed()).isFalse();
        assertThat(guest.events.calls).hasValue(1);
        assertThat(guest.events.publications).hasValue(2);
        assertThat(guest.events.elements).hasValue(1);
        int _ = guest.loop.tickUntilIdle();
        assertThat(EventFd.drain(guest.call.number())).isEqualTo(1);
    }

    @Test
    void shouldCallWhenTheRingStartsIfThatMayBeOwed() {
        assertThat(guest.called()).isFalse();
        queue.callMayBeOwed();
        assertThat(queue.callOwed()).isTrue();
        assertThat(guest.called()).isFalse();
        queue.start(() -> {});
        assertThat(queue.callOwed()).isFalse();
        int _ = guest.loop.tickUntilIdle();
        assertThat(EventFd.drain(guest.call.number())).isEqualTo(1);
    }

    @Test
    void shouldSignalWhatTheKernelDidNotTakeThroughTheNewEventfds() {
        try (Fd call = Fd.adopt(EventFd.create(0, EventFd.EFD_NONBLOCK));
                Fd err = Fd.adopt(EventFd.create(0, EventFd.EFD_NONBLOCK))) {
            offer(0);
            polled().complete(512);
            guest.aio.refuse(Integer.MAX_VALUE, Errno.EAGAIN);
            assertThat(usedAfterTick()).hasSize(1);
            guest.availIdx(0x4000);
            assertThatThrownBy(queue::poll).isInstanceOf(BrokenQueueException.class);
            int _ = guest.loop.tickUntilIdle();
            queue.eventFds(VirtioBlkQueue.NO_FD, VirtioBlkQueue.NO_FD);
            assertThat(queue.callOwed()).isTrue();
            guest.aio.refuse(0, 0);
            queue.eventFds(call.number(), err.number());
            queue.callFdCame();
            int _ = guest.loop.tickUntilIdle();
            assertThat(EventFd.drain(call.number())).isEqualTo(1);
            assertThat(guest.called()).isFalse();
            assertThat(guest.errSignalled()).as("withdrawn").isFalse();
            assertThat(guest.aio.eventFds).doesNotContain(VirtioBlkQueue.NO_FD, err.number());
            queue.eventFds(VirtioBlkQueue.NO_FD, VirtioBlkQueue.NO_FD);
        }
    }

    @Test
    void shouldPassOnACallAndAnErrorThatTheKernelDidNotTake() {
        try (Fd call = Fd.adopt(EventFd.create(0, EventFd.EFD_NONBLOCK));
                Fd err = Fd.adopt(EventFd.create(0, EventFd.EFD_NONBLOCK))) {
            queue.eventFds(guest.call.number(), guest.err.number());
            int _ = guest.loop.tickUntilIdle();
            assertThat(guest.aio.eventFds).as("nothing is to be passed on").isEmpty();
            guest.aio.refuse(Integer.MAX_VALUE, Errno.EAGAIN);
            offer(0);
            polled().complete(512);
            assertThat(usedAfterTick()).hasSize(1);
            guest.availIdx(0x4000);
            assertThatThrownBy(queue::poll).isInstanceOf(BrokenQueueException.class);
            queue.eventFds(call.number(), err.number());
            assertThat(queue.callOwed()).isFalse();
            guest.aio.refuse(0, 0);
            int _ = guest.loop.tickUntilIdle();
            assertThat(EventFd.drain(call.number())).isEqualTo(1);
            assertThat(EventFd.drain(err.number())).isEqualTo(1);
            assertThat(guest.called()).isFalse();
            assertThat(guest.errSignalled()).isFalse();
            queue.eventFds(VirtioBlkQueue.NO_FD, VirtioBlkQueue.NO_FD);
            assertThat(queue.callOwed()).as("made").isFalse();
        }
    }
}
