package dev.sluice.aio.mapped;

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
import org.junit.jupiter.api.Nested;

/** What every sink does, from the one that copies: on both kinds of loop. */
class MappedSinkContractTest {

    @Nested
    class OnARingLoop extends Contract {
        @Override
        protected IoLoop openLoop() throws IOException {
            return IoUringLoop.start("contract", IoUringLoopOptions.DEFAULT);
        }
    }

    @Nested
    class OnAnEpollLoop extends Contract {
        @Override
        protected IoLoop openLoop() throws IOException {
            return EpollLoop.start("contract", true);
        }
    }

    @TestsSink(MappedSink.class)
    abstract static class Contract extends RawSinkContract {
        Contract() {
            super(MEMORY);
        }

        @Override
        protected boolean direct() {
            return false;
        }

        @Override
        protected BlockBackend open(BackendOptions options, CompletionSeam seam) throws IOException {
            return MappedBackendProvider.open(options, seam);
        }
    }
}
