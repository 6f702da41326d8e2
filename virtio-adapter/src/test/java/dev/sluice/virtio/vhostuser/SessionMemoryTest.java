package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.Memfd;
import dev.sluice.virtio.driver.BlkRequest;
import dev.sluice.virtio.layout.VhostUser;
import java.io.IOException;
import java.util.concurrent.RejectedExecutionException;
import org.junit.jupiter.api.Test;

/** Memory that changes under rings that run, and rings that cannot be stopped for it. */
final class SessionMemoryTest extends SessionOnThisThread {
    SessionMemoryTest() throws IOException {}

    @Test
    void shouldRestartRunningRingsInNewMemory() throws Exception {
        startAll();
        assertThat(serveOne()).isEqualTo(1);
        assertThat(mappings()).isEqualTo(2);
        shareMemory();
        assertThat(mappings()).as("the driver's and the new one").isEqualTo(2);
        assertThat(device.events.started).hasValue(2);
        assertThat(device.events.stopped).hasValue(1);
        assertThat(states()).containsExactly(RingState.ENABLED, RingState.STOPPED);
        assertThat(serveOne()).isEqualTo(1);
    }

    @Test
    void shouldEndTheConnectionWhenARunningRingIsNotInNewMemory() throws Exception {
        startAll();
        assertThat(violation(VhostUser.SET_MEM_TABLE, ACKED, table(0x1000), device.region.fd()))
                .startsWith("fatal: memory changed under a running ring: queue 0 cannot start: ");
    }

    @Test
    void shouldAddMemoryUnderRunningRingsAndRemoveItAgain() throws Exception {
        startAll();
        try (Fd more = Fd.adopt(Memfd.create("more", Memfd.MFD_CLOEXEC))) {
            assertThat(LinuxFile.ftruncate(more.number(), 8192)).isZero();
            assertThat(acknowledged(VhostUser.ADD_MEM_REG, longs(0, 1L << 50, 4096, 1L << 51, 4096), more.number())).isZero();
            assertThat(device.events.stopped).as("rings run on").hasValue(0);
            assertThat(mappings()).isEqualTo(3);
            assertThat(acknowledged(VhostUser.ADD_MEM_REG, longs(0, 1L << 50, 4096, 1L << 51, 4096), more.number())).as("overlap").isEqualTo(1);
            assertThat(device.queue.submit(BlkRequest.T_OUT, 0, 1L << 50, 512)).isNotNegative();
            boolean _ = device.queue.publish();
            device.loop.fireAll();
            assertThat(device.completed()).isEqualTo(1);
            assertThat(acknowledged(VhostUser.REM_MEM_REG, longs(0, 1L << 50, 4096, 1L << 51, 0))).isZero();
            assertThat(mappings()).isEqualTo(2);
            assertThat(acknowledged(VhostUser.REM_MEM_REG, longs(0, 1L << 50, 4096, 1L << 51, 0))).isEqualTo(1);
        }
        assertThat(serveOne()).isEqualTo(1);
    }

    @Test
    void shouldKeepOldAndNewMemoryMappedWhenARingCannotBeStopped() throws Exception {
        startAll();
        device.loop.failNextUnwatch(new IllegalStateException("simulated"));
        assertThatThrownBy(() -> shareMemory()).isInstanceOf(IllegalStateException.class).hasMessage("queue 0 cannot be stopped");
        assertThat(mappings()).as("the driver's, the old one and the new one").isEqualTo(3);
        closed = true;
        session.close();
        assertThat(mappings()).isEqualTo(1);
    }

    @Test
    void shouldStopEveryRingAlsoWhenOneFails() throws Exception {
        startAll();
        kick(1);
        assertThat(states()).containsExactly(RingState.ENABLED, RingState.ENABLED);
        device.loop.failNextUnwatch(new IllegalStateException("simulated"));
        assertThatThrownBy(() -> tell(VhostUser.SET_OWNER, longs())).isInstanceOf(IllegalStateException.class).hasMessage("queue 0 cannot be stopped");
        assertThat(states()).containsExactly(RingState.STOPPED, RingState.STOPPED);
        assertThat(device.events.stopped).hasValue(2);
    }

    @Test
    void shouldNameTheFirstRingThatCannotBeStoppedWhenTheLoopHasEnded() throws Exception {
        startAll();
        kick(1);
        device.pipeline.close();
        device.loop.close();
        closed = true;
        assertThatThrownBy(session::close).hasMessage("queue 0 cannot be stopped").hasCauseInstanceOf(RejectedExecutionException.class);
        assertThat(states()).containsExactly(RingState.STOPPED, RingState.STOPPED);
    }
}
