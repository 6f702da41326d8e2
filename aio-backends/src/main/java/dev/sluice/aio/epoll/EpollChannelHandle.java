package dev.sluice.aio.epoll;

import dev.sluice.aio.netty.ChannelHandle;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.unix.FileDescriptor;

/** A channel on an epoll loop. <b>Threading</b>, <b>Ownership:</b> as {@link ChannelHandle} says. */
final class EpollChannelHandle extends ChannelHandle implements EpollIoHandle {
    private final FileDescriptor fd;

    EpollChannelHandle(EpollLoop loop, EpollIoHandle channel) {
        super(loop, channel);
        this.fd = channel.fd();
    }

    @Override
    public FileDescriptor fd() {
        return fd;
    }
}
