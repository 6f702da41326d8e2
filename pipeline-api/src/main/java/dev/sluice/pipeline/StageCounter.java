package dev.sluice.pipeline;

import java.util.concurrent.atomic.LongAdder;

/** A counter of a stage. Any thread. <b>Allocation:</b> none per addition, but for cells when many threads add at the same time. */
public final class StageCounter {
    private final LongAdder sum = new LongAdder();

    StageCounter() {}

    public void increment() {
        sum.increment();
    }

    public void add(long more) {
        sum.add(more);
    }

    public long value() {
        return sum.sum();
    }
}
