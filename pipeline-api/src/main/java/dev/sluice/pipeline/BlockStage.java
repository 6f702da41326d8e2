package dev.sluice.pipeline;

import java.util.EnumSet;
import java.util.Set;
import reactor.core.publisher.Mono;

/**
 * What a user writes to see or change requests one by one, asynchronously: encryption, a cache, a mirror.
 *
 * <p>The form is that of a web filter: a stage gets the request and the rest of the chain and returns a {@code Mono} of the result. It may work before and
 * after, on other threads, make requests of its own, or complete the request without calling the chain at all. A request that no stage
 * is interested in goes straight to the sink and costs no {@code Mono}.
 *
 * <p>A stage that encrypts, with the guest's memory left as it is:
 * <pre>{@code
 * public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
 *     long bytes = request.lengthBytes();   // larger ones piece by piece, see StageBuffer.MAX_BYTES
 *     return switch (request.op()) {
 *         case WRITE -> chain.useBuffer(bytes, buffer -> {
 *             buffer.access(memory -> {
 *                 request.copyDataTo(0, memory, 0, bytes);
 *                 cipher.encrypt(request.sector(), memory, bytes);
 *             });
 *             return chain.proceed(request, buffer);
 *         });
 *         case READ -> chain.useBuffer(bytes, buffer -> chain.proceed(request, buffer).doOnNext(result -> {
 *             if (result.isOk()) {
 *                 buffer.access(memory -> {
 *                     cipher.decrypt(request.sector(), memory, bytes);
 *                     request.copyDataFrom(0, memory, 0, bytes);
 *                 });
 *             }
 *         }));
 *         default -> chain.proceed(request);
 *     };
 * }
 * }</pre>
 *
 * <p><b>Threading:</b> {@link #interestedIn} and {@link #handle} are called on the queue's loop and must not block there; the Mono may complete anywhere.
 * <b>Ownership:</b> the request is borrowed until it has completed; the object is made for this request alone. A queue that is stopped waits for its stages, up
 * to the {@linkplain BlockPipeline.Builder#drainLimit drain limit}: then the request fails with ECANCELED and a copy of its data throws {@link
 * IllegalStateException}. <b>Failure:</b> an error signal, an empty Mono or whatever {@link #handle} and {@link #interestedIn} throw completes the request with
 * EIO and is logged with the stage's name; the queue continues. Errors of the JVM (NoClassDefFoundError, StackOverflowError, OutOfMemoryError) are no signals
 * to Reactor: it throws them up the stack of the thread. On the loop, and on any thread in operators that support {@code onErrorContinue} ({@code map}, {@code
 * filter}, {@code doOnNext}, {@code handle}), the request fails all the same, at once. In a source on another thread ({@code fromCallable} with {@code
 * subscribeOn}, a callback) the signal is lost: the request fails when the garbage collector has found that nothing refers to it any more, at the latest at the
 * drain limit. Catch them there where that is too late. <b>Allocation:</b> a request that a stage is interested in costs below 400 bytes when it is passed on,
 * and some 130 more with a buffer and a sub-request, beside what the stage's operators allocate; measured by {@code BypassAllocationTest}.
 */
@FunctionalInterface
public interface BlockStage {

    /** The rest of the chain: the stages behind, then the sink. For one request. */
    interface Chain extends SubRequests {
        /** Sends the request on. Subscribing does it; subscribing again after the end does it again. Any thread. */
        Mono<BlockResult> proceed(BlockRequest request);

        /**
         * Sends the request on with a buffer in place of its data: a READ reads into the buffer, a WRITE writes what is in it. What has no data is sent on as
         * it is.
         *
         * @param buffer of at least as many bytes as the request has
         */
        default Mono<BlockResult> proceed(BlockRequest request, StageBuffer buffer) {
            return switch (request.op()) {
                case READ -> read(request.offsetBytes(), buffer, 0, request.lengthBytes());
                case WRITE -> write(request.offsetBytes(), buffer, 0, request.lengthBytes());
                case FLUSH, DISCARD, WRITE_ZEROES -> proceed(request);
            };
        }
    }

    /**
     * Processes one request.
     *
     * <p><b>Called</b> once for each request that this stage is interested in, on the loop of its queue; requests of other queues may be in here at the same
     * time, on other loops. The Mono is subscribed to once, on the loop.
     *
     * <p><b>What a stage may do</b>, until its result is there, from any thread and in any combination:
     * <ul>
     *   <li>pass the request on, {@link Chain#proceed(BlockRequest)}, and again after it has come back;
     *   <li>pass it on with a buffer of its own, {@link Chain#proceed(BlockRequest, StageBuffer)};
     *   <li>make requests of its own for it, {@link SubRequests}, and wait for them;
     *   <li>complete it without going down: {@code Mono.just(BlockResult.failed(Errno.ENOSPC))}, or {@code Mono.just(BlockResult.OK)} after it has filled a
     * READ;
     *   <li>read and copy its data with {@link BlockRequest#copyDataTo(long, byte[], int, int) copyDataTo} and, of a READ,
     *       {@link BlockRequest#copyDataFrom(long, byte[], int, int) copyDataFrom}. The guest's memory itself is never handed out: a front end can truncate it
     * at any time, and
     *       the copy throws {@link TruncatedMemoryException} then, which fails this request where the stage passes it on. The data of a WRITE is read-only.
     * </ul>
     *
     * <p><b>Exactly once.</b> The first result stands: the Mono's, a {@link BlockRequest#complete} by the stage, whatever is thrown, the drain limit. Later
     * ones are logged and have no effect on this request nor on the next one in its place.
     *
     * <p><b>The completion waits for the kernel.</b> The guest uses its memory again as soon as it is notified, and may write the same sectors again. So a
     * request whose stage has given up on it (a timeout) completes only when the sink has released it and its sub-requests have come back. Memory of a stage's
     * own that the kernel may use lies in a {@link StageBuffer}, which is reused no sooner.
     *
     * <p><b>Cancellation.</b> Cancelling what the chain has returned drops its result. It stops nothing that the sink has, and a further attempt waits for the
     * first. Nobody cancels the stage's own Mono.
     *
     * <p><b>Order and FLUSH.</b> Requests in flight together have no order. A FLUSH covers what completed before it was made, so a stage that completes writes
     * when they have completed below needs to do nothing for it. One that completes them sooner keeps the order itself, see {@link #interestedIn}, and passes a
     * FLUSH on only after them. A {@linkplain BlockRequest#durable durable} request is on stable storage when it completes; its sub-requests are durable as
     * well.
     *
     * <p><b>Not for delays.</b> A stage that makes requests wait holds their slots and their memory, costs every one of them the bypass, and has them failed at
     * the drain limit. What limits rates belongs before the chain, where requests stay in the ring.
     *
     * <p><b>Context.</b> The Mono is subscribed to with the Reactor context of whoever made the request, such as a caller of a {@code BlockDevice}.
     *
     * @param request in state PARSED; made for this request alone
     * @param chain the rest of the chain, for this request only
     * @return its result: one value
     */
    Mono<BlockResult> handle(BlockRequest request, Chain chain);

    /**
     * The operations among which this stage wants to see requests. It is never asked about others, which the description of a pipeline can therefore
     * say. Asked once, when the pipeline is built.
     */
    default Set<BlockOp> operations() {
        return EnumSet.allOf(BlockOp.class);
    }

    /**
     * Whether this stage needs to see a request. Fast, allocation free, without effect: it is asked for every request of its {@link #operations}.
     *
     * <p>This is also how a stage says that a request must not overtake another one. Requests that are in flight together have no order, so whoever is
     * not seen may overtake whoever is. A stage that completes a request <em>before</em> the sink has (a write-back cache, say) has made an
     * order that did not exist: until it has caught up it must be interested in every request by which that order could be noticed, that is each FLUSH
     * and whatever touches the same sectors.
     */
    default boolean interestedIn(BlockRequest request) {
        return true;
    }

    /**
     * The disk as it looks above this stage: smaller where the stage keeps data of its own on it, larger where it stores less than it shows. A
     * stage whose offsets differ from those below is interested in every request that has one. Asked again whenever the geometry below has changed.
     *
     * @throws IllegalArgumentException with one line, if the stage cannot serve such a disk; only while it is being created
     */
    default BlockGeometry geometry(BlockGeometry below) {
        return below;
    }

    /** The name for logs and descriptions. */
    default String name() {
        return getClass().getSimpleName();
    }
}
