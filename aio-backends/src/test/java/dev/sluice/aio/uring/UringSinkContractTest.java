package dev.sluice.aio.uring;

import dev.sluice.aio.sink.CompletionSeam;
import dev.sluice.aio.sink.RawSinkContract;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.testing.TestsSink;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Nested;

/** What every sink does, from the ring's: on a disk, where requests go through the ring, and on tmpfs, where they do not. */
class UringSinkContractTest {

    @Nested
    class OnDisk extends Contract {
        OnDisk() {
            super(DISK);
        }
    }

    @Nested
    class OnTmpfs extends Contract {
        OnTmpfs() {
            super(MEMORY);
        }
    }

    @Nested
    class ThroughThePageCache extends Contract {
        ThroughThePageCache() {
            super(DISK);
        }

        @Override
        protected boolean direct() {
            return false;
        }
    }

    @TestsSink(UringSink.class)
    abstract static class Contract extends RawSinkContract {
        Contract(Path parent) {
            super(parent);
        }

        @Override
        protected IoLoop openLoop() throws IOException {
            return IoUringLoop.start("contract", IoUringLoopOptions.DEFAULT);
        }

        @Override
        protected BlockBackend open(BackendOptions options, CompletionSeam seam) throws IOException {
            return IoUringBackendProvider.open(options, seam);
        }
    }
}
