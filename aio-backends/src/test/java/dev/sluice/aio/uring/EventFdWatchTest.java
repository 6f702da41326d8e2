package dev.sluice.aio.uring;

import dev.sluice.aio.loop.WatchContract;
import java.io.IOException;

class EventFdWatchTest extends WatchContract {
    EventFdWatchTest() throws IOException {
        super(IoUringLoop.start("watching", IoUringLoopOptions.DEFAULT.withDaemon(true)));
    }
}
