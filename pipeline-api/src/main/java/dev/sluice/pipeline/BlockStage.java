package dev.sluice.pipeline;

import java.util.EnumSet;
import java.util.Set;
import reactor.core.publisher.Mono;

/**
 * What a user writes to see or change requests one by one, asynchronously: encryption, a cache, a mirror.
 *
 * <p>The form is that of a web filter: a stage gets the request and the rest of the chain and returns a {@code Mono} of the outcome.
 * It may work before and after, on other threads, or answer without calling the chain at all. A request that no stage
 * is interested in goes straight to the sink and costs no {@code Mono}.
 *
 * <p><b>Threading:</b> {@link #interestedIn} and {@link #handle} are called on the queue's loop; the Mono may complete anywhere.
 * <b>Ownership:</b> the request is borrowed until the Mono has ended, or the stage has {@linkplain BlockRequest#complete completed} it; the object is made for this
 * request alone. Data is copied to and from memory of the stage's own, with {@link BlockRequest#copyDataTo(long, byte[], int, int) copyDataTo} and
 * {@link BlockRequest#copyDataFrom(long, byte[], int, int) copyDataFrom}: the guest's memory itself is never handed out, because a front end can truncate it at any time. A copy then throws
 * {@link TruncatedMemoryException}, which fails this request where the stage passes it on. The data of a WRITE is read-only. A queue that is stopped waits for its stages, up
 * to the {@linkplain BlockPipeline.Builder#drainLimit drain limit}: then the request fails and a copy of its data throws {@link IllegalStateException}. <b>Failure:</b> an error signal, an empty Mono or whatever {@link #handle} and
 * {@link #interestedIn} throw completes the request with IOERR and is logged with the stage's name; the queue goes on. Errors of the JVM (NoClassDefFoundError,
 * StackOverflowError, OutOfMemoryError) are no signals to Reactor: it throws them up the stack of the thread. On the loop, and on any thread in operators that
 * support {@code onErrorContinue} ({@code map}, {@code filter}, {@code doOnNext}, {@code handle}), the request fails all the same, at once. In a source on another
 * thread ({@code fromCallable} with {@code subscribeOn}, a callback) the signal is lost: the request fails when the garbage collector has found that nothing refers to
 * it any more, at the latest at the drain limit. Catch them there where that is too late.
 */
@FunctionalInterface
public interface BlockStage {

    /** The rest of the chain: the stages behind, then the sink. For one request. */
    interface Chain extends SubRequests {
        /** Sends the request on. Subscribing does it; subscribing again after the end does it again. Any thread. */
        Mono<BlockResult> proceed(BlockRequest request);

        /**
         * Sends the request on with a buffer in place of its data: a READ reads into the buffer, a WRITE writes what is in it. What has no data is sent on as it is.
         *
         * @param buffer of at least as many bytes as the request has
         */
        default Mono<BlockResult> proceed(BlockRequest request, StageBuffer buffer) {
            return switch (request.op()) {
                case READ -> read(request.offsetBytes(), buffer, 0, request.lengthBytes());
                case WRITE -> write(request.offsetBytes(), buffer, 0, request.lengthBytes());
                case FLUSH, GET_ID, DISCARD, WRITE_ZEROES -> proceed(request);
            };
        }
    }

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
     * not seen may overtake whoever is. A stage that answers a request <em>before</em> the sink has completed it (a write-back cache, say) has made an
     * order that did not exist: until it has caught up it must be interested in every request that could tell the difference, that is each FLUSH
     * and whatever touches the same sectors.
     */
    default boolean interestedIn(BlockRequest request) {
        return true;
    }

    /**
     * The disk as it looks above this stage: smaller where the stage keeps data of its own on it, say. A stage whose offsets differ from those below is interested in every
     * request that has one. Asked again whenever the geometry below has changed.
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
