package dev.sluice.virtio.driver;

import dev.sluice.linux.ErrnoException;
import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import dev.sluice.linux.Poll;
import dev.sluice.linux.PollSet;
import java.io.IOException;

/** The kick, call and err eventfds of a queue, non-blocking, and a way to sleep on the call. */
final class QueueEvents implements AutoCloseable {
    private final Fd kick;
    private final Fd call;
    private final Fd err;
    private final PollSet callPoll = new PollSet(1);

    private QueueEvents(Fd kick, Fd call, Fd err) {
        this.kick = kick;
        this.call = call;
        this.err = err;
        int _ = callPoll.add(call.number(), Poll.POLLIN);
    }

    static QueueEvents create() throws IOException {
        Fd kick = eventFd();
        try {
            Fd call = eventFd();
            try {
                return new QueueEvents(kick, call, eventFd());
            } catch (IOException e) {
                call.close();
                throw e;
            }
        } catch (IOException e) {
            kick.close();
            throw e;
        }
    }

    private static Fd eventFd() throws IOException {
        int number = EventFd.create(0, EventFd.EFD_NONBLOCK | EventFd.EFD_CLOEXEC);
        if (number < 0) {
            throw new ErrnoException("eventfd", "of a virtqueue", number, "");
        }
        return Fd.adopt(number);
    }

    int kickFd() {
        return kick.number();
    }

    int callFd() {
        return call.number();
    }

    int errFd() {
        return err.number();
    }

    /** Sleeps until a call or for the time; returns 0 after the time, a negative errno (-EINTR) or 1. */
    int awaitCall(int timeoutMillis) {
        return callPoll.await(timeoutMillis);
    }

    @Override
    public void close() {
        callPoll.close();
        kick.close();
        call.close();
        err.close();
    }
}
