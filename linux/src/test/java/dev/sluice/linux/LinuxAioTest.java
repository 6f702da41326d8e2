package dev.sluice.linux;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(FdLeakCheck.class)
class LinuxAioTest {
    private static final int PAGE = 4096;

    private final NativeBlock memory = NativeMemory.allocate(4 * PAGE, PAGE);
    private final long iocbs = memory.address();
    private final long pointers = iocbs + 512;
    private final long iovecs = iocbs + 1024;
    private final long events = iocbs + 2048;
    private final long data = iocbs + PAGE;
    private long context;

    @BeforeEach
    void setUp() {
        context = LinuxAio.setup(8);
        assertThat(context).isPositive();
        for (int i = 0; i < 4; i++) {
            NativeMemory.putLong(pointers + 8L * i, iocbs + (long) Iocb.SIZE * i);
        }
    }

    @AfterEach
    void destroy() {
        assertThat(LinuxAio.destroy(context)).isZero();
        memory.close();
    }

    @Test
    void shouldWriteAndReadBackWhenVectored() {
        try (Fd file = Fd.adopt(Memfd.create("aio", Memfd.MFD_CLOEXEC))) {
            NativeMemory.putLong(data, 42);
            Iovec.set(iovecs, 0, data, 512);
            Iocb.setVectored(iocbs, Iocb.IOCB_CMD_PWRITEV, file.number(), iovecs, 1, 1024, 0, 77);
            assertThat(LinuxAio.submit(context, 1, pointers)).isEqualTo(1);
            assertThat(LinuxAio.getEvents(context, 1, 8, events, LinuxAio.WAIT_FOREVER)).isEqualTo(1);
            assertThat(IoEvent.data(events)).isEqualTo(77);
            assertThat(IoEvent.iocb(events)).isEqualTo(iocbs);
            assertThat(IoEvent.result(events)).isEqualTo(512);
            Iovec.set(iovecs, 0, data + 512, 512);
            Iocb.setVectored(iocbs, Iocb.IOCB_CMD_PREADV, file.number(), iovecs, 1, 1024, 0, 78);
            assertThat(LinuxAio.submit(context, 1, pointers)).isEqualTo(1);
            assertThat(LinuxAio.getEvents(context, 1, 8, events, LinuxAio.WAIT_FOREVER)).isEqualTo(1);
            assertThat(NativeMemory.getLong(data + 512)).isEqualTo(42);
        }
    }

    @Test
    void shouldReapFromTheRingAndSignalTheEventFd() {
        try (Fd event = Fd.adopt(EventFd.create(0, EventFd.EFD_CLOEXEC | EventFd.EFD_NONBLOCK));
                Fd file = Fd.adopt(Memfd.create("aio", Memfd.MFD_CLOEXEC))) {
            assertThat(AioRing.isUsable(context)).isTrue();
            assertThat(AioRing.count(context)).isGreaterThanOrEqualTo(8);
            for (int i = 0; i < 3; i++) {
                Iovec.set(iovecs, i, data, 512);
                long iocb = iocbs + (long) Iocb.SIZE * i;
                Iocb.setVectored(iocb, Iocb.IOCB_CMD_PWRITEV, file.number(), Iovec.address(iovecs, i), 1, 0, 0, 100 + i);
                Iocb.setResultFd(iocb, event.number());
            }
            assertThat(LinuxAio.submit(context, 3, pointers)).isEqualTo(3);
            // A memory file completes during the submission.
            assertThat(EventFd.drain(event.number())).isEqualTo(3);
            int head = AioRing.head(context);
            assertThat(Math.floorMod(AioRing.tail(context) - head, AioRing.count(context))).isEqualTo(3);
            for (int i = 0; i < 3; i++) {
                long completion = AioRing.event(context, head);
                assertThat(IoEvent.data(completion)).isEqualTo(100 + i);
                assertThat(IoEvent.result(completion)).isEqualTo(512);
                head = (head + 1) % AioRing.count(context);
            }
            AioRing.advanceHead(context, head);
            assertThat(LinuxAio.getEvents(context, 0, 8, events, LinuxAio.NO_WAIT)).isZero();
        }
    }

    @Test
    void shouldTakeTheFirstOnesOnlyWhenALaterIocbIsBad() {
        try (Fd file = Fd.adopt(Memfd.create("aio", Memfd.MFD_CLOEXEC))) {
            Iovec.set(iovecs, 0, data, 512);
            Iocb.setVectored(iocbs, Iocb.IOCB_CMD_PWRITEV, file.number(), iovecs, 1, 0, 0, 1);
            Iocb.setVectored(iocbs + Iocb.SIZE, (short) 99, file.number(), iovecs, 1, 0, 0, 2);
            assertThat(LinuxAio.submit(context, 2, pointers)).isEqualTo(1);
            assertThat(LinuxAio.submit(context, 1, pointers + 8)).isEqualTo(-Errno.EINVAL);
            assertThat(LinuxAio.getEvents(context, 1, 8, events, LinuxAio.WAIT_FOREVER)).isEqualTo(1);
        }
    }

    @Test
    void shouldReturnAnErrnoWhenTheContextIsNone() {
        assertThat(LinuxAio.submit(8, 1, pointers)).isEqualTo(-Errno.EINVAL);
        assertThat(LinuxAio.destroy(8)).isEqualTo(-Errno.EINVAL);
        assertThat(LinuxAio.setup(0)).isEqualTo(-Errno.EINVAL);
    }
}
