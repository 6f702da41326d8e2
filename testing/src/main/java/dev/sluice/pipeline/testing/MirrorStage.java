package dev.sluice.pipeline.testing;

import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockResult;
import dev.sluice.pipeline.BlockStage;
import dev.sluice.pipeline.StageBuffer;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/**
 * Keeps everything twice, in the two halves of the disk below, with one copy of the guest's data; reads the second half where the first one fails. Requests are
 * no longer than a buffer.
 */
public final class MirrorStage implements BlockStage {
    private volatile long half;

    @Override
    public BlockGeometry geometry(BlockGeometry below) {
        half = below.sizeBytes() / 2 / 4096 * 4096;
        return new BlockGeometry(
                half, below.logicalBlockBytes(), below.physicalBlockBytes(), below.optimalIoBytes(), below.readOnly(), below.discard(), below.writeZeroes());
    }

    /** Where the second copy begins. */
    public long half() {
        return half;
    }

    @Override
    public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
        long offset = request.offsetBytes();
        long bytes = request.lengthBytes();
        return switch (request.op()) {
            case READ -> chain.useBuffer(bytes, buffer -> chain.proceed(request, buffer)
                    .flatMap(first -> first.isOk() ? Mono.just(first) : chain.read(half + offset, buffer, 0, bytes))
                    .doOnNext(result -> copyIn(request, buffer, result)));
            case WRITE -> chain.useBuffer(bytes, buffer -> {
                buffer.access(memory -> request.copyDataTo(0, memory, 0, bytes));
                return both(chain.write(offset, buffer, 0, bytes), chain.write(half + offset, buffer, 0, bytes));
            });
            case FLUSH -> both(chain.flush(), chain.flush());
            case DISCARD -> both(chain.discard(offset, bytes), chain.discard(half + offset, bytes));
            case WRITE_ZEROES -> both(chain.writeZeroes(offset, bytes, request.mayUnmap()), chain.writeZeroes(half + offset, bytes, request.mayUnmap()));
        };
    }

    private static void copyIn(BlockRequest request, StageBuffer buffer, BlockResult result) {
        if (result.isOk()) {
            buffer.access(memory -> request.copyDataFrom(0, memory, 0, request.lengthBytes()));
        }
    }

    private static Mono<BlockResult> both(Mono<BlockResult> first, Mono<BlockResult> second) {
        return Flux.merge(first, second).reduce(BlockResult::and);
    }

    @Override
    public String name() {
        return "mirror";
    }
}
