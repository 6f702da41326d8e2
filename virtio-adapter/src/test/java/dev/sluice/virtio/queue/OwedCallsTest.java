package dev.sluice.virtio.queue;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.CapturedLog;
import dev.sluice.linux.Errno;
import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.Memfd;
import dev.sluice.pipeline.testing.ManualLoop;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Calls that the kernel does not take: made again, later and later, until they are withdrawn. */
final class OwedCallsTest {
    private static final long LONG_NANOS = 1_000_000_000L;
    private static final long MILLI = 1_000_000;

    /** After 1, 2, 4, 8 ... milliseconds, at most 128; a call that is made starts that again. */
    @Test
    void shouldTryAgainLaterAndLater() throws IOException {
        SimulatedAio aio = new SimulatedAio();
        try (ManualLoop loop = new ManualLoop();
                CallBatch calls = new CallBatch(loop, aio);
                Fd fd = Fd.adopt(EventFd.create(0, EventFd.EFD_NONBLOCK))) {
            for (int round = 0; round < 2; round++) {
                aio.batches.clear();
                aio.refuse(Integer.MAX_VALUE, Errno.ENOMEM);
                calls.add(fd.number());
                int _ = loop.tickUntilIdle();
                int tries = 1;
                assertThat(aio.batches).hasSize(tries);
                for (long pauseMillis : new long[] {1, 2, 4, 8, 16, 32, 64, 128, 128, 128}) {
                    loop.advanceNanos(pauseMillis * MILLI - 1);
                    int _ = loop.tickUntilIdle();
                    assertThat(aio.batches).as("before " + pauseMillis + " ms").hasSize(tries);
                    loop.advanceNanos(1);
                    int _ = loop.tickUntilIdle();
                    assertThat(aio.batches).as("after " + pauseMillis + " ms").hasSize(++tries);
                }
                aio.refuse(0, 0);
                loop.advanceNanos(128 * MILLI);
                int _ = loop.tickUntilIdle();
                assertThat(EventFd.drain(fd.number())).isEqualTo(1);
            }
        }
    }

    /** Those that fail again have to be tried again, and none of them holds up another. */
    @Test
    void shouldMakeTheOtherCallsWhenOneFailsAgainAndAgain() throws IOException {
        List<Fd> fds = CallBatchTest.eventFds(5);
        SimulatedAio aio = new SimulatedAio();
        aio.refused = fds.get(1).number();
        try (ManualLoop loop = new ManualLoop();
                CallBatch calls = new CallBatch(loop, aio)) {
            aio.refuse(Integer.MAX_VALUE, Errno.EAGAIN);
            fds.forEach(fd -> calls.add(fd.number()));
            // Owed once, however often it was due.
            fds.forEach(fd -> calls.add(fd.number()));
            int _ = loop.tickUntilIdle();
            aio.refuse(0, 0);
            aio.batches.clear();
            loop.advanceNanos(MILLI);
            int _ = loop.tickUntilIdle();
            assertThat(aio.batches).as("one try each").containsExactly(1, 1, 1, 1, 1);
            assertThat(fds).extracting(fd -> EventFd.drain(fd.number())).containsExactly(1L, (long) -Errno.EAGAIN, 1L, 1L, 1L);
            aio.refused = -1;
            loop.advanceNanos(2 * MILLI);
            int _ = loop.tickUntilIdle();
            assertThat(fds).extracting(fd -> EventFd.drain(fd.number()))
                    .containsExactly((long) -Errno.EAGAIN, 1L, (long) -Errno.EAGAIN, (long) -Errno.EAGAIN, (long) -Errno.EAGAIN);
        }
        fds.forEach(Fd::close);
    }

    @Test
    void shouldTryOnceMoreWhatIsOwedWhenItIsClosed() throws IOException {
        List<Fd> fds = CallBatchTest.eventFds(2);
        SimulatedAio aio = new SimulatedAio();
        try (ManualLoop loop = new ManualLoop()) {
            CallBatch calls = new CallBatch(loop, aio);
            aio.refuse(2, Errno.EAGAIN);
            fds.forEach(fd -> calls.add(fd.number()));
            int _ = loop.tickUntilIdle();
            aio.refused = fds.get(1).number();
            calls.close();
            assertThat(EventFd.drain(fds.get(0).number())).isEqualTo(1);
            // The timer finds it closed.
            int before = aio.batches.size();
            loop.advanceNanos(LONG_NANOS);
            int _ = loop.tickUntilIdle();
            assertThat(aio.batches).hasSize(before);
            assertThat(loop.takeFailures()).isEmpty();
        }
        fds.forEach(Fd::close);
    }

    /** As a file that was handed over in place of an eventfd may: that says nothing about AIO. */
    @Test
    void shouldNotTakeAnErrorOfWriteForOneOfAio() throws IOException {
        SimulatedAio none = SimulatedAio.unavailable(Errno.EAGAIN);
        try (CapturedLog log = new CapturedLog();
                ManualLoop loop = new ManualLoop();
                CallBatch calls = new CallBatch(loop, none);
                Fd sealed = Fd.adopt(Memfd.create("sealed", Memfd.MFD_ALLOW_SEALING))) {
            assertThat(Memfd.addSeals(sealed.number(), Memfd.F_SEAL_WRITE | Memfd.F_SEAL_GROW)).isZero();
            calls.add(sealed.number());
            int _ = loop.tickUntilIdle();
            assertThat(log.of(CallBatch.class)).hasSize(2).last().asString().contains("a call to a driver was not taken: EPERM");
            assertThat(none.destroyed).isZero();
            assertThat(calls.withdraw(sealed.number())).isTrue();
        }
    }

    @Test
    void shouldWithdrawAnyOfTheCallsThatAreOwed() throws IOException {
        List<Fd> fds = CallBatchTest.eventFds(32);
        SimulatedAio aio = new SimulatedAio();
        aio.refuse(Integer.MAX_VALUE, Errno.EAGAIN);
        try (ManualLoop loop = new ManualLoop();
                CallBatch calls = new CallBatch(loop, aio)) {
            fds.forEach(fd -> calls.add(fd.number()));
            for (int i : new int[] {31, 0, 15}) {
                assertThat(calls.withdraw(fds.get(i).number())).isTrue();
            }
            aio.refuse(0, 0);
            loop.advanceNanos(MILLI);
            int _ = loop.tickUntilIdle();
            for (int i = 0; i < 32; i++) {
                assertThat(EventFd.drain(fds.get(i).number())).as("eventfd " + i).isEqualTo(i == 31 || i == 0 || i == 15 ? -Errno.EAGAIN : 1);
            }
        }
        fds.forEach(Fd::close);
    }

    /** What is no eventfd is only known from the errno that says so: any other may pass. */
    @Test
    void shouldTryAgainWhatIsNoEventfdWhenThatIsNotWhatFailed() throws IOException {
        SimulatedAio aio = new SimulatedAio();
        aio.refuse(1, Errno.EAGAIN);
        try (ManualLoop loop = new ManualLoop();
                CallBatch calls = new CallBatch(loop, aio);
                Fd zero = Fd.adopt(LinuxFile.open("/dev/zero", LinuxFile.O_RDONLY, 0))) {
            calls.add(zero.number());
            int _ = loop.tickUntilIdle();
            loop.advanceNanos(MILLI);
            int _ = loop.tickUntilIdle();
            assertThat(aio.batches).hasSize(2);
            assertThat(calls.withdraw(zero.number())).isFalse();
        }
    }
}
