package dev.sluice.virtio.queue;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.CapturedLog;
import dev.sluice.linux.Errno;
import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.testing.ManualLoop;
import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Calls, with Linux AIO and without. */
final class CallBatchTest {
    private static final long FULL = 0xFFFF_FFFF_FFFF_FFFEL;
    private static final long LONG_NANOS = 1_000_000_000L;

    enum Way {
        KERNEL,
        SIMULATED,
        WITHOUT_AIO;

        CallBatch open(ManualLoop loop) throws IOException {
            return switch (this) {
                case KERNEL -> new CallBatch(loop);
                case SIMULATED -> new CallBatch(loop, new SimulatedAio());
                case WITHOUT_AIO -> new CallBatch(loop, SimulatedAio.unavailable(Errno.ENOSYS));
            };
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldMakeEveryCallWhenManyComeInOneTick(Way way) throws IOException {
        try (ManualLoop loop = new ManualLoop();
                CallBatch calls = way.open(loop);
                Fd fd = Fd.adopt(EventFd.create(0, EventFd.EFD_NONBLOCK));
                Fd other = Fd.adopt(LinuxFile.open("/dev/zero", LinuxFile.O_RDONLY, 0))) {
            for (int i = 0; i < 1000; i++) {
                calls.add(i % 100 == 50 ? other.number() : fd.number());
            }
            int _ = loop.tickUntilIdle();
            // What is no eventfd fails alone.
            assertThat(EventFd.drain(fd.number())).isEqualTo(990);
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldNotBlockWhenAnEventfdIsFullAndBlocking(Way way) throws IOException {
        try (CapturedLog log = new CapturedLog();
                ManualLoop loop = new ManualLoop();
                CallBatch calls = way.open(loop);
                Fd full = full();
                Fd next = Fd.adopt(EventFd.create(0, EventFd.EFD_NONBLOCK))) {
            for (int i = 0; i < 10; i++) {
                calls.add(full.number());
                calls.add(next.number());
                int _ = loop.tickUntilIdle();
            }
            assertThat(EventFd.drain(next.number())).isEqualTo(10);
            // A call is pending in a full counter: there is nothing to make again.
            assertThat(calls.withdraw(full.number())).isFalse();
            assertThat(log.of(CallBatch.class)).noneMatch(line -> line.contains("not taken"));
        }
    }

    private static Fd full() {
        Fd full = Fd.adopt(EventFd.create(0, 0));
        try (NativeBlock count = NativeMemory.allocate(8, 8)) {
            NativeMemory.putLong(count.address(), FULL);
            assertThat(LinuxFile.write(full.number(), count.address(), 8)).isEqualTo(8);
        }
        return full;
    }

    @ParameterizedTest
    @EnumSource
    void shouldMakeCallsAtOnceWhenFlushed(Way way) throws IOException {
        try (ManualLoop loop = new ManualLoop();
                CallBatch calls = way.open(loop);
                Fd fd = Fd.adopt(EventFd.create(0, EventFd.EFD_NONBLOCK))) {
            calls.add(fd.number());
            assertThat(EventFd.drain(fd.number())).isNegative();
            calls.flush();
            assertThat(EventFd.drain(fd.number())).isEqualTo(1);
            int _ = loop.tickUntilIdle();
            assertThat(EventFd.drain(fd.number())).isNegative();
            for (int tick = 0; tick < 3; tick++) {
                calls.add(fd.number());
                int _ = loop.tickUntilIdle();
                assertThat(EventFd.drain(fd.number())).isEqualTo(1);
            }
            assertThat(calls.withdraw(fd.number())).isFalse();
        }
    }

    @Test
    void shouldEnterTheKernelOnceForTheCallsOfATick() throws IOException {
        SimulatedAio aio = new SimulatedAio();
        List<Fd> fds = eventFds(33);
        try (ManualLoop loop = new ManualLoop();
                CallBatch calls = new CallBatch(loop, aio)) {
            IntStream.range(0, 32).forEach(i -> calls.add(fds.get(i).number()));
            assertThat(aio.batches).isEmpty();
            int _ = loop.tickUntilIdle();
            assertThat(aio.batches).containsExactly(32);
            // One more than a batch has room for: the first ones do not wait for the end of the tick.
            fds.forEach(fd -> calls.add(fd.number()));
            assertThat(aio.batches).containsExactly(32, 32);
            int _ = loop.tickUntilIdle();
            assertThat(aio.batches).containsExactly(32, 32, 1);
            aio.mostTaken = 10;
            IntStream.range(0, 25).forEach(i -> calls.add(fds.get(i).number()));
            int _ = loop.tickUntilIdle();
            assertThat(aio.batches).containsExactly(32, 32, 1, 25, 15, 5);
            assertThat(fds).extracting(fd -> EventFd.drain(fd.number())).startsWith(3L).endsWith(1L).doesNotContain((long) -Errno.EAGAIN);
            // All were taken: the ring of completions was emptied each time.
            assertThat(aio.pending()).isZero();
        }
        fds.forEach(Fd::close);
    }

    @Test
    void shouldDoWithoutAnAioContextThatCannotBeHadOrUsed() throws IOException {
        try (CapturedLog log = new CapturedLog();
                ManualLoop loop = new ManualLoop();
                Fd fd = Fd.adopt(EventFd.create(0, EventFd.EFD_NONBLOCK))) {
            SimulatedAio none = SimulatedAio.unavailable(Errno.EAGAIN);
            try (CallBatch calls = new CallBatch(loop, none)) {
                calls.add(fd.number());
            }
            assertThat(log.of(CallBatch.class)).singleElement().asString().startsWith("WARN: no Linux AIO context for calls (EAGAIN")
                    .contains("/proc/sys/fs/aio-max-nr");
            assertThat(EventFd.drain(fd.number())).isEqualTo(1);
            SimulatedAio strange = new SimulatedAio();
            strange.changeLayout();
            try (CallBatch calls = new CallBatch(loop, strange)) {
                assertThat(strange.destroyed).isOne();
                calls.add(fd.number());
            }
            assertThat(EventFd.drain(fd.number())).isEqualTo(1);
            assertThat(none.batches).isEmpty();
            assertThat(strange.batches).isEmpty();
            assertThat(none.destroyed).isZero();
            assertThat(strange.destroyed).isOne();
            assertThat(log.of(CallBatch.class)).hasSize(1);
        }
    }

    @Test
    void shouldLeaveNothingBehindWhenItIsClosed() throws IOException {
        SimulatedAio aio = new SimulatedAio();
        try (ManualLoop loop = new ManualLoop();
                Fd fd = Fd.adopt(EventFd.create(0, EventFd.EFD_NONBLOCK))) {
            long before = openDescriptors();
            CallBatch calls = new CallBatch(loop, aio);
            assertThat(openDescriptors()).isEqualTo(before + 1);
            calls.add(fd.number());
            calls.close();
            assertThat(EventFd.drain(fd.number())).as("what was added is signalled first").isEqualTo(1);
            assertThat(openDescriptors()).isEqualTo(before);
            assertThat(aio.destroyed).isOne();
            calls.close();
            assertThat(aio.destroyed).isOne();
            calls.add(fd.number());
            int _ = loop.tickUntilIdle();
            assertThat(EventFd.drain(fd.number())).isEqualTo(-Errno.EAGAIN);
            assertThat(aio.batches).containsExactly(1);
        }
    }

    private static long openDescriptors() throws IOException {
        try (var open = Files.list(Path.of("/proc/self/fd"))) {
            return open.filter(CallBatchTest::isNull).count();
        }
    }

    private static boolean isNull(Path descriptor) {
        try {
            return Files.readSymbolicLink(descriptor).equals(Path.of("/dev/null"));
        } catch (IOException closedMeanwhile) {
            return false;
        }
    }

    @Test
    void shouldUseTheKernelsContextAndGiveItBack() throws IOException {
        try (ManualLoop loop = new ManualLoop()) {
            long before = contexts();
            CallBatch calls = new CallBatch(loop);
            assertThat(contexts()).isEqualTo(before + 1);
            calls.close();
            assertThat(contexts()).isEqualTo(before);
        }
    }

    /** AIO contexts of this process: the kernel maps a ring for each. */
    private static long contexts() throws IOException {
        try (var maps = Files.lines(Path.of("/proc/self/maps"))) {
            return maps.filter(line -> line.contains("[aio]")).count();
        }
    }

    // ---- submissions that fail

    static List<Fd> eventFds(int count) {
        List<Fd> made = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            made.add(Fd.adopt(EventFd.create(0, EventFd.EFD_NONBLOCK)));
        }
        return made;
    }

    @ParameterizedTest
    @ValueSource(
            ints = {Errno.EAGAIN, Errno.EINTR, Errno.ENOMEM, Errno.EFAULT, Errno.EBADF, Errno.EINVAL, Errno.EIO, Errno.EPERM, Errno.ENOSYS, 0})
    void shouldMakeEveryCallWhenSubmissionsFail(int errno) throws IOException {
        List<Fd> fds = eventFds(70);
        SimulatedAio aio = new SimulatedAio();
        aio.refuse(500, errno);
        aio.mostTaken = 1;
        boolean unusable = errno == Errno.EPERM || errno == Errno.ENOSYS;
        try (CapturedLog log = new CapturedLog();
                ManualLoop loop = new ManualLoop();
                CallBatch calls = new CallBatch(loop, aio)) {
            fds.forEach(fd -> calls.add(fd.number()));
            int _ = loop.tickUntilIdle();
            for (int i = 0; i < 20; i++) {
                loop.advanceNanos(LONG_NANOS);
                int _ = loop.tickUntilIdle();
            }
            assertThat(fds).allSatisfy(fd -> assertThat(EventFd.drain(fd.number())).isPositive());
            // Made once, they are owed no more.
            loop.advanceNanos(LONG_NANOS);
            int _ = loop.tickUntilIdle();
            assertThat(fds).allSatisfy(fd -> assertThat(EventFd.drain(fd.number())).isEqualTo(-Errno.EAGAIN));
            assertThat(aio.destroyed).isEqualTo(unusable ? 1 : 0);
            if (unusable) {
                assertThat(aio.batches).as("tried once").hasSize(1);
                assertThat(log.of(CallBatch.class)).hasSize(2).last().asString().startsWith("WARN: manual-loop: calls do without Linux AIO: io_submit: ");
            } else {
                assertThat(log.of(CallBatch.class)).hasSizeBetween(1, 19)
                        .first().asString().contains("a call to a driver was not taken: " + Errno.describe(-errno));
            }
        }
        assertThat(aio.destroyed).isOne();
        fds.forEach(Fd::close);
    }

    @Test
    void shouldNotBlockNorSpinWhenNothingIsTakenAndTheEventfdIsFullAndBlocking() throws IOException {
        SimulatedAio aio = new SimulatedAio();
        aio.refuse(Integer.MAX_VALUE, Errno.EAGAIN);
        try (ManualLoop loop = new ManualLoop();
                CallBatch calls = new CallBatch(loop, aio);
                Fd full = full();
                Fd next = Fd.adopt(EventFd.create(0, EventFd.EFD_NONBLOCK))) {
            for (int i = 0; i < 1000; i++) {
                calls.add(full.number());
                calls.add(next.number());
                loop.advanceNanos(1_000_000);
                int _ = loop.tickUntilIdle();
            }
            // Two for each tick, and those of a timer that comes ever later.
            assertThat(aio.batches).hasSizeLessThan(2 * 1000 + 100);
            aio.refuse(0, 0);
            loop.advanceNanos(LONG_NANOS);
            int _ = loop.tickUntilIdle();
            assertThat(EventFd.drain(next.number())).isEqualTo(1);
        }
    }

    @Test
    void shouldSayThatACallWasNotMadeWhenItIsWithdrawn() throws IOException {
        List<Fd> fds = eventFds(3);
        SimulatedAio aio = new SimulatedAio();
        aio.refuse(Integer.MAX_VALUE, Errno.EAGAIN);
        try (ManualLoop loop = new ManualLoop();
                CallBatch calls = new CallBatch(loop, aio)) {
            IntStream.range(0, 3).forEach(i -> calls.add(fds.get(i).number()));
            assertThat(calls.withdraw(fds.get(1).number())).isTrue();
            assertThat(calls.withdraw(fds.get(1).number())).isFalse();
            aio.refuse(0, 0);
            loop.advanceNanos(LONG_NANOS);
            int _ = loop.tickUntilIdle();
            assertThat(EventFd.drain(fds.get(0).number())).isEqualTo(1);
            assertThat(EventFd.drain(fds.get(1).number())).isNegative();
            assertThat(EventFd.drain(fds.get(2).number())).isEqualTo(1);
            calls.add(fds.get(1).number());
            assertThat(calls.withdraw(fds.get(1).number())).isFalse();
            assertThat(EventFd.drain(fds.get(1).number())).isEqualTo(1);
        }
        fds.forEach(Fd::close);
    }

    @ParameterizedTest
    @EnumSource
    void shouldForgetACallOfWhatIsNoEventfd(Way way) throws IOException {
        try (CapturedLog log = new CapturedLog();
                ManualLoop loop = new ManualLoop();
                CallBatch calls = way.open(loop);
                Fd zero = Fd.adopt(LinuxFile.open("/dev/zero", LinuxFile.O_RDONLY, 0))) {
            calls.add(zero.number());
            int _ = loop.tickUntilIdle();
            assertThat(calls.withdraw(zero.number())).isFalse();
            assertThat(log.of(CallBatch.class)).last().asString().contains("manual-loop: a call to a driver was not taken: ");
        }
    }

    @Test
    void shouldAskForTheEndOfATickOnce() throws IOException {
        int[] hooks = {0};
        try (ManualLoop loop = new ManualLoop();
                Fd fd = Fd.adopt(EventFd.create(0, EventFd.EFD_NONBLOCK))) {
            IoLoop counting = (IoLoop) Proxy.newProxyInstance(IoLoop.class.getClassLoader(), new Class<?>[] {IoLoop.class}, (proxy, method, arguments) -> {
                hooks[0] += method.getName().equals("atTickEnd") ? 1 : 0;
                return method.invoke(loop, arguments);
            });
            try (CallBatch calls = new CallBatch(counting, new SimulatedAio())) {
                for (int tick = 1; tick < 4; tick++) {
                    calls.add(fd.number());
                    calls.add(fd.number());
                    int _ = loop.tickUntilIdle();
                    assertThat(hooks[0]).isEqualTo(tick);
                }
            }
        }
    }
}
