package dev.sluice.virtio.queue;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxAio;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.testing.ManualLoop;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Calls, with Linux AIO and without. */
final class CallBatchTest {
    private static final long FULL = 0xFFFF_FFFF_FFFF_FFFEL;

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void shouldMakeEveryCallWhenManyComeInOneTick(boolean aio) throws IOException {
        try (ManualLoop loop = new ManualLoop();
                CallBatch calls = new CallBatch(loop, aio, LinuxAio::submit);
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
    @ValueSource(booleans = {true, false})
    void shouldNotBlockWhenAnEventfdIsFullAndBlocking(boolean aio) throws IOException {
        try (ManualLoop loop = new ManualLoop();
                CallBatch calls = new CallBatch(loop, aio, LinuxAio::submit);
                Fd full = Fd.adopt(EventFd.create(0, 0));
                Fd next = Fd.adopt(EventFd.create(0, EventFd.EFD_NONBLOCK));
                NativeBlock count = NativeMemory.allocate(8, 8)) {
            NativeMemory.putLong(count.address(), FULL);
            assertThat(LinuxFile.write(full.number(), count.address(), 8)).isEqualTo(8);
            for (int i = 0; i < 10; i++) {
                calls.add(full.number());
                calls.add(next.number());
                int _ = loop.tickUntilIdle();
            }
            assertThat(EventFd.drain(next.number())).isEqualTo(10);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void shouldMakeCallsAtOnceWhenFlushed(boolean aio) throws IOException {
        try (ManualLoop loop = new ManualLoop();
                CallBatch calls = new CallBatch(loop, aio, LinuxAio::submit);
                Fd fd = Fd.adopt(EventFd.create(0, EventFd.EFD_NONBLOCK))) {
            calls.add(fd.number());
            assertThat(EventFd.drain(fd.number())).isNegative();
            calls.flush();
            assertThat(EventFd.drain(fd.number())).isEqualTo(1);
            int _ = loop.tickUntilIdle();
            assertThat(EventFd.drain(fd.number())).isNegative();
        }
    }

    // ---- submissions that fail

    private static final long LONG_NANOS = 1_000_000_000L;

    /** io_submit(2) that refuses the first calls of it, then takes them one by one. */
    private static CallBatch.Submission refusing(int refusals, int errno) {
        int[] left = {refusals};
        return (context, count, addresses) -> left[0]-- > 0 ? -errno : LinuxAio.submit(context, 1, addresses);
    }

    private static List<Fd> eventFds(int count) {
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
        try (ManualLoop loop = new ManualLoop();
                CallBatch calls = new CallBatch(loop, true, refusing(500, errno))) {
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
        }
        fds.forEach(Fd::close);
    }

    @Test
    void shouldNotBlockNorSpinWhenNothingIsTakenAndTheEventfdIsFullAndBlocking() throws IOException {
        boolean[] broken = {true};
        int[] tries = {0};
        try (ManualLoop loop = new ManualLoop();
                CallBatch calls = new CallBatch(loop, true, (context, count, addresses) -> {
                    tries[0]++;
                    return broken[0] ? -Errno.EAGAIN : LinuxAio.submit(context, count, addresses);
                });
                Fd full = Fd.adopt(EventFd.create(0, 0));
                Fd next = Fd.adopt(EventFd.create(0, EventFd.EFD_NONBLOCK));
                NativeBlock count = NativeMemory.allocate(8, 8)) {
            NativeMemory.putLong(count.address(), FULL);
            assertThat(LinuxFile.write(full.number(), count.address(), 8)).isEqualTo(8);
            for (int i = 0; i < 1000; i++) {
                calls.add(full.number());
                calls.add(next.number());
                loop.advanceNanos(1_000_000);
                int _ = loop.tickUntilIdle();
            }
            // Two for each tick, and those of a timer that comes ever later.
            assertThat(tries[0]).isLessThan(2 * 1000 + 100);
            broken[0] = false;
            loop.advanceNanos(LONG_NANOS);
            int _ = loop.tickUntilIdle();
            assertThat(EventFd.drain(next.number())).isEqualTo(1);
        }
    }

    @Test
    void shouldSayThatACallWasNotMadeWhenItIsWithdrawn() throws IOException {
        List<Fd> fds = eventFds(3);
        int[] errno = {-Errno.EAGAIN};
        try (ManualLoop loop = new ManualLoop();
                CallBatch calls = new CallBatch(
                        loop, true, (context, count, addresses) -> errno[0] != 0 ? errno[0] : LinuxAio.submit(context, count, addresses))) {
            IntStream.range(0, 3).forEach(i -> calls.add(fds.get(i).number()));
            assertThat(calls.withdraw(fds.get(1).number())).isTrue();
            assertThat(calls.withdraw(fds.get(1).number())).isFalse();
            errno[0] = 0;
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

    @Test
    void shouldForgetACallOfWhatIsNoEventfd() throws IOException {
        try (ManualLoop loop = new ManualLoop();
                CallBatch calls = new CallBatch(loop);
                Fd zero = Fd.adopt(LinuxFile.open("/dev/zero", LinuxFile.O_RDONLY, 0))) {
            calls.add(zero.number());
            int _ = loop.tickUntilIdle();
            assertThat(calls.withdraw(zero.number())).isFalse();
        }
    }
}
