package dev.sluice.pipeline.testing;

import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockResult;
import dev.sluice.pipeline.BlockStage;
import dev.sluice.pipeline.StageBuffer;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/**
 * The shape of an encryption: keeps a header at the beginning of the disk, and passes data on through buffers of its own, changed by a key.
 *
 * <p>Zeroes are data like any other, so it has no WRITE_ZEROES.
 */
public final class XorStage implements BlockStage {
    private static final int PIECE_BYTES = StageBuffer.MAX_BYTES;

    private final long headerBytes;
    private final byte key;

    public XorStage(long headerBytes, byte key) {
        this.headerBytes = headerBytes;
        this.key = key;
    }

    @Override
    public BlockGeometry geometry(BlockGeometry below) {
        return new BlockGeometry(
                below.sizeBytes() - headerBytes,
                below.logicalBlockBytes(),
                below.physicalBlockBytes(),
                below.optimalIoBytes(),
                below.readOnly(),
                below.discard(),
                false);
    }

    @Override
    public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
        return switch (request.op()) {
            case READ, WRITE -> chain.useBuffer(Math.min(request.lengthBytes(), PIECE_BYTES), buffer -> pieces(request, chain, buffer));
            case DISCARD -> chain.discard(headerBytes + request.offsetBytes(), request.lengthBytes());
            case FLUSH, WRITE_ZEROES -> chain.proceed(request);
        };
    }

    private Mono<BlockResult> pieces(BlockRequest request, Chain chain, StageBuffer buffer) {
        int count = (int) Math.ceilDiv(request.lengthBytes(), (long) PIECE_BYTES);
        if (count == 1) {
            return piece(request, chain, buffer, 0);
        }
        return Flux.range(0, count).concatMap(i -> piece(request, chain, buffer, (long) i * PIECE_BYTES)).takeUntil(result -> !result.isOk())
                .last(BlockResult.OK);
    }

    private Mono<BlockResult> piece(BlockRequest request, Chain chain, StageBuffer buffer, long at) {
        long bytes = Math.min(PIECE_BYTES, request.lengthBytes() - at);
        long below = headerBytes + request.offsetBytes() + at;
        if (request.op() == BlockOp.WRITE) {
            buffer.access(memory -> {
                request.copyDataTo(at, memory, 0, bytes);
                change(memory, bytes);
            });
            return chain.write(below, buffer, 0, bytes);
        }
        return chain.read(below, buffer, 0, bytes).doOnNext(result -> {
            if (result.isOk()) {
                buffer.access(memory -> {
                    change(memory, bytes);
                    request.copyDataFrom(at, memory, 0, bytes);
                });
            }
        });
    }

    private void change(MemorySegment memory, long bytes) {
        for (long i = 0; i < bytes; i++) {
            memory.set(ValueLayout.JAVA_BYTE, i, (byte) (memory.get(ValueLayout.JAVA_BYTE, i) ^ key));
        }
    }

    @Override
    public String name() {
        return "xor";
    }
}
