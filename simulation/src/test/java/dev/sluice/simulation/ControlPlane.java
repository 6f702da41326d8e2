package dev.sluice.simulation;

import java.io.IOException;
import java.util.SplittableRandom;

/**
 * What a front end does while requests are in flight: memory that comes and goes, rings that stop and start, other eventfds, messages that are to be
 * refused, and the end of the connection or of the process.
 */
final class ControlPlane {
    /** What concerns more than the front end. */
    interface Whole {
        SimulatedProcess process();

        void disconnect();

        void restart() throws IOException;

        /** Whether the cache mode can be saved. */
        void stateFileFull(boolean full) throws IOException;
    }

    private final SimulatedGuest guest;
    private final SplittableRandom random;
    private final Whole whole;

    ControlPlane(SimulatedGuest guest, SplittableRandom random, Whole whole) {
        this.guest = guest;
        this.random = random;
        this.whole = whole;
    }

    /** Does one of all these. */
    void act() throws IOException {
        GuestQueue queue = guest.queues.get(random.nextInt(guest.queues.size()));
        switch (random.nextInt(16)) {
            case 0 -> {
                if (!guest.secondThere) {
                    guest.addSecond();
                } else if (guest.queues.stream().noneMatch(each -> each.uses(guest.second))) {
                    guest.removeSecond();
                }
            }
            case 1 -> {
                if (!guest.secondThere) {
                    guest.memoryTable();
                }
            }
            case 2 -> {
                guest.enable(queue, false);
                guest.enable(queue, true);
            }
            case 3 -> {
                if (!queue.broken) {
                    guest.stopAndStart(queue);
                }
            }
            case 4 -> {
                queue.newCallFd();
                guest.call(queue);
            }
            case 5 -> guest.newKick(queue);
            case 6, 7 -> {
                if (guest.queues.stream().allMatch(each -> each.outstanding() == 0 && !each.broken)) {
                    guest.cacheMode(guest.writeback());
                }
            }
            case 8 -> whole.stateFileFull(!guest.stateFileFull);
            case 9 -> guest.readConfig(whole.process().geometry());
            case 10, 11 -> guest.misbehave();
            case 12 -> loopFails(queue);
            case 13 -> whole.restart();
            default -> whole.disconnect();
        }
    }

    /** Something of the loop fails, as when descriptors have run out, while a ring gets another eventfd or other memory. */
    private void loopFails(GuestQueue queue) {
        if (random.nextBoolean()) {
            whole.process().loop.failNextWatch();
        } else {
            whole.process().loop.failNextClose();
        }
        if (random.nextBoolean() && !guest.secondThere) {
            guest.memoryTable();
        } else {
            guest.newKick(queue);
        }
    }
}
