package dev.sluice.aio.loop;

import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.IoLoop.Poller;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * What a loop that busy-polls visits in every tick: rings whose other sides need not kick.
 *
 * <p><b>Threading:</b> the loop's thread. <b>Failure:</b> what throws is not visited any more. <b>Allocation:</b> none once the array has grown to the
 * number of queues.
 */
final class PollList {
    /** What {@link Poller} offers. */
    private enum Visit {
        POLL,
        ARM,
        DISARM
    }

    private @Nullable Poller[] all = new Poller[16];
    private int count;
    /** Whether those in the list have asked for notifications. */
    private boolean notified;

    void add(Poller poller) {
        if (count == all.length) {
            all = Arrays.copyOf(all, count * 2);
        }
        all[count++] = poller;
    }

    void poll(TickLoop loop) {
        visit(loop, Visit.POLL);
    }

    /** True if one of them has work already. */
    boolean armNotifications(TickLoop loop) {
        notified = true;
        return visit(loop, Visit.ARM);
    }

    /** If they were armed for a sleep. */
    void disarmNotifications(TickLoop loop) {
        if (notified) {
            notified = false;
            visit(loop, Visit.DISARM);
        }
    }

    private boolean visit(TickLoop loop, Visit visit) {
        boolean work = false;
        int kept = 0;
        int before = count;
        for (int i = 0; i < before; i++) {
            Poller poller = all[i];
            if (poller == null) {
                continue;
            }
            boolean done = true;
            try {
                done = visit(poller, visit);
                // A fault in shared memory is thrown late (see NativeMemory): here, where it is this one's.
                NativeMemory.surfaceFault();
            } catch (Throwable failure) {
                loop.failed("polling a queue", failure);
            }
            if (done) {
                work = true;
            } else {
                all[kept++] = poller;
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

    /** True if it is not to be visited any more. */
    private static boolean visit(Poller poller, Visit visit) {
        return switch (visit) {
            case POLL -> poller.poll();
            case ARM -> poller.armNotifications();
            case DISARM -> {
                poller.disarmNotifications();
                yield false;
            }
        };
    }
}
