package dev.sluice.aio.epoll;

import dev.sluice.aio.linuxaio.LinuxAioBackendProvider;
import dev.sluice.aio.netty.ChannelLoopContract;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.IoLoop;
import java.io.IOException;

class EpollChannelLoopTest extends ChannelLoopContract {
    @Override
    protected IoLoop start(String name) throws IOException {
        return EpollLoop.start(name, true);
    }

    @Override
    protected BlockBackend open(BackendOptions options) throws IOException {
        return new LinuxAioBackendProvider().open(options);
    }

    @Override
    protected int entersPerBatch() {
        return 2;
    }
}
