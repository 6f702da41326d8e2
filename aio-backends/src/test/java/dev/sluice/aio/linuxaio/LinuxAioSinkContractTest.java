package dev.sluice.aio.linuxaio;

import dev.sluice.aio.epoll.EpollLoop;
import dev.sluice.aio.sink.CompletionSeam;
import dev.sluice.aio.sink.RawSinkContract;
import dev.sluice.aio.uring.IoUringLoop;
import dev.sluice.aio.uring.IoUringLoopOptions;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.testing.TestsSink;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Nested;

/** What every sink does, from Linux AIO's: on both kinds of loop, on a disk and in memory, with the completion ring and without. */
class LinuxAioSinkContractTest {

    @Nested
    class OnDiskWithEpoll extends Contract {
        OnDiskWithEpoll() {
            super(DISK, AioCalls.KERNEL);
        }
    }

    @Nested
    class OnTmpfsWithEpoll extends Contract {
        OnTmpfsWithEpoll() {
            super(MEMORY, AioCalls.KERNEL);
        }
    }

    @Nested
    class OnDiskWithARingLoop extends Contract {
        OnDiskWithARingLoop() {
            super(DISK, AioCalls.KERNEL);
        }

        @Override
        protected IoLoop openLoop() throws IOException {
            return IoUringLoop.start("contract", IoUringLoopOptions.DEFAULT);
        }
    }

    @Nested
    class OnDiskWhereTheCompletionRingHasAnotherLayout extends Contract {
        OnDiskWhereTheCompletionRingHasAnotherLayout() {
            super(DISK, new AioCalls() {
                @Override
                public boolean mayReadRing(long context) {
                    return false;
                }
            });
        }
    }

    @Nested
    class ThroughThePageCache extends Contract {
        ThroughThePageCache() {
            super(DISK, AioCalls.KERNEL);
        }

        @Override
        protected boolean direct() {
            return false;
        }
    }

    @TestsSink(LinuxAioSink.class)
    abstract static class Contract extends RawSinkContract {
        private final AioCalls calls;

        Contract(Path parent, AioCalls calls) {
            super(parent);
            this.calls = calls;
        }

        @Override
        protected IoLoop openLoop() throws IOException {
            return EpollLoop.start("contract", true);
        }

        @Override
        protected BlockBackend open(BackendOptions options, CompletionSeam seam) throws IOException {
            return LinuxAioBackendProvider.open(options, calls, seam);
        }
    }
}
