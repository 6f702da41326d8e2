package dev.sluice.aio.nio;

import dev.sluice.aio.threads.CallThreads;
import dev.sluice.aio.threads.ThreadShortage;
import dev.sluice.pipeline.Backoff;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.SinkCounters;
import java.util.ArrayDeque;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One loop's way to threads that do blocking I/O. Requests go to them at {@link #flush}; what they have done comes back through the loop's mailbox, as much of
 * it at once as there is.
 *
 * <p><b>Threading:</b> the loop's thread, but for {@link #finished}, {@link #retried} and {@link #continued}. <b>Ownership:</b> as {@link BlockSink} says.
 * <b>Failure:</b> negative errnos of requests. <b>Allocation:</b> a request costs views of its segments and nodes of two queues.
 */
final class NioSink implements BlockSink {
    private static final Logger LOG = LoggerFactory.getLogger(NioSink.class);

    private final IoLoop loop;
    private final CallThreads threads;
    private final ThreadShortage shortage;
    private final Runnable onClosed;
    private final NioOperation[] free;
    private final ArrayDeque<NioOperation> batch;
    private final ConcurrentLinkedQueue<NioOperation> finished = new ConcurrentLinkedQueue<>();
    private final AtomicBoolean signalled = new AtomicBoolean();
    private final Runnable completeFinished = this::completeFinished;
    private final LongAdder retries = new LongAdder();
    private final LongAdder continuations = new LongAdder();
    private volatile long batches;
    private volatile long operations;
    private int freeCount;
    private final Backoff backoff = new Backoff();
    private boolean flushScheduled;
    private final IoLoop.Watch loopCloses;
    private boolean closing;
    private boolean closed;

    @SuppressWarnings("this-escape") // The loop calls back later.
    NioSink(IoLoop loop, NioImage image, int capacity, CallThreads threads, CallSeam seam, Runnable onClosed) {
        this.loop = loop;
        this.threads = threads;
        this.shortage = new ThreadShortage(loop, threads);
        this.onClosed = onClosed;
        this.free = new NioOperation[capacity];
        this.batch = new ArrayDeque<>(capacity);
        for (int i = 0; i < capacity; i++) {
            free[i] = new NioOperation(this, image, seam);
        }
        this.freeCount = capacity;
        // What waits for a thread is completed before the loop ends.
        this.loopCloses = loop.onClose(this::close);
    }

    @Override
    public boolean submit(BlockRequest request) {
        loop.assertInLoop();
        if (closing || freeCount == 0) {
            return false;
        }
        NioOperation operation = free[--freeCount];
        request.submitted();
        operation.begin(request);
        batch.add(operation);
        return true;
    }

    @Override
    @SuppressWarnings("NonAtomicVolatileUpdate") // one writer, the loop
    public void flush() {
        long before = operations;
        for (NioOperation next = batch.peek(); next != null; next = batch.peek()) {
            if (!started(next)) {
                refusedForNow();
                break;
            }
            batch.remove();
        }
        if (operations > before) {
            batches++;
        }
    }

    /** False if no thread can be had for now. What of a closing sink finds none is done on the loop's thread. */
    @SuppressWarnings("NonAtomicVolatileUpdate") // one writer, the loop
    private boolean started(NioOperation next) {
        // Counted first, as the result may come at once; what is not handed over is not counted any more.
        loop.expectTasks(1);
        if (next.needsNoThread()) {
            finished(next);
            return true;
        }
        if (handedOver(next)) {
            backoff.reset();
        } else if (closing) {
            next.run();
        } else {
            loop.expectTasks(-1);
            return false;
        }
        operations++;
        return true;
    }

    private boolean handedOver(NioOperation next) {
        try {
            if (!threads.run(next)) {
                return false;
            }
        } catch (OutOfMemoryError noMemoryForIt) {
            return false;
        }
        shortage.handedOver();
        return true;
    }

    private void refusedForNow() {
        retries.increment();
        if (!flushScheduled) {
            flushScheduled = true;
            loop.schedule(
                    () -> {
                        flushScheduled = false;
                        flush();
                    },
                    backoff.nextPauseNanos());
        }
    }

    @Override
    public int capacity() {
        return free.length;
    }

    @Override
    public int inFlight() {
        return free.length - freeCount;
    }

    @Override
    public SinkCounters counters() {
        return new SinkCounters(batches, operations, retries.sum(), continuations.sum(), 0);
    }

    /** A call was refused for now. Any thread. */
    void retried() {
        retries.increment();
    }

    /** A transfer stopped short and is continued. Any thread. */
    void continued() {
        continuations.increment();
    }

    /** An operation has its result. Any thread. */
    void finished(NioOperation operation) {
        while (!noted(operation)) {
            // The heap is full: nobody else knows the result.
            LockSupport.parkNanos(Backoff.FIRST_PAUSE_NANOS);
        }
        while (!announced(operation)) {
            LockSupport.parkNanos(Backoff.FIRST_PAUSE_NANOS);
        }
    }

    private boolean noted(NioOperation operation) {
        try {
            return finished.add(operation);
        } catch (OutOfMemoryError noNodeForIt) {
            return false;
        }
    }

    private boolean announced(NioOperation operation) {
        // Pairs with completeFinished: it lowers the flag, then looks at the queue; here the other way round.
        if (signalled.compareAndSet(false, true)) {
            try {
                loop.execute(completeFinished);
            } catch (RejectedExecutionException ended) {
                LOG.error("{} has ended before its requests: {} is lost", loop.name(), operation);
            } catch (OutOfMemoryError noNodeForIt) {
                signalled.set(false);
                return false;
            }
        }
        return true;
    }

    void completeFinished() {
        signalled.set(false);
        for (NioOperation next = finished.poll(); next != null; next = finished.poll()) {
            loop.expectTasks(-1);
            BlockRequest request = next.end();
            int result = next.result();
            // The slot first: whoever hears of the completion may submit again.
            free[freeCount++] = next;
            try {
                request.complete(result);
            } catch (RuntimeException | Error failure) {
                LOG.error("{}: completing a request failed", loop.name(), failure);
            }
        }
        closeIfIdle();
    }

    @Override
    public void close() {
        loop.assertInLoop();
        closing = true;
        flush();
        closeIfIdle();
    }

    private void closeIfIdle() {
        if (closing && !closed && inFlight() == 0) {
            closed = true;
            loopCloses.close();
            onClosed.run();
        }
    }
}
