package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.testing.Patience;
import dev.sluice.virtio.driver.DriverMemory;
import dev.sluice.virtio.driver.MemoryRegion;
import dev.sluice.virtio.driver.VhostUserFrontend;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a connection had is freed where a loop fails in the midst of a change. */
final class LoopFailureTest {
    @TempDir
    Path directory;

    /** What the loop does before the watch of that number is made, or closed; it may throw. */
    private interface Fault {
        void at(String what, int number);
    }

    private static IoLoop failing(IoLoop loop, Fault fault) {
        AtomicInteger watches = new AtomicInteger();
        return proxy(IoLoop.class, loop, (method, made) -> {
            if (!method.equals("onReadable")) {
                return made;
            }
            int number = watches.incrementAndGet();
            return proxy(IoLoop.Watch.class, (IoLoop.Watch) made, (closed, nothing) -> {
                fault.at("closed", number);
                return nothing;
            });
        }, () -> fault.at("made", watches.get() + 1));
    }

    private interface After {
        Object call(String method, Object result);
    }

    private static <T> T proxy(Class<T> type, T target, After after) {
        return proxy(type, target, after, () -> {});
    }

    private static <T> T proxy(Class<T> type, T target, After after, Runnable beforeWatch) {
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, (proxy, method, arguments) -> {
            if (method.getName().equals("onReadable")) {
                beforeWatch.run();
            }
            try {
                return after.call(method.getName(), method.invoke(target, arguments));
            } catch (InvocationTargetException failed) {
                throw failed.getCause();
            }
        }));
    }

    private static long descriptors() throws IOException {
        try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
            return open.count();
        }
    }

    private static long mappings() throws IOException {
        try (Stream<String> lines = Files.lines(Path.of("/proc/self/maps"))) {
            return lines.filter(line -> line.contains("memfd:sluice-driver")).count();
        }
    }

    private interface Act {
        void on(RawFrontEnd front) throws IOException;
    }

    /** Runs a front end whose last message makes its loop fail, and a good one after it; both leave nothing behind. */
    private void shouldLeaveNothingBehind(Fault fault, Act act) throws Exception {
        try (ServerFixture fixture = ServerFixture.start(1)) {
            Path path = directory.resolve("s");
            AtomicInteger armed = new AtomicInteger();
            IoLoop loop = failing(fixture.loops.getFirst(), (what, number) -> {
                if (armed.get() != 0) {
                    fault.at(what, number);
                }
            });
            try (VhostUserServer server = VhostUserServer.builder().socketPath(path).pipeline(fixture.pipeline).loops(List.of(loop)).build()) {
                server.start();
                serveOne(server, path, front -> {});
                long descriptors = descriptors();
                long mappings = mappings();
                armed.set(1);
                serveOne(server, path, act);
                armed.set(0);
                serveOne(server, path, front -> {});
                assertThat(descriptors()).isLessThanOrEqualTo(descriptors);
                assertThat(mappings()).isLessThanOrEqualTo(mappings);
            }
        }
    }

    private static void serveOne(VhostUserServer server, Path path, Act act) throws IOException {
        try (RawFrontEnd front = new RawFrontEnd(VhostUserFrontend.connect(path.toString(), Duration.ofSeconds(Patience.seconds(20))), RawFrontEnd.FEATURES)) {
            front.negotiate(RawFrontEnd.FEATURES, RawFrontEnd.PROTOCOL_FEATURES);
            front.shareMemory();
            front.setUpRing();
            front.frontend.setVringKick(0, front.queue.kickFd());
            front.frontend.setVringEnable(0, true);
            assertThat(front.reads()).isTrue();
            act.on(front);
        }
        ServerFixture.await("disconnect", () -> !server.state().connected());
    }

    private static void failsAndHangsUp(RawFrontEnd front, Act act) {
        assertThatThrownBy(() -> act.on(front)).isInstanceOf(IOException.class);
        ServerFixture.await("the end of the connection", front.frontend.connection()::hungUp);
    }

    @Test
    void shouldCloseANewKickDescriptorThatTheLoopDoesNotTake() throws Exception {
        shouldLeaveNothingBehind(
                (what, number) -> {
                    if (what.equals("made") && number == 3) {
                        throw new OutOfMemoryError("simulated");
                    }
                },
                front -> failsAndHangsUp(front, again -> again.frontend.setVringKick(0, again.queue.kickFd())));
    }

    @Test
    void shouldUnmapNewMemoryWhenARingCannotBeStopped() throws Exception {
        shouldLeaveNothingBehind(
                (what, number) -> {
                    if (what.equals("closed") && number == 2) {
                        throw new IllegalStateException("simulated");
                    }
                },
                front -> failsAndHangsUp(front, again -> {
                    try (DriverMemory more = new DriverMemory(1 << 16)) {
                        MemoryRegion region = more.addRegion(1L << 40, 1 << 16);
                        again.frontend.setMemTable(again.region, region);
                    }
                }));
    }
}
