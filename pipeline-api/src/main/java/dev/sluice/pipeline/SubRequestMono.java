package dev.sluice.pipeline;

import org.jspecify.annotations.Nullable;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Mono;

/** What a stage asks for with a sub-request; each subscription is one. Immutable. */
final class SubRequestMono extends Mono<BlockResult> {
    private final StageRequests chain;
    private final BlockOp op;
    private final long offsetBytes;
    private final long lengthBytes;
    private final @Nullable StageBuffer buffer;
    private final long bufferOffset;
    private final boolean mayUnmap;

    SubRequestMono(StageRequests chain, BlockOp op, long offsetBytes, long lengthBytes, @Nullable StageBuffer buffer, long bufferOffset, boolean mayUnmap) {
        this.chain = chain;
        this.op = op;
        this.offsetBytes = offsetBytes;
        this.lengthBytes = lengthBytes;
        this.buffer = buffer;
        this.bufferOffset = bufferOffset;
        this.mayUnmap = mayUnmap;
    }

    @Override
    public void subscribe(CoreSubscriber<? super BlockResult> actual) {
        actual.onSubscribe(new SubRequestCall(this, actual));
    }

    StageRequests chain() {
        return chain;
    }

    BlockOp op() {
        return op;
    }

    long offsetBytes() {
        return offsetBytes;
    }

    long lengthBytes() {
        return lengthBytes;
    }

    @Nullable
    StageBuffer buffer() {
        return buffer;
    }

    long bufferOffset() {
        return bufferOffset;
    }

    boolean mayUnmap() {
        return mayUnmap;
    }

    @Override
    public String toString() {
        return "sub-request " + op + " of " + lengthBytes + " bytes at offset " + offsetBytes;
    }
}
