package dev.sluice.aio.mapped;

import dev.sluice.aio.loop.LoopHandle;
import dev.sluice.aio.loop.TickLoop;
import dev.sluice.aio.retry.RetryBackoff;
import dev.sluice.aio.sink.CompletionSeam;
import dev.sluice.aio.sink.CopyBudget;
import dev.sluice.aio.sink.FreeSlots;
import dev.sluice.aio.sink.SlotFifo;
import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.SinkCounters;
import dev.sluice.pipeline.SinkCounts;

/**
 * One loop's way to a mapped image. {@link #flush} does what it can of each request and completes what is done. A tick copies as much as {@link CopyBudget}
 * allows; the rest, what continues, and what is submitted by those who hear of completions, has its turn in the next tick, in the order of arrival.
 *
 * <p><b>Threading:</b> the loop's thread. <b>Ownership:</b> as {@link BlockSink} says; the mapping is the image's, and used within a batch alone.
 * <b>Failure:</b> negative errnos of requests; a completion listener that throws harms nobody else's completion. <b>Allocation:</b> none per request, but for
 * the pauses of one that the kernel keeps refusing.
 */
final class MappedSink extends LoopHandle implements BlockSink {
    final SinkCounts counts = new SinkCounts();

    /** What the file system has said that it cannot do. */
    boolean punchUnsupported;

    private final TickLoop loop;
    private final MappedImage image;
    private final Runnable onClosed;
    private final MappedOperation[] operations;
    private final FreeSlots freeSlots;
    private final CopyBudget budget = new CopyBudget();
    private final ResidentPages resident;

    /** Slots with something to be done now. */
    private final SlotFifo batch;

    private final IoLoop.Turn continueBatch = this::continueBatch;
    private ImageMapping mapping;
    private long budgetTick;
    private boolean inBatch;
    /** The batch waits for a turn. */
    private boolean late;
    private boolean closing;
    private boolean closed;

    private MappedSink(TickLoop loop, MappedImage image, int capacity, CompletionSeam seam, Runnable onClosed) {
        this.loop = loop;
        this.image = image;
        this.onClosed = onClosed;
        this.punchUnsupported = !image.geometry().discard();
        this.operations = new MappedOperation[capacity];
        this.freeSlots = new FreeSlots(capacity);
        this.batch = new SlotFifo(capacity);
        this.mapping = image.acquire();
        beginBudget();
        this.resident = new ResidentPages(image, budget);
        MappedCopy copy = new MappedCopy(image, resident);
        for (int slot = 0; slot < capacity; slot++) {
            operations[slot] = new MappedOperation(this, image, copy, seam, slot);
        }
    }

    /** A sink on a loop, on whose thread this is; {@code onClosed} is its backend's to hear of the end. */
    static MappedSink open(TickLoop loop, MappedImage image, int capacity, CompletionSeam seam, Runnable onClosed) {
        MappedSink sink = new MappedSink(loop, image, capacity, seam, onClosed);
        try {
            loop.add(sink);
            return sink;
        } catch (Throwable refused) {
            sink.resident.close();
            image.release(sink.mapping);
            throw refused;
        }
    }

    // ---- BlockSink

    @Override
    public boolean submit(BlockRequest request) {
        assert loop.inLoop() : "a sink belongs to its loop";
        if (freeSlots.isEmpty() || closing) {
            return false;
        }
        int slot = freeSlots.take();
        request.submitted();
        operations[slot].begin(request);
        batch.add(slot);
        return true;
    }

    @Override
    public void flush() {
        // Closed: whoever shares the sink may still have a flush due in this tick.
        if (closed || late || inBatch) {
            return;
        }
        // A tick may have several flushes, and has one budget.
        if (loop.tickNanos() != budgetTick) {
            beginBudget();
        }
        doBatch();
    }

    private boolean continueBatch() {
        late = false;
        beginBudget();
        doBatch();
        return false;
    }

    private void beginBudget() {
        budgetTick = loop.tickNanos();
        budget.begin();
    }

    private void doBatch() {
        inBatch = true;
        int done = 0;
        try {
            useCurrentMapping();
            for (int left = batch.size(); left > 0 && !budget.limitReached(); left--) {
                step(batch.poll());
                done++;
            }
        } finally {
            inBatch = false;
        }
        counts.batch(done);
        counts.publish();
        if (!batch.isEmpty()) {
            late = true;
            loop.requestTurn(continueBatch);
        }
        closeIfIdle();
    }

    private void useCurrentMapping() {
        if (mapping != image.current()) {
            image.release(mapping);
            mapping = image.acquire();
        }
    }

    private void step(int slot) {
        int outcome;
        try {
            outcome = operations[slot].step(mapping, budget);
        } catch (Throwable bug) {
            loop.failed("copying for a request", bug);
            outcome = -Errno.EIO;
        }
        if (outcome == MappedOperation.CONTINUES) {
            batch.add(slot);
        } else if (outcome == MappedOperation.REFUSED) {
            tryAgain(operations[slot]);
        } else {
            complete(slot, outcome);
        }
    }

    private void tryAgain(MappedOperation operation) {
        counts.retried();
        long pauseNanos = operation.retries.next(loop.tickNanos());
        if (pauseNanos == RetryBackoff.AT_ONCE) {
            batch.add(operation.slot);
        } else if (pauseNanos == RetryBackoff.NEVER) {
            complete(operation.slot, -Errno.EIO);
        } else {
            loop.schedule(() -> pauseIsOver(operation.slot), pauseNanos);
        }
    }

    private void pauseIsOver(int slot) {
        batch.add(slot);
        flush();
    }

    private void complete(int slot, int result) {
        BlockRequest request = operations[slot].end();
        // The slot first: whoever hears of the completion may submit again.
        freeSlots.release(slot);
        try {
            request.complete(result);
        } catch (Throwable failure) {
            loop.failed("completing a request", failure);
        }
    }

    @Override
    public int capacity() {
        return operations.length;
    }

    @Override
    public int inFlight() {
        return freeSlots.taken();
    }

    @Override
    public SinkCounters counters() {
        return counts.snapshot();
    }

    // ---- ending

    @Override
    public void close() {
        loop.assertInLoop();
        closing = true;
        flush();
        closeIfIdle();
    }

    private void closeIfIdle() {
        if (closing && !closed && !inBatch && inFlight() == 0) {
            closed = true;
            loop.remove(this);
            resident.close();
            image.release(mapping);
            onClosed.run();
        }
    }

    // ---- on the loop

    /** The kernel notes nothing for it. */
    @Override
    protected void drain() {}

    @Override
    protected void loopEnding() {
        close();
    }

    @Override
    protected boolean busy() {
        return inFlight() > 0;
    }

    /** Nothing of it is ever in the kernel. */
    @Override
    protected boolean awaitsKernel() {
        return false;
    }
}
