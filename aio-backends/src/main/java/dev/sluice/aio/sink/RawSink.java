package dev.sluice.aio.sink;

import dev.sluice.aio.loop.TickLoop;
import dev.sluice.aio.raw.RawImage;
import dev.sluice.aio.retry.RetryBackoff;
import dev.sluice.linux.Errno;
import dev.sluice.linux.Fd;
import dev.sluice.linux.Iovec;
import dev.sluice.linux.LinuxFile;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.SinkCounters;
import dev.sluice.pipeline.SinkCounts;

/**
 * One loop's way to a raw image, but for the kernel interface that it takes.
 *
 * <p>{@link #submit} gives a request a slot and puts the slot into the batch; {@link #flush} starts a call for each slot of the batch and then ends
 * the batch ({@link #endBatch}). What a request needs after its first call (the rest of a short read, a second try) joins the batch of the tick
 * that learned of it. A kind of sink starts calls, each known by its slot, and {@link #collect}s their results, on which {@link #drain} acts.
 *
 * <p>An image in memory is read and written in {@link #flush} instead, by {@link MemoryTransfers}. The completions still come in the next tick.
 *
 * <p><b>Threading:</b> the loop's thread. <b>Ownership:</b> as {@link BlockSink} says; slots, batch and buffers are made once.
 * <b>Failure:</b> negative errnos of requests; a completion listener that throws harms nobody else's completion. <b>Allocation:</b> none per
 * request.
 */
public abstract class RawSink extends KernelCalls implements BlockSink {
    private static final int MIN_BOUNCE_ALIGNMENT = 4096;

    final BouncePool bounceBuffers;
    final SinkCounts counts = new SinkCounts();
    final DirectRefusals directRefusals;

    /** What the file system has said it can't do, so that it's asked once. */
    boolean punchUnsupported;
    boolean zeroRangeUnsupported;

    private final TickLoop loop;
    private final Runnable onClosed;
    private final CompletionSeam seam;
    private final boolean inMemory;
    private final CopyBudget budget = new CopyBudget();
    private final MemoryTransfers transfers = new MemoryTransfers(budget);
    private final RawImage image;
    private final Fd syncFd;
    private final SyncGroup syncs;
    private final SinkOperation[] operations;
    private final FreeSlots freeSlots;

    /** Slots with a call to be queued. */
    private final SlotFifo batch;
    /** Slots that wait for a bounce buffer, in the order of arrival. */
    private final SlotFifo bufferless;

    /** Calls that have ended. */
    private final SlotResults collected;
    /** Requests that have ended without the kernel and complete in the next tick. */
    private final SlotResults ended;

    private final IoLoop.Turn completeEnded = this::completeEnded;
    private final IoLoop.Turn drainCalls = this::drainCalls;
    private final GrowingBatches batches;
    private final DrainInNextTick rest;
    private final FlushSchedule flushes;
    private int started;
    private boolean closing;
    private boolean closed;

    /**
     * A sink with all its slots free.
     *
     * @param onClosed called once nothing of the sink is left
     */
    @SuppressWarnings("this-escape") // Operations only keep it.
    protected RawSink(TickLoop loop, RawImage image, int capacity, CompletionSeam seam, Runnable onClosed) {
        this.loop = loop;
        this.onClosed = onClosed;
        this.seam = seam;
        this.directRefusals = new DirectRefusals(loop.name());
        this.image = image;
        this.inMemory = image.inMemory();
        this.syncs = new SyncGroup(capacity);
        this.bounceBuffers = new BouncePool(Math.max(MIN_BOUNCE_ALIGNMENT, Math.max(image.alignment().memoryBytes(), image.alignment().offsetBytes())));
        this.punchUnsupported = !image.geometry().discard();
        this.operations = new SinkOperation[capacity];
        for (int slot = 0; slot < capacity; slot++) {
            operations[slot] = new SinkOperation(this, image, slot);
        }
        this.freeSlots = new FreeSlots(capacity);
        this.batch = new SlotFifo(capacity);
        this.bufferless = new SlotFifo(capacity);
        this.ended = new SlotResults(capacity);
        this.collected = new SlotResults(capacity);
        this.rest = new DrainInNextTick(loop, drainCalls);
        // Elsewhere the kernel completes most requests while it takes them.
        this.batches = new GrowingBatches(image.direct() && !inMemory);
        this.flushes = new FlushSchedule(loop, batches, this::flush, this::submitNow);
        this.syncFd = image.takeSyncFd();
    }

    // ---- BlockSink

    @Override
    public final boolean submit(BlockRequest request) {
        assert loop.inLoop() : "a sink belongs to its loop";
        if (freeSlots.isEmpty() || closing) {
            return false;
        }
        int slot = freeSlots.take();
        request.submitted();
        int outcome = operations[slot].begin(request);
        if (outcome == SinkOperation.CONTINUES) {
            batch.add(slot);
            flushes.added(request.op() == BlockOp.FLUSH, batch.size(), inKernel());
        } else {
            endLater(slot, outcome);
        }
        return true;
    }

    @Override
    public final void flush() {
        started = 0;
        flushes.flushing();
        startBatch();
        syncs.seal();
        endBatch();
        counts.batch(started);
        counts.publish();
    }

    private void startBatch() {
        budget.begin();
        while (!batch.isEmpty()) {
            if (budget.limitReached()) {
                flushes.inNextTick();
                return;
            }
            int slot = batch.peek();
            int outcome = issue(slot);
            if (outcome == SinkOperation.KERNEL_REFUSES) {
                counts.retried();
                flushes.afterPause();
                return;
            }
            batch.poll();
            flushes.accepted();
            if (outcome == SinkOperation.CONTINUES) {
                started++;
            } else if (outcome == SinkOperation.NEEDS_BUFFER) {
                bufferless.add(slot);
            } else if (outcome == SinkOperation.SHARES_SYNC) {
                syncs.join(slot);
            } else {
                endLater(slot, outcome);
            }
        }
    }

    private int issue(int slot) {
        int before = inKernel();
        try {
            return operations[slot].issue();
        } catch (Throwable bug) {
            loop.failed("submitting a request", bug);
            // Where the kernel has it already, only the kernel may end it.
            return inKernel() == before ? -Errno.EIO : SinkOperation.CONTINUES;
        }
    }

    /** Starts a sync, unless there is one; outcomes as of {@link SinkOperation#issue}. */
    int issueSync(int slot) {
        if (!syncs.mayStart(slot)) {
            return SinkOperation.SHARES_SYNC;
        }
        if (!startSync(slot, syncFd.number())) {
            return SinkOperation.KERNEL_REFUSES;
        }
        syncs.started(slot);
        return SinkOperation.CONTINUES;
    }

    @Override
    public final int capacity() {
        return operations.length;
    }

    @Override
    public final SinkCounters counters() {
        return counts.snapshot();
    }

    @Override
    public final int inFlight() {
        return freeSlots.taken();
    }

    @Override
    public final void close() {
        loop.assertInLoop();
        closing = true;
        flush();
        closeIfIdle();
    }

    // ---- what operations ask for; false if no more is accepted for now

    boolean startVector(SinkOperation operation, boolean reads, int fd, long iovecs, int iovecCount, long offset, int rwFlags) {
        if (iovecCount == 1) {
            // Saves the kernel the import of an array.
            int bytes = (int) Math.min(Iovec.length(iovecs, 0), LinuxFile.MAX_RW_COUNT);
            return startBuffer(operation, reads, fd, Iovec.base(iovecs, 0), bytes, offset, rwFlags);
        }
        if (inMemory) {
            called(operation.slot, transfers.moveVector(reads, fd, iovecs, iovecCount, offset));
            return true;
        }
        return startVector(operation.slot, reads, fd, iovecs, iovecCount, offset, rwFlags);
    }

    boolean startBuffer(SinkOperation operation, boolean reads, int fd, long address, int bytes, long offset, int rwFlags) {
        if (inMemory) {
            called(operation.slot, transfers.moveBuffer(reads, fd, address, bytes, offset));
            return true;
        }
        return startBuffer(operation.slot, reads, fd, address, bytes, offset, rwFlags);
    }

    private void called(int slot, long result) {
        loop.calledDirectly();
        collectLater(slot, (int) result);
    }

    private boolean drainCalls() {
        drain();
        return false;
    }

    // ---- completions

    /** Notes the result of a call that was started for a slot. Must be followed by {@link #drain} in the same tick. */
    protected final void collect(int slot, int result) {
        collected.add(slot, result);
    }

    /** As {@link #collect}, from inside a flush; acted on in the next tick. */
    protected final void collectLater(int slot, int result) {
        collect(slot, result);
        loop.requestTurn(drainCalls);
    }

    @Override
    protected final void drain() {
        for (int left = batches.completionsNow(collected.size()); left > 0; left--) {
            int slot = collected.poll();
            try {
                reaped(slot, collected.result(slot));
            } catch (Throwable bug) {
                loop.failed("a completion", bug);
                if (operations[slot].hasRequest()) {
                    finish(slot, -Errno.EIO);
                }
            }
        }
        rest.askIf(!collected.isEmpty());
        closeIfIdle();
    }

    private void reaped(int slot, int kernelResult) {
        SinkOperation operation = operations[slot];
        int result = seam.result(operation.call(), kernelResult);
        if (RetryBackoff.isRefusal(result)) {
            if (result == -Errno.ECANCELED) {
                cancelled(slot);
            }
            tryAgain(operation);
            return;
        }
        int outcome = operation.completed(result);
        if (outcome == SinkOperation.CONTINUES) {
            continueInThisTick(slot);
        } else {
            finish(slot, outcome);
        }
    }

    /** The open file whose syncs are this sink's alone. */
    protected final int syncFd() {
        return syncFd.number();
    }

    /** A call was refused for now and stays where it is. */
    protected final void refusedForNow() {
        counts.retried();
    }

    private void tryAgain(SinkOperation operation) {
        counts.retried();
        long pauseNanos = operation.retries.next(loop.tickNanos());
        if (pauseNanos == RetryBackoff.AT_ONCE) {
            continueInThisTick(operation.slot);
        } else if (pauseNanos == RetryBackoff.NEVER) {
            finish(operation.slot, -Errno.EIO);
        } else {
            loop.schedule(() -> continueInThisTick(operation.slot), pauseNanos);
        }
    }

    private void continueInThisTick(int slot) {
        batch.add(slot);
        askForFlush();
    }

    /** Has {@link #flush} called at the end of this tick. */
    protected final void askForFlush() {
        flushes.atEndOfTick();
    }

    private void endLater(int slot, int result) {
        ended.add(slot, result);
        loop.requestTurn(completeEnded);
    }

    /** Completes what has ended so far; what the completions bring with them waits for the next tick. */
    private boolean completeEnded() {
        for (int left = ended.size(); left > 0; left--) {
            int slot = ended.poll();
            finish(slot, ended.result(slot));
        }
        closeIfIdle();
        return false;
    }

    private void finish(int slot, int result) {
        if (!syncs.isLeader(slot)) {
            complete(slot, result);
            return;
        }
        // First: whoever hears of the completion may flush the sink.
        int members = syncs.ended();
        complete(slot, result);
        for (; members > 0; members--) {
            int member = syncs.pollMember();
            complete(member, operations[member].afterSync(result));
        }
        while (syncs.anyWaiting()) {
            continueInThisTick(syncs.pollWaiting());
        }
    }

    private void complete(int slot, int result) {
        BlockRequest request = operations[slot].end();
        // The slot first: whoever hears of the completion may submit again.
        freeSlots.release(slot);
        if (!bufferless.isEmpty() && bounceBuffers.available()) {
            continueInThisTick(bufferless.poll());
        }
        try {
            request.complete(result);
        } catch (Throwable failure) {
            loop.failed("completing a request", failure);
        }
    }

    // ---- closing

    /** True once nothing new is taken. */
    protected final boolean closing() {
        return closing;
    }

    @Override
    protected final void loopEnding() {
        close();
    }

    @Override
    protected final boolean busy() {
        return inFlight() > 0;
    }

    /** Not for what was called directly or waits for a buffer: entering the kernel for that at depth 1 costs a system call a request. */
    @Override
    protected final boolean awaitsKernel() {
        return inKernel() > 0;
    }

    private void closeIfIdle() {
        if (closing && !closed && inFlight() == 0) {
            closed = true;
            loop.runGuarded("closing a sink", bounceBuffers::close);
            image.releaseSyncFd(syncFd);
            loop.runGuarded("closing a sink", this::release);
            onClosed.run();
        }
    }
}
