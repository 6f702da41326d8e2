package dev.sluice.pipeline;

import java.util.function.Function;
import reactor.core.publisher.Mono;

/**
 * Requests of a stage's own, down the rest of the chain: to the stages behind it that are interested, then to the sink. A stage reaches them through the
 * {@link BlockStage.Chain} of a request, for which it makes them, or through {@link StageContext#background} for itself.
 *
 * <p>Everything is cold: each subscription is a sub-request. Several of a request may be in flight together, and have no order then. Their offsets are those of
 * the disk {@linkplain StageContext#geometry below}; offsets and lengths are multiples of 512.
 *
 * <p><b>Threading:</b> any thread; results come on the loop. <b>Ownership:</b> a sub-request keeps its buffer until the kernel is done with it, also if its
 * subscription is cancelled, which drops the result and nothing else. A request completes only when its sub-requests have come back, whatever its stage has
 * decided meanwhile. <b>Failure:</b> what the disk refuses or fails is a {@link BlockResult}; so is ECANCELED, when the request has its outcome, at the drain
 * limit for instance, and ESHUTDOWN, when the disk has been closed. Errors are for mistakes of the stage: {@link IllegalArgumentException} for a range that is
 * not on the disk below, {@link IndexOutOfBoundsException} for one that is not in the buffer, {@link IllegalStateException} for a buffer whose use has ended
 * and for a second one. <b>Backpressure:</b> sub-requests and buffers come from pools of a fixed size per stage; what finds none waits, in order. That cannot
 * deadlock: a sub-request waits for nothing while it has its place but for what is below it, which has pools of its own, and whoever has a buffer does not wait
 * for a second one. <b>Allocation:</b> the Mono and its subscription; the pooled request, its iovec and the memory are made once.
 */
public interface SubRequests {

    /**
     * Has something done with a buffer: aligned for the disk, of at least so many bytes, with undefined content. The buffer is free again when the Mono of
     * {@code use} has ended or was cancelled, and neither a sub-request nor an {@linkplain StageBuffer#access access} has it any more.
     *
     * <p>One at a time for each request and for each {@linkplain StageContext#background background} of a stage: it takes one that has room for everything.
     *
     * @param bytes at most {@link StageBuffer#MAX_BYTES}; a stage processes larger requests piece by piece
     * @param use called on the loop once there is a buffer
     */
    <T> Mono<T> useBuffer(long bytes, Function<? super StageBuffer, ? extends Mono<T>> use);

    /** Reads into a part of a buffer. */
    Mono<BlockResult> read(long offsetBytes, StageBuffer target, long targetOffset, long lengthBytes);

    /** Writes a part of a buffer, which must not change until then. Durable where the request is that it is made for. */
    Mono<BlockResult> write(long offsetBytes, StageBuffer source, long sourceOffset, long lengthBytes);

    /** Brings to stable storage whatever has completed before the subscription. */
    Mono<BlockResult> flush();

    /** EOPNOTSUPP if the disk below does not {@linkplain BlockGeometry#discard support} it. */
    Mono<BlockResult> discard(long offsetBytes, long lengthBytes);

    /** EOPNOTSUPP if the disk below does not {@linkplain BlockGeometry#writeZeroes support} it. Durable where the request is that it is made for. */
    Mono<BlockResult> writeZeroes(long offsetBytes, long lengthBytes, boolean mayUnmap);
}
