package dev.sluice.pipeline;

import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The requests of one queue that its stages have: those without an outcome, and those that the drain limit has failed and whose stage has not signalled since.
 *
 * <p>While there are any it looks once a second for requests that nobody can decide any more: where an operator of a stage throws an error of the JVM on a
 * thread of its own, Reactor drops the signal, and with it the last reference to the request. The garbage collector finds that.
 *
 * <p><b>Threading:</b> the loop. <b>Allocation:</b> none per request; a timer a second while stages have requests.
 */
final class StageHolds {
    private static final long LOOK_INTERVAL_NANOS = 1_000_000_000L;

    private final IoLoop loop;
    private final ReferenceQueue<StagedRequest> lost = new ReferenceQueue<>();
    private final Runnable look = this::look;
    private boolean looking;

    private @Nullable StageCall first;
    private int unreleased;
    private @Nullable Runnable whenReleased;

    StageHolds(IoLoop loop) {
        this.loop = loop;
    }

    ReferenceQueue<StagedRequest> lost() {
        return lost;
    }

    void add(StageCall call) {
        StageCall second = first;
        call.nextHeld = second;
        if (second != null) {
            second.previousHeld = call;
        }
        first = call;
        if (!looking) {
            looking = true;
            loop.schedule(look, LOOK_INTERVAL_NANOS);
        }
    }

    /** Without effect on one that is not in the list: after the drain limit its stage and its sink end it, in either order. */
    void remove(StageCall call) {
        StageCall previous = call.previousHeld;
        StageCall next = call.nextHeld;
        if (previous == null && first != call) {
            return;
        }
        if (previous != null) {
            previous.nextHeld = next;
        } else {
            first = next;
        }
        if (next != null) {
            next.previousHeld = previous;
        }
        call.previousHeld = null;
        call.nextHeld = null;
    }

    /** Each of them as they are now; any of them may be removed meanwhile. Allocates. */
    void forEach(Consumer<StageCall> each) {
        List<StageCall> all = new ArrayList<>();
        for (StageCall call = first; call != null; call = call.nextHeld) {
            all.add(call);
        }
        all.forEach(each);
    }

    /** The drain limit: the request fails under its stage. */
    void expire(StageCall call) {
        if (!call.ended()) {
            unreleased++;
            call.expire();
        }
    }

    /** The stage of a request that has failed under it has signalled. */
    void released(StageCall call) {
        remove(call);
        unreleased--;
        notifyWhenReleased();
    }

    /** Runs a task on the loop, perhaps in this call, once no stage has a request that has failed under it. For a queue that has stopped. */
    void whenReleased(Runnable then) {
        whenReleased = then;
        notifyWhenReleased();
    }

    private void notifyWhenReleased() {
        Runnable then = whenReleased;
        if (unreleased == 0 && then != null) {
            whenReleased = null;
            then.run();
        }
    }

    private void look() {
        for (Reference<? extends StagedRequest> found = lost.poll(); found != null; found = lost.poll()) {
            ((StageCall) found).unreachable();
        }
        looking = first != null;
        if (looking) {
            loop.schedule(look, LOOK_INTERVAL_NANOS);
        }
    }
}
