package dev.sluice.aio.loop;

import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.IoLoop.Turn;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The turns that were asked for, in the order of asking, each at most once.
 *
 * <p>Two arrays that change places: what is asked for while the turns run belongs to the next tick. Whether a turn is already there is
 * found by looking through the array: there are as many turns as queues on the loop, a handful.
 *
 * <p><b>Threading:</b> the loop's thread. <b>Allocation:</b> none once the arrays have grown to the number of queues.
 */
final class TurnList {
    private @Nullable Turn[] asked = new Turn[16];
    private int askedCount;
    private @Nullable Turn[] running = new Turn[16];
    private int runningCount;
    /** The turn that has the loop, or runningCount when none has. */
    private int runningAt;

    boolean isEmpty() {
        return askedCount == 0;
    }

    void ask(Turn turn) {
        if (contains(asked, 0, askedCount, turn) || contains(running, runningAt + 1, runningCount, turn)) {
            return;
        }
        if (askedCount == asked.length) {
            asked = Arrays.copyOf(asked, askedCount * 2);
        }
        asked[askedCount++] = turn;
    }

    /** Gives each turn its go. One that fails isn't asked again by the loop. */
    void runAll(TickLoop loop) {
        @Nullable Turn[] now = asked;
        asked = running;
        running = now;
        runningCount = askedCount;
        askedCount = 0;
        for (runningAt = 0; runningAt < runningCount; runningAt++) {
            Turn turn = now[runningAt];
            now[runningAt] = null;
            if (turn == null) {
                continue;
            }
            try {
                boolean more = turn.run();
                // A fault in shared memory is thrown late (see NativeMemory): here, where it is this turn's.
                NativeMemory.surfaceFault();
                if (more) {
                    ask(turn);
                }
            } catch (Throwable failure) {
                loop.failed("a turn", failure);
            }
        }
        runningCount = 0;
        runningAt = 0;
    }

    /** By identity: what equals means to a turn is nobody's business here. */
    @SuppressWarnings("ReferenceEquality")
    private static boolean contains(@Nullable Turn[] turns, int from, int to, Turn wanted) {
        for (int i = from; i < to; i++) {
            if (turns[i] == wanted) {
                return true;
            }
        }
        return false;
    }
}
