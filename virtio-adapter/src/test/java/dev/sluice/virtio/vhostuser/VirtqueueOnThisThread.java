package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.virtio.driver.DriverRing;
import dev.sluice.virtio.layout.VirtioFeatures;
import dev.sluice.virtio.queue.GuestMemory;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** A ring on a loop that is the test's thread; all descriptors that it was given have to be closed in the end. */
abstract class VirtqueueOnThisThread {
    final InlineDevice device = new InlineDevice(VirtioFeatures.VERSION_1);
    final GuestMemory memory = device.memory();
    final Virtqueue ring = device.virtqueue(0);
    final List<Integer> opened = new ArrayList<>();

    VirtqueueOnThisThread() throws IOException {}

    @BeforeEach
    void accept() {
        device.device.accept(VirtioFeatures.VERSION_1);
    }

    @AfterEach
    void stopAndClose() {
        if (ring.ringState().started()) {
            int _ = stop();
        }
        ring.closeFds();
        assertThat(opened).allSatisfy(number -> assertThat(open(number)).as("descriptor %d", number).isFalse());
        assertThat(device.loop.failures()).isEmpty();
        device.close();
    }

    Fd eventFd() {
        Fd made = InlineDevice.eventFd();
        opened.add(made.number());
        return made;
    }

    static boolean open(int number) {
        return LinuxFile.flags(number) >= 0;
    }

    static String refusal(ThrowingCallable call) {
        ProtocolViolation refused = catchThrowableOfType(ProtocolViolation.class, call);
        assertThat(refused).isNotNull();
        assertThat(refused.isFatal()).isFalse();
        return refused.rule();
    }

    void setAddresses() throws ProtocolViolation {
        setAddresses(ring);
    }

    void setAddresses(Virtqueue of) throws ProtocolViolation {
        DriverRing driver = device.queue.ring();
        of.addresses(device.user(driver.descOffset()), device.user(driver.availOffset()), device.user(driver.usedOffset()));
    }

    void setUp() throws ProtocolViolation {
        ring.size(InlineDevice.QUEUE_SIZE);
        setAddresses();
        // Without EVENT_IDX that is a flag, and stays.
        boolean _ = device.queue.armCall(1);
    }

    /** Returns the number of the kick eventfd. */
    int start() throws ProtocolViolation {
        setUp();
        ring.enable(true);
        Fd kick = eventFd();
        ring.kick(kick, memory);
        return kick.number();
    }

    void serveOne(int kick) {
        assertThat(device.offerFlush()).as("the device wants to be kicked").isTrue();
        assertThat(device.completed()).isZero();
        device.loop.fire(kick);
        assertThat(device.completed()).isEqualTo(1);
    }

    /** A stop that waits would wait for this thread. */
    int stop() {
        CompletableFuture<Integer> stopping = ring.beginStop();
        assertThat(stopping).isDone();
        ring.endStop(stopping);
        return ring.stop().position();
    }

    VhostUserServer.RingSnapshot snapshot() {
        return ring.snapshot().get();
    }

    static long drained(Fd eventFd) {
        return EventFd.drain(eventFd.number());
    }

    void breakIt(int kick) {
        device.queue.splitRing().rawAvailIdx(0x4000);
        device.loop.fire(kick);
        assertThat(snapshot().broken()).isTrue();
    }
}
