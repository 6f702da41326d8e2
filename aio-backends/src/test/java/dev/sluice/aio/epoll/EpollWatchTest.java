package dev.sluice.aio.epoll;

import dev.sluice.aio.loop.WatchContract;
import java.io.IOException;

class EpollWatchTest extends WatchContract {
    EpollWatchTest() throws IOException {
        super(EpollLoop.start("watching", true));
    }
}
