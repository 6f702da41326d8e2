package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.Fd;
import dev.sluice.linux.Mapping;
import dev.sluice.linux.NativeBlock;
import dev.sluice.virtio.driver.BlkRequest;
import dev.sluice.virtio.queue.GuestMemory;
import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Supplier;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

/** How a ring stops, also on a loop that fails, and what is left of it. */
final class VirtqueueStopTest extends VirtqueueOnThisThread {
    VirtqueueStopTest() throws IOException {}

    // ---- the end

    @Test
    void shouldSayOfAStoppedRingThatItHadBroken() throws Exception {
        int kick = start();
        Supplier<VhostUserServer.RingSnapshot> early = ring.snapshot();
        assertThat(early.get()).isEqualTo(new VhostUserServer.RingSnapshot(0, RingState.ENABLED, InlineDevice.QUEUE_SIZE, "inline-loop", false));
        breakIt(kick);
        assertThat(early.get().broken()).as("asked of the ring itself").isTrue();
        ring.endStop(ring.beginStop());
        assertThat(snapshot()).isEqualTo(new VhostUserServer.RingSnapshot(0, RingState.STOPPED, InlineDevice.QUEUE_SIZE, "inline-loop", true));
        // That takes its driver a reset.
        ring.start(ring.state(), memory);
        assertThat(ring.ringState()).isEqualTo(RingState.STOPPED);
        device.queue.reset();
        ring.kick(eventFd(), memory);
        assertThat(snapshot().broken()).isFalse();
        assertThat(ring.ringState()).isEqualTo(RingState.ENABLED);
    }

    @Test
    void shouldStopWhenWhatIsInFlightHasCompletedAndIsPublished() throws Exception {
        int kick = start();
        device.sink().hold();
        boolean _ = device.offerFlush();
        boolean _ = device.offerFlush();
        device.loop.fire(kick);
        CompletableFuture<Integer> stopping = ring.beginStop();
        assertThat(stopping).isNotDone();
        assertThat(device.loop.watches(kick)).as("takes nothing new").isFalse();
        int[] publishedBefore = {-1};
        CompletableFuture<Void> looked = stopping.thenAccept(base -> publishedBefore[0] = device.queue.splitRing().rawUsedIdx());
        device.loop.execute(() -> device.sink().releaseAll());
        assertThat(looked).isDone();
        assertThat(publishedBefore[0]).isEqualTo(2);
        ring.endStop(stopping);
        assertThat(stop()).isEqualTo(2);
        assertThat(device.completed()).isEqualTo(2);
    }

    @Test
    void shouldFreeAllItHadWhenItHasStopped() throws Exception {
        int _ = start();
        int _ = stop();
        assertRestartsLeakNothing(() -> {
            ring.kick(eventFd(), memory);
            int _ = stop();
        });
        Mapping mapping = Mapping.anonymous(4096);
        device.quarantine.close(mapping);
        assertThat(mapping.toString()).as("nobody is in it").contains("closed");
    }

    /** A ring has iovecs for its requests, which are native memory. */
    private void assertRestartsLeakNothing(ThrowingCallable restart) throws Exception {
        long before = NativeBlock.openBytes();
        Virtqueue other = device.virtqueue(1);
        other.size(InlineDevice.QUEUE_SIZE);
        setAddresses(other);
        other.kick(null, memory);
        assertThat(NativeBlock.openBytes() - before).as("bytes of a ring").isGreaterThan(32 << 10);
        other.stop();
        assertThat(NativeBlock.openBytes()).isLessThanOrEqualTo(before);
        for (int i = 0; i < 10; i++) {
            assertThatCode(restart).doesNotThrowAnyException();
        }
        assertThat(NativeBlock.openBytes()).isLessThanOrEqualTo(before);
    }

    @Test
    void shouldUseTheMemoryThatItIsGivenWhileItRuns() throws Exception {
        int kick = start();
        ring.memory(GuestMemory.NONE);
        assertThat(device.queue.submit(BlkRequest.T_FLUSH, 0, 0)).isNotNegative();
        boolean _ = device.queue.publish();
        device.loop.fire(kick);
        assertThat(device.events.malformed).as("no descriptor is in memory that does not exist").hasValue(1);
        int _ = stop();
        ring.memory(memory);
        assertThat(ring.ringState()).isEqualTo(RingState.STOPPED);
    }

    @Test
    void shouldForgetEverythingWhenItIsReset() throws Exception {
        Fd call = eventFd();
        ring.call(call);
        ring.err(eventFd());
        ring.position(3);
        int kick = start();
        breakIt(kick);
        int _ = stop();
        ring.reset();
        assertThat(snapshot()).isEqualTo(new VhostUserServer.RingSnapshot(0, RingState.STOPPED, 0, "inline-loop", false));
        assertThat(opened).noneMatch(VirtqueueOnThisThread::open);
        assertThat(stop()).as("base").isZero();
        assertThat(refusal(() -> ring.kick(null, memory))).contains("before its size");
        ring.size(InlineDevice.QUEUE_SIZE);
        assertThat(refusal(() -> ring.kick(null, memory))).contains("before its addresses");
        setAddresses();
        device.queue.reset();
        Fd again = eventFd();
        ring.call(again);
        ring.kick(eventFd(), memory);
        assertThat(ring.ringState()).as("enabled before the reset").isEqualTo(RingState.DISABLED);
        assertThat(drained(again)).isEqualTo(1);
    }

    @Test
    void shouldOweACallAgainWhenItIsReset() throws Exception {
        Fd call = eventFd();
        ring.call(call);
        int _ = start();
        int _ = stop();
        ring.reset();
        setUp();
        ring.kick(eventFd(), memory);
        // Owed, and paid as soon as there is an eventfd.
        Fd again = eventFd();
        ring.call(again);
        assertThat(drained(again)).isEqualTo(1);
    }

    // ---- a loop that fails

    @Test
    void shouldKeepDescriptorsThatTheLoopMayUseUntilTheEnd() throws Exception {
        Fd call = eventFd();
        ring.call(call);
        int kick = start();
        device.pipeline.close();
        device.loop.close();
        for (int i = 0; i < 2; i++) {
            assertThatThrownBy(() -> ring.kick(eventFd(), memory)).isInstanceOf(RejectedExecutionException.class);
            assertThatThrownBy(() -> ring.call(eventFd())).isInstanceOf(RejectedExecutionException.class);
            assertThatThrownBy(() -> ring.err(eventFd())).isInstanceOf(RejectedExecutionException.class);
        }
        assertThat(opened).allMatch(VirtqueueOnThisThread::open);
        assertThat(open(kick)).isTrue();
        assertThatThrownBy(ring::stop).isInstanceOf(RejectedExecutionException.class);
        CompletableFuture<Integer> lost = CompletableFuture.failedFuture(new RejectedExecutionException());
        assertThatThrownBy(() -> ring.endStop(lost)).hasMessage("queue 0 cannot be stopped");
        assertThat(ring.ringState()).isEqualTo(RingState.STOPPED);
        ring.closeFds();
        assertThat(opened).noneMatch(VirtqueueOnThisThread::open);
    }

    @Test
    void shouldUndoAStartThatTheLoopDoesNotCarryOut() throws Exception {
        int _ = start();
        int _ = stop();
        RuntimeException failure = new IllegalStateException("no watch");
        assertRestartsLeakNothing(() -> {
            device.loop.failNextWatch(failure);
            assertThatThrownBy(() -> ring.kick(eventFd(), memory)).isSameAs(failure);
        });
        long started = device.events.started.get();
        device.loop.failNextWatch(failure);
        Fd kick = eventFd();
        assertThatThrownBy(() -> ring.kick(kick, memory)).isSameAs(failure);
        assertThat(ring.ringState()).isEqualTo(RingState.STOPPED);
        assertThat(device.events.started).hasValue(started);
        assertThat(device.loop.watches(kick.number())).isFalse();
        ring.kick(eventFd(), memory);
        assertThat(kick.isOpen()).isFalse();
        assertThat(ring.ringState()).isEqualTo(RingState.ENABLED);
    }

    @Test
    void shouldDrainAndFailWhenItsWatchCannotBeClosed() throws Exception {
        int kick = start();
        device.sink().hold();
        boolean _ = device.offerFlush();
        device.loop.fire(kick);
        RuntimeException failure = new IllegalStateException("no close");
        device.loop.failNextUnwatch(failure);
        CompletableFuture<Integer> stopping = ring.beginStop();
        assertThat(stopping).as("the kernel may still write").isNotDone();
        device.loop.execute(() -> device.sink().releaseAll());
        assertThat(stopping).isCompletedExceptionally();
        assertThat(device.completed()).isEqualTo(1);
        assertThatThrownBy(() -> ring.endStop(stopping)).hasMessage("queue 0 cannot be stopped").hasCause(failure);
        assertThat(ring.ringState()).isEqualTo(RingState.STOPPED);
        assertThat(device.events.stopped).hasValue(1);
    }

    /** Nothing signals an eventfd's number any more when its owner may close it: by then it may be another file's. */
    @Test
    void shouldWithdrawCallsThatTheKernelHasNotTakenWhenItStops() throws Exception {
        ring.call(eventFd());
        int kick = start();
        device.callsRefused = true;
        boolean _ = device.offerFlush();
        device.loop.fire(kick);
        assertThat(retries()).isPositive();
        int _ = stop();
        device.loop.advanceNanos(1_000_000_000);
        assertThat(retries()).isZero();
    }

    @Test
    void shouldWithdrawCallsThatTheKernelHasNotTakenWhenAStartFails() throws Exception {
        ring.call(eventFd());
        device.callsRefused = true;
        device.loop.failNextWatch(new IllegalStateException("no watch"));
        assertThatThrownBy(this::start).hasMessage("no watch");
        device.loop.advanceNanos(1_000_000_000);
        assertThat(retries()).isZero();
        device.callsRefused = false;
    }

    /** How often a call is made again within a second. */
    private int retries() {
        int before = device.loop.schedules();
        device.loop.advanceNanos(1_000_000_000);
        return device.loop.schedules() - before;
    }

    @Test
    void shouldGoFromAStateToAnotherOne() {
        RingState state = ring.ringState();
        assertThat(state.to(RingState.ENABLED)).isEqualTo(RingState.ENABLED);
        assertThatThrownBy(() -> state.to(RingState.STOPPED)).isInstanceOf(IllegalStateException.class).hasMessageContaining("STOPPED cannot become STOPPED");
    }
}
