package dev.sluice.aio.loop;

import dev.sluice.pipeline.IoLoop;
import java.util.ArrayList;
import java.util.List;

/** What the tests of a loop put on it: handles, pollers and turns that note, in {@link #order}, what is asked of them. */
abstract class NotedOnLoop {
    static final long MILLIS = 1_000_000;
    static final long MICROS = 1_000;
    static final long POLL_MAX_NANOS = 32 * MICROS;

    final List<String> order = new ArrayList<>();

    /** A handle that notes what is asked of it. */
    final class Handle extends LoopHandle {
        private final String name;
        boolean busy;
        boolean awaitsKernel;
        boolean throwsAtDrain;

        Handle(String name) {
            this.name = name;
        }

        @Override
        protected void drain() {
            order.add("drain " + name);
            if (throwsAtDrain) {
                throw new IllegalStateException("made up");
            }
        }

        @Override
        protected void loopEnding() {
            order.add("ending " + name);
            throw new IllegalStateException("made up");
        }

        @Override
        protected boolean busy() {
            return busy;
        }

        @Override
        protected boolean awaitsKernel() {
            return awaitsKernel;
        }
    }

    /** Work that a spinning loop looks for. */
    final class Ring implements IoLoop.Poller {
        private final HandDrivenLoop loop;
        private final IoLoop.Turn turn;
        int looks;
        int sleeps;
        int spins;
        int findsAtLook = Integer.MAX_VALUE;
        boolean findsBeforeSleep;

        Ring(HandDrivenLoop loop, IoLoop.Turn turn) {
            this.loop = loop;
            this.turn = turn;
        }

        @Override
        public boolean poll() {
            order.add("look");
            return found(++looks >= findsAtLook);
        }

        @Override
        public boolean armNotifications() {
            sleeps++;
            return found(findsBeforeSleep);
        }

        private boolean found(boolean work) {
            if (work) {
                loop.requestTurn(turn);
            }
            return work;
        }

        @Override
        public void disarmNotifications() {
            spins++;
        }
    }

    final IoLoop.Turn turn(String name, boolean more) {
        return () -> {
            order.add(name);
            return more;
        };
    }
}
