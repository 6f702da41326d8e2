package dev.sluice.pipeline;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Requests that wait for room in a sink: in order within a queue, round-robin between queues, so that a queue that has filled the sink gets no more of what
 * becomes free than any other.
 *
 * <p>Loop thread only. No allocation once the queues have grown to what can be in flight.
 */
final class PendingQueue {
    /** By queue index, from {@link StageScope#BACKGROUND} on. */
    private @Nullable ArrayDeque<BlockRequest>[] pending = pending(8);
    /** Queues with a waiting request, in the order of their turns: a circle of {@code waitingQueues} from {@code first} on. */
    private int[] turns = new int[8];

    private int first;
    private int waitingQueues;

    @SuppressWarnings({"unchecked", "rawtypes"})
    private static @Nullable ArrayDeque<BlockRequest>[] pending(int count) {
        return new ArrayDeque[count];
    }

    boolean isEmpty() {
        return waitingQueues == 0;
    }

    void add(BlockRequest request) {
        ArrayDeque<BlockRequest> waiting = ofQueue(request.queueIndex());
        if (waiting.isEmpty()) {
            addTurn(request.queueIndex());
        }
        waiting.add(request);
    }

    private ArrayDeque<BlockRequest> ofQueue(int queue) {
        int place = queue - StageScope.BACKGROUND;
        if (place >= pending.length) {
            pending = Arrays.copyOf(pending, place + 1);
        }
        ArrayDeque<BlockRequest> waiting = pending[place];
        if (waiting == null) {
            waiting = new ArrayDeque<>();
            pending[place] = waiting;
        }
        return waiting;
    }

    private void addTurn(int queue) {
        if (waitingQueues == turns.length) {
            int[] larger = new int[turns.length * 2];
            for (int i = 0; i < waitingQueues; i++) {
                larger[i] = turns[(first + i) % turns.length];
            }
            turns = larger;
            first = 0;
        }
        turns[(first + waitingQueues++) % turns.length] = queue;
    }

    /** Whose turn it is, or null. */
    @Nullable
    BlockRequest peek() {
        return ofQueue(turns[first]).peek();
    }

    /** Takes the one whose turn it is; its queue comes again behind all others. */
    void remove() {
        int queue = turns[first];
        first = (first + 1) % turns.length;
        waitingQueues--;
        ArrayDeque<BlockRequest> waiting = ofQueue(queue);
        waiting.remove();
        if (!waiting.isEmpty()) {
            addTurn(queue);
        }
    }

    /** Takes all. */
    void clear(Consumer<BlockRequest> each) {
        for (BlockRequest next = peek(); next != null; next = peek()) {
            remove();
            each.accept(next);
        }
    }
}
