package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.Memfd;
import dev.sluice.virtio.driver.BlkRequest;
import dev.sluice.virtio.layout.VirtioFeatures;
import dev.sluice.virtio.queue.GuestMemory;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A ring from its set-up to its kicks. vhost-user, "Ring states". */
final class VirtqueueTest extends VirtqueueOnThisThread {
    private static final long INTERVAL_NANOS = KickWatch.POLL_INTERVAL_NANOS;

    VirtqueueTest() throws IOException {}

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
            ring.position(base);
            assertThat(stop()).isEqualTo(base);
        }
        for (int base : new int[] {-1, 0x10000}) {
            assertThat(refusal(() -> ring.position(base))).endsWith(Integer.toUnsignedString(base) + " is not an index of a split ring");
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
        Virtqueue sizeless = device.virtqueue(1);
        sizeless.addresses(0x1000, 0x2000, 0x3000);
        assertThat(refusal(() -> sizeless.kick(eventFd(), memory))).isEqualTo("queue 1 is kicked before its size (SET_VRING_NUM)");
        ring.addresses(0x1000, 0x2000, 0x3000);
        assertThat(refusal(() -> ring.kick(eventFd(), memory))).startsWith("queue 0 cannot start: ");
        assertThat(ring.ringState()).isEqualTo(RingState.STOPPED);
        setAddresses();
        ring.kick(eventFd(), memory);
        assertThat(ring.ringState()).isEqualTo(RingState.DISABLED);
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
            assertThat(rule)
                    .startsWith(List.of("SET_VRING_KICK", "SET_VRING_CALL", "SET_VRING_ERR").get(i) + " of queue 0: /memfd:wrong")
                    .contains(" is not an eventfd");
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
        assertThat(refusal(() -> ring.position(0))).isEqualTo("SET_VRING_BASE of queue 0 while it is ENABLED");
        long descriptors = device.user(device.queue.ring().descOffset());
        assertThat(refusal(() -> ring.addresses(descriptors, descriptors, descriptors)))
                .isEqualTo("SET_VRING_ADDR of queue 0: addresses change while it is ENABLED");
        // QEMU repeats them, for its dirty log.
        ring.size(InlineDevice.QUEUE_SIZE);
        setAddresses();
        int base = stop();
        ring.position(base);
        ring.size(32);
    }

    // ---- kicks

    @Test
    void shouldServeFromItsStartOnWhateverWasOfferedBefore() throws Exception {
        assertThat(device.offerFlush()).isTrue();
        int kick = start();
        assertThat(ring.ringState()).isEqualTo(RingState.ENABLED);
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
        assertThat(ring.ringState()).isEqualTo(RingState.DISABLED);
        boolean _ = device.offerFlush();
        device.loop.fire(kick.number());
        assertThat(device.completed()).isZero();
        ring.enable(true);
        assertThat(ring.ringState()).isEqualTo(RingState.ENABLED);
        assertThat(device.completed()).isEqualTo(1);
        ring.enable(false);
        ring.enable(false);
        assertThat(ring.ringState()).isEqualTo(RingState.DISABLED);
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
}
