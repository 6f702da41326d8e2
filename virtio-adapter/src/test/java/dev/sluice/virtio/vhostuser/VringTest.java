package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.sluice.linux.Errno;
import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.Mapping;
import dev.sluice.linux.Memfd;
import dev.sluice.virtio.driver.BlkRequest;
import dev.sluice.virtio.layout.VirtioFeatures;
import dev.sluice.virtio.queue.GuestMemory;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Supplier;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A ring from its set-up to its stop, on a loop that is this thread. vhost-user, "Ring states". */
final class VringTest {
    private static final long INTERVAL_NANOS = RunningRing.POLL_INTERVAL_NANOS;

    private final InlineDevice device = new InlineDevice(VirtioFeatures.VERSION_1);
    private final GuestMemory memory = device.memory();
    private final Vring ring = device.vring(0);
    private final List<Integer> opened = new ArrayList<>();

    VringTest() throws IOException {}

    @BeforeEach
    void accept() {
        device.device.accept(VirtioFeatures.VERSION_1);
    }

    @AfterEach
    void stopAndClose() {
        if (ring.state().started()) {
            int _ = stop();
        }
        ring.closeFds();
        assertThat(opened).allSatisfy(number -> assertThat(open(number)).as("descriptor %d", number).isFalse());
        assertThat(device.loop.failures()).isEmpty();
        device.close();
    }

    private Fd eventFd() {
        Fd made = InlineDevice.eventFd();
        opened.add(made.number());
        return made;
    }

    private static boolean open(int number) {
        return LinuxFile.flags(number) >= 0;
    }

    private static String refusal(ThrowingCallable call) {
        ProtocolViolation refused = catchThrowableOfType(ProtocolViolation.class, call);
        assertThat(refused).isNotNull();
        assertThat(refused.isFatal()).isFalse();
        return refused.rule();
    }

    private void setAddresses() throws ProtocolViolation {
        ring.addresses(
                device.user(device.queue.ring().descOffset()), device.user(device.queue.ring().availOffset()), device.user(device.queue.ring().usedOffset()));
    }

    private void setUp() throws ProtocolViolation {
        ring.size(InlineDevice.QUEUE_SIZE);
        setAddresses();
        // Without EVENT_IDX that is a flag, and stays.
        boolean _ = device.queue.armCall(1);
    }

    /** Returns the number of the kick eventfd. */
    private int start() throws ProtocolViolation {
        setUp();
        ring.enable(true);
        Fd kick = eventFd();
        ring.kick(kick, memory);
        return kick.number();
    }

    private void serveOne(int kick) {
        assertThat(device.offerFlush()).as("the device wants to be kicked").isTrue();
        assertThat(device.completed()).isZero();
        device.loop.fire(kick);
        assertThat(device.completed()).isEqualTo(1);
    }

    /** A stop that waits would wait for this thread. */
    private int stop() {
        CompletableFuture<Integer> stopping = ring.beginStop();
        assertThat(stopping).isDone();
        ring.endStop(stopping);
        return ring.stop();
    }

    private VhostUserServer.RingSnapshot snapshot() {
        return ring.snapshot().get();
    }

    // ---- set-up

    @Test
    void shouldTakeSizesThatArePowersOfTwoUpToItsLargest() throws Exception {
        for (int size : new int[] {1, 2, 32, InlineDevice.MAX_SIZE}) {
            ring.size(size);
            assertThat(snapshot().size()).isEqualTo(size);
        }
        for (int size : new int[] {0, 3, 2 * InlineDevice.MAX_SIZE, -1, Integer.MIN_VALUE}) {
            assertThat(refusal(() -> ring.size(size)))
                    .isEqualTo("SET_VRING_NUM of queue 0: size " + Integer.toUnsignedString(size) + " is not a power of two from 1 to 64");
        }
        assertThat(snapshot().size()).isEqualTo(InlineDevice.MAX_SIZE);
    }

    @Test
    void shouldTakeBasesOfASplitRing() throws Exception {
        for (int base : new int[] {0, 7, 0xFFFF}) {
            ring.base(base);
            assertThat(stop()).isEqualTo(base);
        }
        for (int base : new int[] {-1, 0x10000}) {
            assertThat(refusal(() -> ring.base(base))).endsWith(Integer.toUnsignedString(base) + " is not an index of a split ring");
        }
        assertThat(stop()).isEqualTo(0xFFFF);
    }

    @Test
    void shouldRefuseAddressesThatAreNotAligned() {
        assertThat(refusal(() -> ring.addresses(8, 0, 0))).startsWith("SET_VRING_ADDR of queue 0: descriptor table at 0x8");
    }

    @Test
    void shouldNotStartBeforeItsSizeAndAddressesAreThere() throws Exception {
        Fd first = eventFd();
        assertThat(refusal(() -> ring.kick(first, memory))).isEqualTo("queue 0 is kicked before its size (SET_VRING_NUM)");
        assertThat(first.isOpen()).isFalse();
        ring.size(InlineDevice.QUEUE_SIZE);
        assertThat(refusal(() -> ring.kick(eventFd(), memory))).isEqualTo("queue 0 is kicked before its addresses (SET_VRING_ADDR)");
        Vring sizeless = device.vring(1);
        sizeless.addresses(0x1000, 0x2000, 0x3000);
        assertThat(refusal(() -> sizeless.kick(eventFd(), memory))).isEqualTo("queue 1 is kicked before its size (SET_VRING_NUM)");
        ring.addresses(0x1000, 0x2000, 0x3000);
        assertThat(refusal(() -> ring.kick(eventFd(), memory))).startsWith("queue 0 cannot start: ");
        assertThat(ring.state()).isEqualTo(RingState.STOPPED);
        setAddresses();
        ring.kick(eventFd(), memory);
        assertThat(ring.state()).isEqualTo(RingState.DISABLED);
    }

    @Test
    void shouldRefuseDescriptorsThatAreNotEventfds() {
        for (int i = 0; i < 3; i++) {
            int kind = i;
            Fd wrong = Fd.adopt(Memfd.create("wrong", Memfd.MFD_CLOEXEC));
            opened.add(wrong.number());
            String rule = refusal(() -> {
                switch (kind) {
                    case 0 -> ring.kick(wrong, memory);
                    case 1 -> ring.call(wrong);
                    default -> ring.err(wrong);
                }
            });
            assertThat(rule).startsWith(List.of("SET_VRING_KICK", "SET_VRING_CALL", "SET_VRING_ERR").get(i) + " of queue 0: /memfd:wrong").contains(" is not an eventfd");
            assertThat(wrong.isOpen()).isFalse();
        }
    }

    /** The flag is the file's, so that a peer that has cleared it cannot make the loop wait. */
    @Test
    void shouldNeverBlockOnAnEventfd() throws Exception {
        Fd call = eventFd();
        Fd err = eventFd();
        ring.call(call);
        ring.err(err);
        int kick = start();
        for (int number : new int[] {kick, call.number(), err.number()}) {
            assertThat(LinuxFile.flags(number) & LinuxFile.O_NONBLOCK).isNotZero();
        }
    }

    @Test
    void shouldRefuseChangesWhileItIsStarted() throws Exception {
        int _ = start();
        assertThat(refusal(() -> ring.size(32))).isEqualTo("SET_VRING_NUM of queue 0 while it is ENABLED");
        assertThat(refusal(() -> ring.base(0))).isEqualTo("SET_VRING_BASE of queue 0 while it is ENABLED");
        long descriptors = device.user(device.queue.ring().descOffset());
        assertThat(refusal(() -> ring.addresses(descriptors, descriptors, descriptors)))
                .isEqualTo("SET_VRING_ADDR of queue 0: addresses change while it is ENABLED");
        // QEMU repeats them, for its dirty log.
        ring.size(InlineDevice.QUEUE_SIZE);
        setAddresses();
        int base = stop();
        ring.base(base);
        ring.size(32);
    }

    // ---- kicks

    @Test
    void shouldServeFromItsStartOnWhateverWasOfferedBefore() throws Exception {
        assertThat(device.offerFlush()).isTrue();
        int kick = start();
        assertThat(ring.state()).isEqualTo(RingState.ENABLED);
        assertThat(device.completed()).isEqualTo(1);
        assertThat(device.events.started).hasValue(1);
        assertThat(device.events.kicks).hasValue(0);
        serveOne(kick);
        serveOne(kick);
        assertThat(device.events.kicks).hasValue(2);
        assertThat(stop()).isEqualTo(3);
        assertThat(device.events.stopped).hasValue(1);
    }

    @Test
    void shouldTakeNothingWhileItIsDisabled() throws Exception {
        setUp();
        Fd kick = eventFd();
        ring.kick(kick, memory);
        assertThat(ring.state()).isEqualTo(RingState.DISABLED);
        boolean _ = device.offerFlush();
        device.loop.fire(kick.number());
        assertThat(device.completed()).isZero();
        ring.enable(true);
        assertThat(ring.state()).isEqualTo(RingState.ENABLED);
        assertThat(device.completed()).isEqualTo(1);
        ring.enable(false);
        ring.enable(false);
        assertThat(ring.state()).isEqualTo(RingState.DISABLED);
        boolean _ = device.offerFlush();
        device.loop.fire(kick.number());
        assertThat(device.completed()).isZero();
    }

    @Test
    void shouldListenToANewKickEventfdAndLookOnce() throws Exception {
        int old = start();
        boolean _ = device.offerFlush();
        Fd kick = eventFd();
        ring.kick(kick, memory);
        assertThat(device.completed()).as("the old one may have been signalled for it").isEqualTo(1);
        assertThat(device.loop.watches(old)).isFalse();
        assertThat(open(old)).isFalse();
        serveOne(kick.number());
        assertThat(device.events.started).hasValue(1);
    }

    @Test
    void shouldPollWhileThereIsNoKickEventfd() throws Exception {
        setUp();
        ring.enable(true);
        ring.kick(null, memory);
        for (int i = 0; i < 3; i++) {
            assertThat(device.offerFlush()).as("nobody listens to a kick").isFalse();
            device.loop.advanceNanos(INTERVAL_NANOS - 1);
            assertThat(device.completed()).isZero();
            device.loop.advanceNanos(1);
            assertThat(device.completed()).isEqualTo(1);
        }
        assertThat(device.events.kicks).hasValue(0);
        Fd kick = eventFd();
        ring.kick(kick, memory);
        serveOne(kick.number());
        device.loop.advanceNanos(INTERVAL_NANOS);
        int schedules = device.loop.schedules();
        device.loop.advanceNanos(3 * INTERVAL_NANOS);
        assertThat(device.loop.schedules()).as("polls no more").isEqualTo(schedules);
        serveOne(kick.number());
    }

    @Test
    void shouldHaveOneTimerHoweverOftenTheKickEventfdComesAndGoes() throws Exception {
        int _ = start();
        int before = device.loop.schedules();
        for (int i = 0; i < 5; i++) {
            ring.kick(null, memory);
            ring.kick(eventFd(), memory);
        }
        ring.kick(null, memory);
        assertThat(device.loop.schedules()).isEqualTo(before + 1);
        device.loop.advanceNanos(INTERVAL_NANOS);
        assertThat(device.loop.schedules()).isEqualTo(before + 2);
        int _ = stop();
        device.loop.advanceNanos(INTERVAL_NANOS);
        assertThat(device.loop.schedules()).as("stopped").isEqualTo(before + 2);
    }

    // ---- calls

    private static long drained(Fd eventFd) {
        return EventFd.drain(eventFd.number());
    }

    @Test
    void shouldCallOnceWhenItStartsAndThenForWhatItHasCompleted() throws Exception {
        Fd call = eventFd();
        ring.call(call);
        int kick = start();
        assertThat(drained(call)).isEqualTo(1);
        serveOne(kick);
        assertThat(drained(call)).isEqualTo(1);
        assertThat(drained(call)).isEqualTo(-Errno.EAGAIN);
    }

    @Test
    void shouldCallThroughANewEventfdAtOnceAndCloseTheOldOne() throws Exception {
        Fd old = eventFd();
        ring.call(old);
        int kick = start();
        Fd call = eventFd();
        ring.call(call);
        assertThat(old.isOpen()).isFalse();
        assertThat(drained(call)).isEqualTo(1);
        ring.call(null);
        assertThat(call.isOpen()).isFalse();
        serveOne(kick);
        long calls = device.events.calls.get();
        Fd late = eventFd();
        ring.call(late);
        assertThat(drained(late)).isEqualTo(1);
        assertThat(device.events.calls.get()).isEqualTo(calls + 1);
        ring.err(eventFd());
        assertThat(drained(late)).as("an err eventfd is no news of the call's").isEqualTo(-Errno.EAGAIN);
        serveOne(kick);
        assertThat(drained(late)).isEqualTo(1);
    }

    @Test
    void shouldNotCallForWantOfAnEventfd() throws Exception {
        int _ = start();
        ring.call(null);
        ring.call(null);
        assertThat(device.events.calls).hasValue(0);
    }

    @Test
    void shouldOweNoCallWhenItStartsAgainWithTheSameEventfd() throws Exception {
        Fd call = eventFd();
        ring.call(call);
        int kick = start();
        serveOne(kick);
        assertThat(drained(call)).isEqualTo(2);
        ring.endStop(ring.beginStop());
        assertThat(ring.state()).isEqualTo(RingState.STOPPED);
        ring.restart(memory);
        assertThat(ring.state()).isEqualTo(RingState.ENABLED);
        assertThat(drained(call)).isEqualTo(-Errno.EAGAIN);
        serveOne(kick);
        assertThat(stop()).isEqualTo(2);
        assertThat(call.isOpen()).isFalse();
        assertThat(open(kick)).isFalse();
    }

    @Test
    void shouldSignalTheErrEventfdThatCameLastWhenItBreaks() throws Exception {
        Fd old = eventFd();
        ring.err(old);
        int kick = start();
        Fd err = eventFd();
        ring.err(err);
        assertThat(old.isOpen()).isFalse();
        assertThat(drained(err)).isEqualTo(-Errno.EAGAIN);
        breakIt(kick);
        assertThat(drained(err)).isEqualTo(1);
        assertThat(device.device.needsReset()).isTrue();
    }

    @Test
    void shouldSignalNobodyWhenItBreaksWithoutAnErrEventfd() throws Exception {
        Fd err = eventFd();
        ring.err(err);
        int kick = start();
        ring.err(null);
        assertThat(err.isOpen()).isFalse();
        breakIt(kick);
    }

    private void breakIt(int kick) {
        device.queue.ring().rawAvailIdx(0x4000);
        device.loop.fire(kick);
        assertThat(snapshot().broken()).isTrue();
    }

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
        ring.restart(memory);
        assertThat(ring.state()).isEqualTo(RingState.STOPPED);
        device.queue.reset();
        ring.kick(eventFd(), memory);
        assertThat(snapshot().broken()).isFalse();
        assertThat(ring.state()).isEqualTo(RingState.ENABLED);
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
        CompletableFuture<Void> looked = stopping.thenAccept(base -> publishedBefore[0] = device.queue.ring().rawUsedIdx());
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
        int rings = 16;
        long before = NativeBytes.used();
        List<Vring> others = new ArrayList<>();
        for (int i = 0; i < rings; i++) {
            Vring other = device.vring(1);
            other.size(InlineDevice.QUEUE_SIZE);
            other.addresses(
                    device.user(device.queue.ring().descOffset()), device.user(device.queue.ring().availOffset()), device.user(device.queue.ring().usedOffset()));
            other.kick(null, memory);
            others.add(other);
        }
        long ringBytes = (NativeBytes.used() - before) / rings;
        others.forEach(Vring::stop);
        assertThat(ringBytes).isGreaterThan(32 << 10);
        before = NativeBytes.used();
        for (int i = 0; i < 10 * rings; i++) {
            assertThatCode(restart).doesNotThrowAnyException();
        }
        assertThat(NativeBytes.used() - before).isLessThan(3L * rings * ringBytes);
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
        assertThat(ring.state()).isEqualTo(RingState.STOPPED);
    }

    @Test
    void shouldForgetEverythingWhenItIsReset() throws Exception {
        Fd call = eventFd();
        ring.call(call);
        ring.err(eventFd());
        ring.base(3);
        int kick = start();
        breakIt(kick);
        int _ = stop();
        ring.reset();
        assertThat(snapshot()).isEqualTo(new VhostUserServer.RingSnapshot(0, RingState.STOPPED, 0, "inline-loop", false));
        assertThat(opened).noneMatch(VringTest::open);
        assertThat(stop()).as("base").isZero();
        assertThat(refusal(() -> ring.kick(null, memory))).contains("before its size");
        ring.size(InlineDevice.QUEUE_SIZE);
        assertThat(refusal(() -> ring.kick(null, memory))).contains("before its addresses");
        setAddresses();
        device.queue.reset();
        Fd again = eventFd();
        ring.call(again);
        ring.kick(eventFd(), memory);
        assertThat(ring.state()).as("enabled before the reset").isEqualTo(RingState.DISABLED);
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
        assertThat(opened).allMatch(VringTest::open);
        assertThat(open(kick)).isTrue();
        assertThatThrownBy(ring::stop).isInstanceOf(RejectedExecutionException.class);
        CompletableFuture<Integer> lost = CompletableFuture.failedFuture(new RejectedExecutionException());
        assertThatThrownBy(() -> ring.endStop(lost)).hasMessage("queue 0 cannot be stopped");
        assertThat(ring.state()).isEqualTo(RingState.STOPPED);
        ring.closeFds();
        assertThat(opened).noneMatch(VringTest::open);
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
        assertThat(ring.state()).isEqualTo(RingState.STOPPED);
        assertThat(device.events.started).hasValue(started);
        assertThat(device.loop.watches(kick.number())).isFalse();
        ring.kick(eventFd(), memory);
        assertThat(kick.isOpen()).isFalse();
        assertThat(ring.state()).isEqualTo(RingState.ENABLED);
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
        assertThat(ring.state()).isEqualTo(RingState.STOPPED);
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
        RingState state = ring.state();
        assertThat(state.to(RingState.ENABLED)).isEqualTo(RingState.ENABLED);
        assertThatThrownBy(() -> state.to(RingState.STOPPED)).isInstanceOf(IllegalStateException.class).hasMessageContaining("STOPPED cannot become STOPPED");
    }
}
