package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.linux.ReceivedFds;
import dev.sluice.linux.UnixSocket;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Many devices, one thread that waits for their front ends, and as many control threads as there may be. */
@Timeout(120)
final class ControlPlaneTest {
    @TempDir
    Path directory;

    private final AtomicInteger made = new AtomicInteger();
    private volatile int allowed = Integer.MAX_VALUE;
    private final List<TestDevice> devices = new ArrayList<>();
    private ControlPlane plane;

    /** Serves one connection at a time, which lasts until {@link #go}. */
    private final class TestDevice implements ControlPlane.Device {
        final UnixSocket listening;
        final String path;
        final Semaphore connected = new Semaphore(0);
        final Semaphore go = new Semaphore(0);
        final AtomicReference<Throwable> refused = new AtomicReference<>();
        final AtomicInteger refusals = new AtomicInteger();
        volatile boolean again = true;
        volatile boolean refuses = true;

        TestDevice(int number) throws IOException {
            path = directory.resolve("s" + number).toString();
            listening = UnixSocket.listenAt(path, 8);
            assertThat(LinuxFile.setNonBlocking(listening.fd().number(), true)).isZero();
        }

        @Override
        public int listeningFd() {
            return listening.fd().number();
        }

        @Override
        public boolean serve() {
            int accepted = listening.accept();
            connected.release();
            go.acquireUninterruptibly();
            if (accepted >= 0) {
                Fd.adopt(accepted).close();
            }
            return again;
        }

        @Override
        public boolean refuse(Throwable why) {
            refused.set(why);
            refusals.incrementAndGet();
            int accepted = refuses ? listening.accept() : -1;
            if (accepted >= 0) {
                Fd.adopt(accepted).close();
            }
            return accepted >= 0;
        }
    }

    @BeforeEach
    void begin() throws IOException {
        plane = new ControlPlane(work -> {
            if (made.getAndIncrement() >= allowed) {
                throw new OutOfMemoryError("made up");
            }
            return Thread.ofPlatform().daemon().name("control-plane-test").unstarted(work);
        });
        plane.begin();
    }

    @AfterEach
    void end() {
        for (TestDevice device : devices) {
            device.go.release(1000);
            boolean _ = plane.take(device);
            device.listening.close();
        }
        plane.end();
    }

    private TestDevice device() throws IOException {
        TestDevice device = new TestDevice(devices.size());
        if (!devices.isEmpty()) {
            plane.admit();
        }
        devices.add(device);
        plane.watch(device);
        return device;
    }

    private static void await(Semaphore what) throws InterruptedException {
        assertThat(what.tryAcquire(60, TimeUnit.SECONDS)).isTrue();
    }

    private static void assertDisconnected(UnixSocket peer) {
        assertThat(peer.receiveTimeout(60_000)).isZero();
        try (NativeBlock word = NativeMemory.allocate(8, 8);
                ReceivedFds none = new ReceivedFds()) {
            assertThat(peer.receive(word.address(), 8, none)).isZero();
        }
    }

    @Test
    void shouldServeEachDeviceWhicheverIsConnectedTo() throws Exception {
        for (int i = 0; i < 40; i++) {
            TestDevice _ = device();
        }
        assertThat(made).as("nobody is connected").hasValue(1);
        for (int round = 0; round < 3; round++) {
            for (TestDevice device : devices) {
                try (UnixSocket _ = UnixSocket.connectTo(device.path)) {
                    await(device.connected);
                }
            }
            devices.forEach(device -> device.go.release());
        }
    }

    @Test
    void shouldLeaveWhoConnectsBehindAnotherWaitingUntilThatHasGone() throws Exception {
        TestDevice device = device();
        try (UnixSocket _ = UnixSocket.connectTo(device.path);
                UnixSocket _ = UnixSocket.connectTo(device.path)) {
            await(device.connected);
            assertThat(device.connected.tryAcquire(100, TimeUnit.MILLISECONDS)).isFalse();
            device.go.release();
            await(device.connected);
        }
    }

    @Test
    void shouldDisconnectWhoCannotBeServedAndServeTheNextTry() throws Exception {
        TestDevice first = device();
        TestDevice second = device();
        allowed = 1;
        try (UnixSocket _ = UnixSocket.connectTo(first.path)) {
            await(first.connected);
            try (UnixSocket refused = UnixSocket.connectTo(second.path)) {
                assertDisconnected(refused);
            }
            assertThat(second.refused.get()).hasMessage("made up");
            allowed = Integer.MAX_VALUE;
            try (UnixSocket _ = UnixSocket.connectTo(second.path)) {
                await(second.connected);
            }
        }
    }

    /** A connection that can neither be served nor accepted leaves the socket readable. */
    @Test
    void shouldPauseWhereNobodyCanBeDisconnected() throws Exception {
        TestDevice first = device();
        TestDevice second = device();
        TestDevice third = device();
        allowed = 1;
        second.refuses = false;
        try (UnixSocket _ = UnixSocket.connectTo(first.path);
                UnixSocket _ = UnixSocket.connectTo(second.path)) {
            await(first.connected);
            Thread.sleep(500);
            // One a second, and a slow machine has no more.
            assertThat(second.refusals.get()).isLessThan(10);
            try (UnixSocket refused = UnixSocket.connectTo(third.path)) {
                assertDisconnected(refused);
            }
            allowed = Integer.MAX_VALUE;
            await(second.connected);
        }
    }

    @Test
    void shouldHandBackAWatchedDeviceAndWaitForABusyOne() throws Exception {
        TestDevice watched = device();
        TestDevice busy = device();
        TestDevice ended = device();
        ended.again = false;
        assertThat(plane.take(watched)).isTrue();
        assertThat(plane.take(watched)).as("once").isFalse();
        try (UnixSocket _ = UnixSocket.connectTo(busy.path);
                UnixSocket _ = UnixSocket.connectTo(ended.path)) {
            await(busy.connected);
            await(ended.connected);
            for (TestDevice device : List.of(busy, ended)) {
                CountDownLatch taken = new CountDownLatch(1);
                AtomicReference<Boolean> result = new AtomicReference<>();
                Thread taking = Thread.ofPlatform().daemon().start(() -> {
                    result.set(plane.take(device));
                    taken.countDown();
                });
                taking.interrupt();
                assertThat(taken.await(100, TimeUnit.MILLISECONDS)).isFalse();
                device.go.release();
                assertThat(taken.await(60, TimeUnit.SECONDS)).isTrue();
                assertThat(result.get()).as("whether its socket is the caller's").isEqualTo(device == busy);
            }
        }
    }

    @Test
    void shouldStartForNoDeviceWithoutAThread() throws Exception {
        allowed = 0;
        ControlPlane refused = new ControlPlane(work -> {
            throw new OutOfMemoryError("made up");
        });
        assertThatThrownBy(refused::begin).isInstanceOf(IOException.class).hasMessageContaining("made up").hasMessageContaining("TasksMax=");
        allowed = made.get() + 100;
        TestDevice first = device();
        try (UnixSocket _ = UnixSocket.connectTo(first.path)) {
            await(first.connected);
            allowed = 0;
            assertThatThrownBy(plane::admit).hasMessageContaining("made up");
            assertThatThrownBy(() -> plane.serveNow(new TestDevice(99))).hasMessageContaining("made up").hasMessageContaining("TasksMax=");
        }
    }
}
