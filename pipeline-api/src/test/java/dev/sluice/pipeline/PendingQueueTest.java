package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.testing.ManualLoop;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Requests that wait for room in a sink come out queue after queue, and in order within a queue. */
class PendingQueueTest {
    /** The same in plain words: a list of queues in the order of their turns. */
    private static final class Oracle {
        final Map<Integer, ArrayDeque<BlockRequest>> waiting = new TreeMap<>();
        final ArrayDeque<Integer> turns = new ArrayDeque<>();

        void add(BlockRequest request) {
            ArrayDeque<BlockRequest> line = waiting.computeIfAbsent(request.queueIndex(), queue -> new ArrayDeque<>());
            if (line.isEmpty()) {
                turns.add(request.queueIndex());
            }
            line.add(request);
        }

        @Nullable
        BlockRequest next() {
            Integer queue = turns.poll();
            if (queue == null) {
                return null;
            }
            ArrayDeque<BlockRequest> line = waiting.getOrDefault(queue, new ArrayDeque<>());
            BlockRequest next = line.remove();
            if (!line.isEmpty()) {
                turns.add(queue);
            }
            return next;
        }
    }

    @Test
    void shouldAlternateBetweenQueuesHoweverManyThereAre() {
        try (ManualLoop loop = new ManualLoop()) {
            for (int queues : new int[] {1, 2, 8, 9, 17, 40}) {
                SplittableRandom random = new SplittableRandom(queues);
                PendingQueue line = new PendingQueue();
                Oracle oracle = new Oracle();
                int slot = 0;
                for (int step = 0; step < 1500; step++) {
                    // More come than go at first, then the other way round: the circle of turns wraps, grows and empties.
                    if (random.nextInt(1500) > step) {
                        BlockRequest request = new BareRequest(loop, random.nextInt(queues), slot++);
                        line.add(request);
                        oracle.add(request);
                    } else {
                        BlockRequest expected = oracle.next();
                        assertThat(line.peek()).isSameAs(expected);
                        assertThat(line.isEmpty()).isEqualTo(expected == null);
                        if (expected != null) {
                            line.remove();
                        }
                    }
                }
                List<BlockRequest> rest = new ArrayList<>();
                line.clear(rest::add);
                List<BlockRequest> expected = new ArrayList<>();
                for (BlockRequest next = oracle.next(); next != null; next = oracle.next()) {
                    expected.add(next);
                }
                assertThat(rest).isEqualTo(expected);
                assertThat(line.isEmpty()).isTrue();
            }
        }
    }

    @Test
    void shouldTakeAQueueOfAnyIndex() {
        try (ManualLoop loop = new ManualLoop()) {
            for (int index : new int[] {0, 7, 8, 15, 16, 17, 1023}) {
                PendingQueue line = new PendingQueue();
                BlockRequest request = new BareRequest(loop, index, 0);
                line.add(request);
                assertThat(line.peek()).isSameAs(request);
                line.remove();
                assertThat(line.peek()).isNull();
            }
        }
    }
}
