package dev.sluice.pipeline;

import java.lang.foreign.MemorySegment;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import reactor.util.context.ContextView;

/** A request of a stage's own: pooled, with an iovec of its own. The contracts of {@link BlockRequest} apply. */
final class SubRequest extends BlockRequest {
    private final SubRequestPool pool;
    /** Keeps the memory of the iovec. */
    @SuppressWarnings({"unused", "FieldCanBeLocal"})
    private final MemorySegment iovecs;

    private final long iovec;
    private @Nullable SubRequestCall call;
    private @Nullable StageBuffer buffer;

    SubRequest(SubRequestPool pool, IoLoop loop, int queueIndex, int slot, MemorySegment iovecs, long iovecOffset) {
        super(loop, queueIndex, slot);
        this.pool = pool;
        this.iovecs = iovecs;
        this.iovec = iovecs.address() + iovecOffset;
    }

    /** FREE to PARSED. The call's buffer has been retained for it. */
    void parse(SubRequestCall started, boolean durable) {
        call = started;
        SubRequestMono asked = started.asked();
        buffer = asked.buffer();
        if (buffer != null) {
            DataCopy.setIovec(iovec, buffer.address(asked.bufferOffset()), asked.lengthBytes());
        }
        parsed(asked.op(), asked.offsetBytes() / SECTOR_BYTES, asked.lengthBytes(), buffer == null ? 0 : iovec, buffer == null ? 0 : 1);
        setDurable(durable && asked.op().modifies());
        setMayUnmap(asked.mayUnmap());
    }

    @Override
    protected ContextView context() {
        return Objects.requireNonNull(call).context();
    }

    @Override
    protected void completed(int result) {
        SubRequestCall completed = Objects.requireNonNull(call, "a sub-request without a call");
        StageBuffer used = buffer;
        call = null;
        buffer = null;
        if (used != null) {
            used.release();
        }
        pool.returned(this, completed, result);
    }
}
