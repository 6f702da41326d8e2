package dev.sluice.device;

import dev.sluice.pipeline.BlockOp;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Publisher;
import org.reactivestreams.Subscription;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Operators;
import reactor.util.context.Context;
import reactor.util.context.ContextView;

/**
 * Consecutive buffers written with bounded concurrency. Cold: each subscription subscribes to the source.
 *
 * <p><b>Threading:</b> buffers come on the source's thread, completions on a loop. A counter holds what has not ended: the source itself and each
 * write; whoever brings it to zero signals. <b>Ownership:</b> closes every buffer that it receives, when its write has completed or will not be made.
 * <b>Failure:</b> the first error, signalled after the writes in flight have completed, so that the kernel is done by then. A cancellation produces no
 * signal; writes that were submitted before continue.
 */
final class RangeWrite extends Mono<Long> {
    private static final Logger LOG = LoggerFactory.getLogger(RangeWrite.class);

    private final BlockDevice device;
    private final long offsetBytes;
    private final Publisher<BlockBuffer> source;
    private final int depth;

    RangeWrite(BlockDevice device, long offsetBytes, Publisher<BlockBuffer> source, int depth) {
        this.device = device;
        this.offsetBytes = offsetBytes;
        this.source = source;
        this.depth = depth;
    }

    @Override
    public void subscribe(CoreSubscriber<? super Long> actual) {
        Writing writing = new Writing(actual);
        device.opened(writing);
        try {
            source.subscribe(writing);
        } catch (Throwable failed) {
            writing.sourceFailed(failed);
        }
    }

    private final class Piece extends DeviceIo {
        private final Writing writing;
        private final BlockBuffer buffer;

        Piece(Writing writing, long offsetBytes, BlockBuffer buffer) {
            super(BlockOp.WRITE, offsetBytes, 0);
            this.writing = writing;
            this.buffer = buffer;
        }

        @Override
        ContextView context() {
            return writing.currentContext();
        }

        @Override
        void completed(int result) {
            unpin(device.buffers());
            boolean _ = move(State.TAKEN, State.ENDED);
            buffer.close();
            if (result < 0) {
                writing.fail(BlockIoException.failed(op(), offsetBytes(), lengthBytes(), -result));
            }
            writing.ended(lengthBytes());
        }

        @Override
        void refused(Throwable reason) {
            unpin(device.buffers());
            buffer.close();
            writing.fail(reason);
            writing.ended(0);
        }
    }

    private final class Writing implements CoreSubscriber<BlockBuffer>, Subscription, OpenRange {
        private final CoreSubscriber<? super Long> actual;
        private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
        private final AtomicLong written = new AtomicLong();
        private final AtomicBoolean started = new AtomicBoolean();
        private final AtomicBoolean sourceEnded = new AtomicBoolean();

        /** One for the source, one for the demand, one for each write in flight. */
        private final AtomicInteger left = new AtomicInteger(2);

        private volatile boolean cancelled;
        private volatile @Nullable Subscription upstream;
        private long nextOffset = offsetBytes;

        Writing(CoreSubscriber<? super Long> actual) {
            this.actual = actual;
        }

        // ---- the source's side

        @Override
        public Context currentContext() {
            return actual.currentContext();
        }

        @Override
        public void onSubscribe(Subscription subscription) {
            if (Operators.validate(upstream, subscription)) {
                upstream = subscription;
                actual.onSubscribe(this);
            }
        }

        @Override
        public void onNext(BlockBuffer buffer) {
            if (!mayWrite()) {
                buffer.close();
                return;
            }
            Piece piece;
            try {
                piece = new Piece(this, nextOffset, buffer);
                ByteBuffer bytes = buffer.bytes();
                int length = bytes.remaining();
                device.limits().check(BlockOp.WRITE, nextOffset, length);
                if (length == 0) {
                    buffer.close();
                    ended(0);
                    return;
                }
                long address = device.limits().address(BlockOp.WRITE, bytes);
                device.limits().pin(address, bytes);
                piece.memory(address, length);
                nextOffset += length;
            } catch (Throwable refusal) {
                buffer.close();
                fail(refusal);
                ended(0);
                return;
            }
            piece.move(DeviceIo.State.IDLE, DeviceIo.State.WAITING);
            device.queue().submit(piece);
        }

        /** Counts one more write, unless the end has been reached or something has failed. */
        private boolean mayWrite() {
            if (cancelled || failure.get() != null) {
                return false;
            }
            int now;
            do {
                now = left.get();
                if (now == 0) {
                    return false;
                }
            } while (!left.compareAndSet(now, now + 1));
            return true;
        }

        @Override
        public void onError(Throwable error) {
            failure.compareAndSet(null, error);
            sourceEnds();
        }

        @Override
        public void onComplete() {
            sourceEnds();
        }

        private void sourceEnds() {
            if (sourceEnded.compareAndSet(false, true)) {
                countDown();
            }
        }

        /** The subscriber threw instead of signalling, which it may only do for an {@code Error}. */
        private void sourceFailed(Throwable error) {
            if (upstream == null) {
                device.ended(this);
                Operators.error(actual, error);
            } else {
                fail(error);
            }
        }

        private void ask(Subscription from, long buffers) {
            try {
                from.request(buffers);
            } catch (Throwable failed) {
                fail(failed);
            }
        }

        // ---- the writes' side

        void fail(Throwable error) {
            failure.compareAndSet(null, error);
            cancelUpstream();
            sourceEnds();
            if (upstream != null && started.compareAndSet(false, true)) {
                countDown();
            }
        }

        @Override
        public void deviceCloses() {
            if (!sourceEnded.get()) {
                fail(BlockIoException.closed());
            }
        }

        void ended(long bytes) {
            written.addAndGet(bytes);
            Subscription from = upstream;
            if (from != null && !sourceEnded.get() && !cancelled) {
                ask(from, 1);
            }
            countDown();
        }

        private void countDown() {
            if (left.decrementAndGet() > 0) {
                return;
            }
            device.ended(this);
            if (cancelled) {
                return;
            }
            Throwable error = failure.get();
            if (error != null) {
                Signals.error(actual, error);
            } else {
                Signals.value(actual, written.get());
            }
        }

        private void cancelUpstream() {
            Subscription from = upstream;
            if (from != null) {
                try {
                    from.cancel();
                } catch (Throwable failed) {
                    LOG.error("the source of a range failed when it was cancelled", failed);
                }
            }
        }

        // ---- the subscriber's side

        @Override
        public void request(long n) {
            Subscription from = upstream;
            if (Operators.validate(n) && from != null && started.compareAndSet(false, true)) {
                ask(from, depth);
                countDown();
            }
        }

        @Override
        public void cancel() {
            cancelled = true;
            device.ended(this);
            cancelUpstream();
        }
    }
}
