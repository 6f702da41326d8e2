package dev.sluice.device;

import dev.sluice.pipeline.BlockOp;
import java.nio.ByteBuffer;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Operators;
import reactor.util.context.ContextView;

/**
 * A range as pooled buffers, in order, with a bounded read-ahead. Cold: each subscription reads it again.
 *
 * <p><b>Threading:</b> one thread at a time works for a subscription, whichever brings an event first (the drain loop of Reactor's operators).
 * <b>Ownership:</b> buffers that were read and not emitted are released on cancellation and error; those that the kernel still fills, when it is
 * done with them. <b>Allocation:</b> per piece a call and a buffer view.
 */
final class RangeRead extends Flux<BlockBuffer> {
    private final BlockDevice device;
    private final long offsetBytes;
    private final long lengthBytes;
    private final int depth;

    RangeRead(BlockDevice device, long offsetBytes, long lengthBytes, int depth) {
        this.device = device;
        this.offsetBytes = offsetBytes;
        this.lengthBytes = lengthBytes;
        this.depth = depth;
    }

    @Override
    public void subscribe(CoreSubscriber<? super BlockBuffer> actual) {
        try {
            if (offsetBytes < 0 || lengthBytes < 0) {
                throw new IllegalArgumentException("a range of " + lengthBytes + " bytes at offset " + offsetBytes);
            }
            // Validates both ends: a range may be longer than a request.
            device.limits().check(BlockOp.READ, offsetBytes, 0);
            device.limits().check(BlockOp.READ, offsetBytes + lengthBytes, 0);
        } catch (IllegalArgumentException | BlockIoException refusal) {
            Operators.error(actual, refusal);
            return;
        }
        if (lengthBytes == 0) {
            Operators.complete(actual);
        } else {
            Reading reading = new Reading(actual);
            device.opened(reading);
            actual.onSubscribe(reading);
        }
    }

    /** One piece in flight. */
    private static final class Piece extends DeviceIo {
        private final Reading reading;
        private final BlockBuffer buffer;
        private volatile @Nullable Throwable failure;

        Piece(Reading reading, long offsetBytes, long lengthBytes, BlockBuffer buffer) {
            super(BlockOp.READ, offsetBytes, lengthBytes);
            this.reading = reading;
            this.buffer = buffer;
        }

        @Override
        ContextView context() {
            return reading.actual.currentContext();
        }

        boolean arrived() {
            return state() == State.ENDED;
        }

        @Override
        void completed(int result) {
            unpin(reading.pool());
            if (result < 0) {
                failure = BlockIoException.failed(op(), offsetBytes(), lengthBytes(), -result);
            }
            if (move(State.TAKEN, State.ENDED)) {
                reading.drain();
            }
        }

        @Override
        void refused(Throwable reason) {
            unpin(reading.pool());
            failure = reason;
            reading.drain();
        }

        /** Drops a piece that is no longer wanted. The pin keeps its memory for as long as the kernel uses it. */
        void abandon() {
            if (move(State.WAITING, State.CANCELLED)) {
                unpin(reading.pool());
            } else {
                boolean _ = move(State.TAKEN, State.ORPHANED);
            }
            buffer.close();
        }
    }

    /** One subscription. Its device notifies it of its close, so that buffers read ahead return to the pool. */
    final class Reading implements Subscription, OpenRange {
        private final CoreSubscriber<? super BlockBuffer> actual;
        private final AtomicLong demand = new AtomicLong();
        private final AtomicInteger news = new AtomicInteger();
        private final AtomicBoolean inLine = new AtomicBoolean();
        private volatile boolean cancelled;
        private volatile boolean deviceCloses;

        // Confined to the thread that drains.
        private final @Nullable Piece[] window = new Piece[depth];
        private long asked;
        private int first;
        private int count;
        private boolean done;

        Reading(CoreSubscriber<? super BlockBuffer> actual) {
            this.actual = actual;
        }

        BlockBufferPool pool() {
            return device.buffers();
        }

        @Override
        public void request(long n) {
            if (Operators.validate(n)) {
                demand.accumulateAndGet(n, Operators::addCap);
                drain();
            }
        }

        @Override
        public void cancel() {
            cancelled = true;
            drain();
        }

        @Override
        public void deviceCloses() {
            deviceCloses = true;
            drain();
        }

        void drain() {
            if (news.getAndIncrement() != 0) {
                return;
            }
            int seen = 1;
            do {
                try {
                    step();
                } catch (Throwable failed) {
                    fail(failed);
                }
                seen = news.addAndGet(-seen);
            } while (seen != 0);
        }

        private void step() {
            if (done) {
                return;
            }
            if (cancelled) {
                finish();
                return;
            }
            if (deviceCloses) {
                fail(BlockIoException.closed());
                return;
            }
            readAhead();
            emit();
        }

        /** Requests all that the window holds, as one batch with one wake-up. */
        private void readAhead() {
            DeviceQueue queue = device.queue();
            Piece last = null;
            try {
                while (count < depth && asked < lengthBytes) {
                    BlockBuffer buffer = takeBuffer();
                    if (buffer == null) {
                        break;
                    }
                    last = piece(buffer);
                    window[(first + count++) % depth] = last;
                    queue.offer(last);
                }
            } finally {
                if (last != null) {
                    queue.kick(last);
                }
            }
        }

        private @Nullable BlockBuffer takeBuffer() {
            try {
                BlockBuffer buffer = pool().tryTake();
                if (buffer == null && inLine.compareAndSet(false, true)) {
                    pool().whenAvailable(this::bufferAvailable);
                }
                return buffer;
            } catch (IllegalStateException closed) {
                if (count == 0) {
                    fail(BlockIoException.closed());
                }
                return null;
            }
        }

        private void bufferAvailable() {
            inLine.set(false);
            drain();
        }

        private Piece piece(BlockBuffer buffer) {
            try {
                int bytes = (int) Math.min(pool().bufferBytes(), lengthBytes - asked);
                ByteBuffer memory = buffer.bytes().limit(bytes);
                Piece piece = new Piece(this, offsetBytes + asked, bytes, buffer);
                long address = device.limits().address(BlockOp.READ, memory);
                device.limits().pin(address, memory);
                piece.memory(address, bytes);
                piece.move(DeviceIo.State.IDLE, DeviceIo.State.WAITING);
                asked += bytes;
                return piece;
            } catch (Throwable failed) {
                buffer.close();
                throw failed;
            }
        }

        private void emit() {
            while (!done && !cancelled && !deviceCloses && count > 0 && demand.get() > 0) {
                Piece head = Objects.requireNonNull(window[first]);
                if (!head.arrived()) {
                    return;
                }
                Throwable failure = head.failure;
                if (failure != null) {
                    fail(failure);
                    return;
                }
                window[first] = null;
                first = (first + 1) % depth;
                count--;
                produced();
                emit(head.buffer);
                if (count == 0 && asked == lengthBytes && !cancelled) {
                    finish();
                    Signals.complete(actual);
                } else {
                    readAhead();
                }
            }
        }

        /** If {@code onNext} throws an {@code Error} the buffer has no owner: it returns to the pool, and the range fails. */
        private void emit(BlockBuffer buffer) {
            try {
                actual.onNext(buffer);
            } catch (Throwable failed) {
                buffer.close();
                throw failed;
            }
        }

        /** Terminates the subscription, unless it has been terminated. */
        private void fail(Throwable reason) {
            if (!done) {
                boolean unheard = cancelled;
                finish();
                if (!unheard) {
                    Signals.error(actual, reason);
                }
            }
        }

        /** Adds demand; unbounded demand stays unbounded. */
        private void produced() {
            if (demand.get() != Long.MAX_VALUE) {
                demand.decrementAndGet();
            }
        }

        private void finish() {
            done = true;
            device.ended(this);
            for (; count > 0; count--) {
                Objects.requireNonNull(window[first]).abandon();
                window[first] = null;
                first = (first + 1) % depth;
            }
        }
    }
}
