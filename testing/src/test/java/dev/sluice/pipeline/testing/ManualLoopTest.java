package dev.sluice.pipeline.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.pipeline.IoLoop;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ManualLoopTest {

    @Test
    void shouldKeepTheOrderOfATick() {
        try (ManualLoop loop = new ManualLoop()) {
            List<String> order = new ArrayList<>();
            IoLoop.Watch watch = loop.onReadable(7, () -> order.add("watch"));
            loop.atTickEnd(() -> order.add("hook"));
            loop.requestTurn(() -> order.add("turn") && order.size() < 6);
            loop.execute(() -> order.add("task"));
            loop.fire(7);
            loop.tick();
            assertThat(order).containsExactly("watch", "task", "turn", "hook");
            watch.close();
            assertThatThrownBy(() -> loop.fire(7)).hasMessageContaining("descriptor 7");
            assertThat(loop.tickUntilIdle()).isEqualTo(2);
            assertThat(order).containsExactly("watch", "task", "turn", "hook", "turn", "turn");
        }
    }

    @Test
    void shouldRunADelayedTaskWhenTheClockHasReachedIt() {
        try (ManualLoop loop = new ManualLoop()) {
            List<Long> ran = new ArrayList<>();
            loop.schedule(() -> ran.add(loop.tickNanos()), 100);
            loop.tick();
            long before = loop.tickNanos();
            loop.advanceNanos(99);
            loop.tick();
            assertThat(ran).isEmpty();
            loop.advanceNanos(1);
            loop.tick();
            assertThat(ran).containsExactly(before + 100);
        }
    }

    @Test
    void shouldThrowOnCloseWhatWasThrownBefore() {
        ManualLoop loop = new ManualLoop();
        loop.execute(() -> {
            throw new IllegalStateException("thrown on purpose");
        });
        loop.tick();
        assertThatThrownBy(loop::close).hasMessageContaining("thrown on purpose");
    }
}
