package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import dev.sluice.linux.Fd;
import java.io.IOException;
import org.junit.jupiter.api.Test;

/** When a ring calls its driver, and through what. */
final class VirtqueueCallTest extends VirtqueueOnThisThread {
    VirtqueueCallTest() throws IOException {}

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
        assertThat(ring.ringState()).isEqualTo(RingState.STOPPED);
        ring.start(ring.state(), memory);
        assertThat(ring.ringState()).isEqualTo(RingState.ENABLED);
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
}
