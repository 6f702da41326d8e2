package dev.sluice.pipeline;

import dev.sluice.linux.Errno;
import java.nio.ByteBuffer;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import reactor.util.context.Context;
import reactor.util.context.ContextView;

/**
 * One block request: pooled, mutable, borrowed from its {@link RequestQueue} from {@code poll} to {@link #complete}.
 *
 * <p>States and who moves them:
 * <pre>
 * FREE      -> PARSED     the queue has parsed the request
 * PARSED    -> SUBMITTED  a sink has taken it
 * PARSED    -> COMPLETED  completed without a sink: by a stage, a discard hook, the pipeline
 * SUBMITTED -> COMPLETED  the kernel is done with it
 * COMPLETED -> SUBMITTED  a stage sends it down again (a retry)
 * COMPLETED -> FREE       the queue has shown the completion to the other side
 * </pre>
 * Any other move is a bug of ours and throws {@link IllegalStateException}. A request whose queue broke while it was in flight is
 * {@linkplain #abandoned abandoned} beside all that: it takes the same way, but nothing is written for the other side at its end.
 *
 * <p><b>Threading:</b> all fields belong to the loop's thread. A stage that works elsewhere may read the request and copy its data
 * until the request has completed, an operator until it passes the request on; {@link #complete} may be called from any thread.
 * <b>Ownership:</b> nobody keeps a request after having completed it; the object is used again at once. Stages get an object of their own for each
 * request, through which a late signal reaches nothing.
 * <b>Allocation:</b> none, but for copies to and from arrays and buffers, and {@link #complete} from another thread. What a request asks for and its data are
 * its {@link RequestContent}.
 */
public abstract class BlockRequest extends RequestContent {

    public enum State {
        FREE(0b0010),
        PARSED(0b1100),
        SUBMITTED(0b1000),
        COMPLETED(0b0101);

        /** A bit for each state that may follow. */
        private final int successors;

        State(int successors) {
            this.successors = successors;
        }

        @SuppressWarnings("EnumOrdinal") // bits that live and die with this class
        boolean maySwitchTo(State next) {
            return (successors >> next.ordinal() & 1) != 0;
        }
    }

    /** Who is notified when a request has been completed: the pipeline, or the stage chain around the sink. Called on the loop, once. */
    @FunctionalInterface
    public interface CompletionListener {
        /**
         * Hears of the end.
         *
         * @param result bytes moved, zero or more, or a negative errno
         */
        void requestCompleted(BlockRequest request, int result);
    }

    /** A sector of the virtio block device is always 512 bytes, whatever the disk's logical block is (VIRTIO 1.3 §5.2.6). */
    public static final int SECTOR_BYTES = 512;

    private final IoLoop loop;
    private final int queueIndex;
    private final int slot;

    private State state = State.FREE;
    private boolean abandoned;
    private int result;
    private long availableNanos;
    private long submittedNanos;
    private @Nullable CompletionListener listener;

    /** Changes when a life of this pooled object begins and when it ends, so that what was decided about one does not hit another. */
    private int incarnation;

    /** The pipeline has it: no operator before the stages may end it any more. */
    private boolean taken;

    /** It is what stages see of another one. */
    private boolean shown;

    /**
     * Makes a FREE request.
     *
     * @param slot the request's place in its queue's pool
     */
    protected BlockRequest(IoLoop loop, int queueIndex, int slot) {
        this.loop = loop;
        this.queueIndex = queueIndex;
        this.slot = slot;
    }

    // ---- where the request is in its life

    public final State state() {
        return state;
    }

    public final IoLoop loop() {
        return loop;
    }

    public final int queueIndex() {
        return queueIndex;
    }

    public final int slot() {
        return slot;
    }

    /** What {@link #complete} was called with: bytes moved, or a negative errno. */
    public final int result() {
        return result;
    }

    /** True where the queue broke or was reset while the request was in flight: nobody waits for its completion. */
    public final boolean abandoned() {
        return abandoned;
    }

    /** {@link IoLoop#tickNanos} of the tick that first saw the request. */
    public final long availableNanos() {
        return availableNanos;
    }

    /** {@link IoLoop#tickNanos} of the tick that gave it to a sink, or {@link #availableNanos} where none did. */
    public final long submittedNanos() {
        return submittedNanos;
    }

    @Override
    final void checkInUse() {
        if (state == State.FREE) {
            throw new IllegalStateException("the request has been completed, its data is its queue's again: " + this);
        }
    }

    /**
     * For sinks that have no use for {@link #iovecsAddress}: one iovec from an offset on, at most 1 GiB of it, to be passed to a system call and to nothing
     * else. The front end may have truncated the memory: the kernel returns EFAULT then, where an access could end the process.
     *
     * @param index from 0 to {@link #iovecCount} - 1
     * @return empty at the end of the iovec
     * @throws IllegalStateException if no sink has the request
     */
    public final ByteBuffer callBuffer(int index, long offset) {
        Objects.checkIndex(index, iovecCount());
        if (state != State.SUBMITTED || shown) {
            throw new IllegalStateException("only the sink that has a request passes its memory to the kernel: " + this);
        }
        return DataCopy.callBuffer(iovecsAddress(), index, offset);
    }

    /** The Reactor context of whoever made the request and subscribes to its result; stages find it in theirs. */
    protected ContextView context() {
        return Context.empty();
    }

    // ---- for the queue that owns the request

    /** FREE to PARSED. The iovec array belongs to the queue and stays untouched by it until {@link #completed}. */
    protected final void parsed(BlockOp op, long sector, long lengthBytes, long iovecsAddress, int iovecCount) {
        switchTo(State.PARSED);
        asks(op, sector, lengthBytes, iovecsAddress, iovecCount);
        this.abandoned = false;
        this.result = 0;
        this.availableNanos = loop.tickNanos();
        this.submittedNanos = availableNanos;
        this.listener = null;
        this.incarnation++;
        this.taken = false;
    }

    /** When the request ends, nothing is written for the other side any more. */
    protected final void abandon() {
        abandoned = true;
    }

    /**
     * Shows the completion to the other side (status, used element), or only takes the request back where it was {@link #abandoned}. Called
     * once, on the loop, when the request has become FREE.
     */
    protected abstract void completed(int result);

    // ---- for the pipeline and for sinks

    /** Who hears of the completion. Set by the pipeline before anybody else sees the request. */
    final void listener(CompletionListener listener) {
        this.listener = listener;
    }

    /** The request has come out of the operators; from here on only its stages, its sink and the pipeline end it. */
    final void take(CompletionListener listener) {
        this.taken = true;
        this.listener = listener;
    }

    /** True where nobody has done anything with the request since its queue parsed it. */
    final boolean untouched() {
        return state == State.PARSED && !taken;
    }

    final int incarnation() {
        return incarnation;
    }

    /** PARSED (or COMPLETED, by a retrying stage) to SUBMITTED: a sink calls this when it takes the request. */
    public final void submitted() {
        switchTo(State.SUBMITTED);
        submittedNanos = loop.tickNanos();
    }

    /**
     * Ends the request, exactly once: from the loop's thread directly, from any other through the loop's mailbox.
     *
     * @param result bytes moved, zero or more, or a negative errno
     * @throws IllegalStateException where it was completed before (on the loop's thread; from another the loop logs it)
     */
    public final void complete(int result) {
        if (!loop.inLoop()) {
            int meant = incarnation;
            loop.execute(() -> completeIncarnation(meant, result));
            return;
        }
        completeOnLoop(result);
    }

    void completeOnLoop(int result) {
        switchTo(State.COMPLETED);
        this.result = result;
        CompletionListener told = listener;
        if (told == null) {
            release();
        } else {
            told.requestCompleted(this, result);
        }
    }

    /**
     * What a discard hook calls: completes the request with ECANCELED where nobody has done anything with it yet, and nothing otherwise.
     * Idempotent; any thread that holds the request.
     */
    public final void discard() {
        discard(incarnation);
    }

    /** {@link #discard()} where the request is still in the life that is meant. */
    final void discard(int meant) {
        discard(meant, Errno.ECANCELED);
    }

    final void discard(int meant, int errno) {
        if (!loop.inLoop()) {
            loop.execute(() -> discard(meant, errno));
        } else if (incarnation == meant && untouched()) {
            complete(-errno);
        }
    }

    private void completeIncarnation(int meant, int result) {
        if (incarnation != meant) {
            throw new IllegalStateException("request " + slot + " of queue " + queueIndex + " was completed twice; the second time with " + result);
        }
        complete(result);
    }

    /** The last step: COMPLETED to FREE, with the result as it stands. */
    final void release() {
        switchTo(State.FREE);
        listener = null;
        incarnation++;
        completed(result);
    }

    // ---- for the one that stages see

    /** Takes over what the queue has parsed, for one that is never completed itself. */
    final void show(BlockRequest parsed) {
        state = parsed.state;
        asksAs(parsed);
        availableNanos = parsed.availableNanos;
        submittedNanos = parsed.submittedNanos;
        taken = true;
        shown = true;
    }

    /** What has become of the one that it shows. */
    final void mirror(State state, int result, long submittedNanos) {
        this.state = state;
        this.result = result;
        this.submittedNanos = submittedNanos;
    }

    /** The outcome that a stage decided on, where it differs from what the sink said. */
    final void overrideResult(int result) {
        this.result = result;
    }

    private void switchTo(State next) {
        if (!state.maySwitchTo(next)) {
            throw new IllegalStateException("request " + slot + " of queue " + queueIndex + " cannot go from " + state + " to " + next);
        }
        state = next;
    }

    @Override
    public String toString() {
        return op() + " sector " + sector() + " length " + lengthBytes() + " (queue " + queueIndex + ", slot " + slot + ", " + state + ")";
    }
}
