package dev.sluice.aio.uring;

import dev.sluice.aio.netty.ChannelLoopContract;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.IoLoop;
import java.io.IOException;

class IoUringChannelLoopTest extends ChannelLoopContract {
    @Override
    protected IoLoop start(String name) throws IOException {
        return IoUringLoop.start(name, IoUringLoopOptions.DEFAULT.withDaemon(true));
    }

    @Override
    protected BlockBackend open(BackendOptions options) throws IOException {
        return new IoUringBackendProvider().open(options);
    }

    @Override
    protected int entersPerBatch() {
        return 1;
    }
}
