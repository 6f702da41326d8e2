package dev.sluice.aio.loop;

import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.IoLoop.Polled;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * What a loop looks at in every tick: rings whose other sides have been told that they need not kick.
 *
 * <p><b>Threading:</b> the loop's thread. <b>Failure:</b> what throws is not looked at any more. <b>Allocation:</b> none once the array has grown to the
 * number of queues.
 */
final class PollList {
    /** What {@link Polled} offers. */
    private enum Visit {
        LOOK,
        BEFORE_SLEEP,
        BEFORE_SPIN
    }

    private @Nullable Polled[] all = new Polled[16];
    private int count;
    /** Whether those in the list have asked for notifications. */
    private boolean notified;

    void add(Polled polled) {
        if (count == all.length) {
            all = Arrays.copyOf(all, count * 2);
        }
        all[count++] = polled;
    }

    void look(TickLoop loop) {
        visit(loop, Visit.LOOK);
    }

    /** True where one of them has work already. */
    boolean beforeSleep(TickLoop loop) {
        notified = true;
        return visit(loop, Visit.BEFORE_SLEEP);
    }

    /** Those that were asked before a sleep. */
    void beforeSpin(TickLoop loop) {
        if (notified) {
            notified = false;
            visit(loop, Visit.BEFORE_SPIN);
        }
    }

    private boolean visit(TickLoop loop, Visit visit) {
        boolean work = false;
        int kept = 0;
        int before = count;
        for (int i = 0; i < before; i++) {
            Polled polled = all[i];
            if (polled == null) {
                continue;
            }
            boolean done = true;
            try {
                done = visit(polled, visit);
                // A fault in shared memory is thrown late (see NativeMemory): here, where it is this one's.
                NativeMemory.surfaceFault();
            } catch (Throwable failure) {
                loop.failed("looking at a queue", failure);
            }
            if (done) {
                work = true;
            } else {
                all[kept++] = polled;
            }
        }
        // What was added meanwhile.
        for (int i = before; i < count; i++) {
            all[kept++] = all[i];
        }
        Arrays.fill(all, kept, count, null);
        count = kept;
        return work;
    }

    /** True where it need not be looked at any more. */
    private static boolean visit(Polled polled, Visit visit) {
        return switch (visit) {
            case LOOK -> polled.look();
            case BEFORE_SLEEP -> polled.beforeSleep();
            case BEFORE_SPIN -> {
                polled.beforeSpin();
                yield false;
            }
        };
    }
}
