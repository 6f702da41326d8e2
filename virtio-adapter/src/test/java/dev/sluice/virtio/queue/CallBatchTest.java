package dev.sluice.virtio.queue;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.testing.ManualLoop;
import java.io.IOException;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Calls, with Linux AIO and without. */
final class CallBatchTest {
    private static final long FULL = 0xFFFF_FFFF_FFFF_FFFEL;

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void shouldMakeEveryCallWhenManyComeInOneTick(boolean aio) throws IOException {
        try (ManualLoop loop = new ManualLoop();
                CallBatch calls = new CallBatch(loop, aio);
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
                CallBatch calls = new CallBatch(loop, aio);
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
                CallBatch calls = new CallBatch(loop, aio);
                Fd fd = Fd.adopt(EventFd.create(0, EventFd.EFD_NONBLOCK))) {
            calls.add(fd.number());
            assertThat(EventFd.drain(fd.number())).isNegative();
            calls.flush();
            assertThat(EventFd.drain(fd.number())).isEqualTo(1);
            int _ = loop.tickUntilIdle();
            assertThat(EventFd.drain(fd.number())).isNegative();
        }
    }
}
