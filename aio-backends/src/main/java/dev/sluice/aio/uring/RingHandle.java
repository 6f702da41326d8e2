package dev.sluice.aio.uring;

import io.netty.channel.IoEvent;
import io.netty.channel.IoRegistration;
import io.netty.channel.uring.IoUringIoEvent;
import io.netty.channel.uring.IoUringIoHandle;
import io.netty.channel.uring.IoUringIoOps;
import org.jspecify.annotations.Nullable;

/**
 * Something that owns entries of a loop's ring: a sink or a watch.
 *
 * <p>Completions are handled in two steps. While Netty walks the completion queue, {@link #collect} only notes them; once it has
 * returned, the loop calls {@link #drain}, which acts on them. So an action never submits from inside Netty, which would cost an extra
 * io_uring_enter, and never throws into it, which Netty answers with a sleep of 100 ms.
 *
 * <p><b>Threading:</b> the loop's thread. <b>Failure:</b> what {@link #drain} throws the loop logs.
 */
abstract class RingHandle {
    final IoUringLoop loop;

    /** True from the first completion collected in a tick to the loop's call of drain. */
    boolean awaitsDrain;

    private @Nullable IoRegistration registration;
    private int inKernel;

    RingHandle(IoUringLoop loop) {
        this.loop = loop;
    }

    /** Notes a completion. Must be quick, must not submit, must not throw. */
    abstract void collect(int result, int flags, byte opcode, short data);

    /** Acts on what was collected. */
    abstract void drain();

    /** The loop is ending: stop what never ends by itself and take nothing new. */
    abstract void loopEnding();

    /** True while the loop must not end yet. */
    abstract boolean busy();

    final void register() {
        registration = loop.register(this, new Entry(this));
    }

    /** Lets Netty forget this handle once the kernel holds none of its operations. */
    final void unregister() {
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
    final long submit(IoUringIoOps operation) {
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
            loop.submissionAdded();
        }
        return id;
    }

    /** Operations submitted and not ended. */
    final int inKernel() {
        return inKernel;
    }

    private void completed(IoUringIoEvent completion) {
        int flags = completion.flags();
        if ((flags & RingOps.CQE_F_MORE) == 0) {
            inKernel--;
        }
        loop.completionSeen(this);
        collect(completion.res(), flags, completion.opcode(), (short) completion.userData());
    }

    /** What Netty sees: its close must not be that of a sink or a watch. */
    private record Entry(RingHandle handle) implements IoUringIoHandle {
        @Override
        public void handle(IoRegistration from, IoEvent event) {
            try {
                // The event object is Netty's and reused: its fields are copied out before this returns.
                handle.completed((IoUringIoEvent) event);
            } catch (Throwable bug) {
                handle.loop.failed("collecting a completion", bug);
            }
        }

        @Override
        public void unregistered() {
            handle.loop.forget(handle);
        }

        /** The ring is being destroyed. */
        @Override
        public void close() {
            handle.loopEnding();
        }
    }
}
