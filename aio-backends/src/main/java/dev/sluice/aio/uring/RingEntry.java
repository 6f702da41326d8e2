package dev.sluice.aio.uring;

import dev.sluice.aio.loop.LoopHandle;
import io.netty.channel.IoEvent;
import io.netty.channel.IoRegistration;
import io.netty.channel.uring.IoUringIoEvent;
import io.netty.channel.uring.IoUringIoHandle;
import io.netty.channel.uring.IoUringIoOps;
import org.jspecify.annotations.Nullable;

/**
 * The place of a sink or watch in its loop's ring: its operations go in here, and their completions come back to {@link Completions#collect}
 * while Netty walks the completion queue. The owner's {@link LoopHandle#drain} follows once Netty is done.
 *
 * <p><b>Threading:</b> the loop's thread. <b>Ownership:</b> its owner's. <b>Failure:</b> what a collector throws is logged.
 */
final class RingEntry implements IoUringIoHandle {

    /** Who notes completions. */
    interface Completions {
        /** Notes a completion. Must be quick, must not submit, must not throw. */
        void collect(int result, int flags, byte opcode, short data);
    }

    private final IoUringLoop loop;
    private final LoopHandle owner;
    private final Runnable ringClosed;
    private final Completions completions;
    private @Nullable IoRegistration registration;
    private int inKernel;

    /**
     * An entry that isn't registered yet.
     *
     * @param ringClosed called where the ring is destroyed under the owner
     */
    RingEntry(IoUringLoop loop, LoopHandle owner, Completions completions, Runnable ringClosed) {
        this.loop = loop;
        this.owner = owner;
        this.completions = completions;
        this.ringClosed = ringClosed;
    }

    void register() {
        loop.add(owner);
        try {
            registration = loop.register(this);
        } catch (Throwable refused) {
            loop.remove(owner);
            throw refused;
        }
    }

    /** Lets Netty forget this entry once the kernel holds none of its operations. */
    void unregister() {
        IoRegistration registered = registration;
        if (registered != null) {
            registered.cancel();
        }
    }

    /**
     * Puts an operation into the submission queue; the loop's next enter submits it.
     *
     * @return an id for {@link RingOps#cancel}, or 0 where the kernel takes no more at the moment (it is out of memory or its completion
     *     queue overflows); the operation was not taken and is worth another try later
     */
    long submit(IoUringIoOps operation) {
        IoRegistration registered = registration;
        if (registered == null) {
            throw new IllegalStateException("not registered with a loop");
        }
        long id;
        try {
            // Netty enters the kernel by itself where its queue is full.
            id = registered.submit(operation);
        } catch (RuntimeException refused) {
            loop.failed("submitting to the ring", refused);
            return 0;
        }
        if (id != 0) {
            inKernel++;
            loop.queued();
        }
        return id;
    }

    /** Operations submitted and not ended. */
    int inKernel() {
        return inKernel;
    }

    @Override
    public void handle(IoRegistration from, IoEvent event) {
        try {
            // The event object is Netty's and reused: its fields are copied out before this returns.
            completed((IoUringIoEvent) event);
        } catch (Throwable bug) {
            loop.failed("collecting a completion", bug);
        }
    }

    private void completed(IoUringIoEvent completion) {
        int flags = completion.flags();
        if ((flags & RingOps.CQE_F_MORE) == 0) {
            inKernel--;
        }
        loop.reaped(owner);
        completions.collect(completion.res(), flags, completion.opcode(), (short) completion.userData());
    }

    @Override
    public void unregistered() {
        loop.remove(owner);
    }

    /** The ring is being destroyed. */
    @Override
    public void close() {
        ringClosed.run();
    }
}
