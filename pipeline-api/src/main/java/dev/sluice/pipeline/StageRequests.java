package dev.sluice.pipeline;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;

/** How one stage makes sub-requests: for a request ({@link RestOfChain}), or for itself ({@link BackgroundRequests}). */
abstract class StageRequests implements SubRequests {
    private static final VarHandle BUFFER;

    static {
        try {
            BUFFER = MethodHandles.lookup().findVarHandle(StageRequests.class, "buffer", BufferUse.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    /** The use that has a buffer, or waits for one. */
    @SuppressWarnings("unused") // accessed through BUFFER
    private volatile @Nullable BufferUse<?> buffer;

    // ---- any thread

    abstract IoLoop loop();

    abstract String stageName();

    /** The disk below the stage. */
    abstract BlockGeometry below();

    /** What the stage's operators have thrown at a signal. */
    abstract void failed(Throwable thrown);

    // ---- on the loop

    abstract SubRequestPool pool();

    abstract StageBuffers buffers();

    /** Why no sub-request may start any more, as an errno, or 0. */
    abstract int refusal();

    /** Whether sub-requests must be durable. */
    abstract boolean durable();

    abstract void subRequestStarted();

    abstract void subRequestCompleted();

    /** For whom buffers are in use; must not refer to what signals the end of their use. */
    abstract Object owner();

    final void submit(SubRequestCall call) {
        try {
            int refusal = refusal();
            if (refusal == 0) {
                pool().submit(call);
            } else {
                call.emit(BlockResult.failed(refusal));
            }
        } catch (Throwable noSink) {
            call.fail(noSink);
        }
    }

    final boolean isOver() {
        return refusal() != 0;
    }

    // ---- one buffer at a time: nobody who has one waits for another

    final boolean beginBuffer(BufferUse<?> use) {
        return BUFFER.compareAndSet(this, null, use);
    }

    final void endBuffer(BufferUse<?> use) {
        BUFFER.compareAndSet(this, use, null);
    }

    // ---- for the stage

    @Override
    public final <T> Mono<T> useBuffer(long bytes, Function<? super StageBuffer, ? extends Mono<T>> use) {
        return new BufferUse.Source<>(this, bytes, use);
    }

    @Override
    public final Mono<BlockResult> read(long offsetBytes, StageBuffer target, long targetOffset, long lengthBytes) {
        return new SubRequestMono(this, BlockOp.READ, offsetBytes, lengthBytes, target, targetOffset, false);
    }

    @Override
    public final Mono<BlockResult> write(long offsetBytes, StageBuffer source, long sourceOffset, long lengthBytes) {
        return new SubRequestMono(this, BlockOp.WRITE, offsetBytes, lengthBytes, source, sourceOffset, false);
    }

    @Override
    public final Mono<BlockResult> flush() {
        return new SubRequestMono(this, BlockOp.FLUSH, 0, 0, null, 0, false);
    }

    @Override
    public final Mono<BlockResult> discard(long offsetBytes, long lengthBytes) {
        return new SubRequestMono(this, BlockOp.DISCARD, offsetBytes, lengthBytes, null, 0, false);
    }

    @Override
    public final Mono<BlockResult> writeZeroes(long offsetBytes, long lengthBytes, boolean mayUnmap) {
        return new SubRequestMono(this, BlockOp.WRITE_ZEROES, offsetBytes, lengthBytes, null, 0, mayUnmap);
    }
}
