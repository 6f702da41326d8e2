package dev.sluice.examples.launcher;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockResult;
import dev.sluice.pipeline.BlockStage;
import dev.sluice.pipeline.BlockStageProvider;
import dev.sluice.pipeline.StageContext;
import java.util.concurrent.atomic.AtomicLongArray;
import reactor.core.publisher.Mono;

/**
 * A stage that lets every logical block be written once while the process runs, and refuses to change it from then on, by a write, a discard
 * or by writing zeroes. Reads and flushes are of no interest to it and bypass it.
 *
 * <p><b>Threading:</b> any loop; of two requests for the same block one gets it. <b>Failure:</b> a write that fails releases its blocks; a refused
 * one completes with IOERR and leaves the image unchanged. <b>Allocation:</b> a bit per block on creation, a Mono for each request that modifies.
 */
public final class WriteOnce implements BlockStage {
    private final int blockBytes;
    private final AtomicLongArray written;

    /** For a disk of this geometry, with no block marked as written. */
    public WriteOnce(BlockGeometry geometry) {
        this.blockBytes = geometry.logicalBlockBytes();
        this.written = new AtomicLongArray(Math.toIntExact(Math.ceilDiv(Math.ceilDiv(geometry.sizeBytes(), blockBytes), Long.SIZE)));
    }

    @Override
    public boolean interestedIn(BlockRequest request) {
        return request.op().modifies();
    }

    @Override
    public Mono<BlockResult> handle(BlockRequest request, Chain chain) {
        long first = request.offsetBytes() / blockBytes;
        long end = Math.ceilDiv(request.offsetBytes() + request.lengthBytes(), (long) blockBytes);
        long claimed = claim(first, end);
        if (claimed < end) {
            release(first, claimed);
            return Mono.just(BlockResult.failed(Errno.EIO));
        }
        return chain.proceed(request).doOnNext(status -> {
            if (!status.isOk()) {
                release(first, end);
            }
        });
    }

    /** Marks blocks as written; returns the first that was marked before, or the end. */
    private long claim(long first, long end) {
        for (long block = first; block < end; block++) {
            long bit = 1L << block % Long.SIZE;
            if ((written.getAndUpdate((int) (block / Long.SIZE), word -> word | bit) & bit) != 0) {
                return block;
            }
        }
        return end;
    }

    private void release(long first, long end) {
        for (long block = first; block < end; block++) {
            long bit = 1L << block % Long.SIZE;
            written.updateAndGet((int) (block / Long.SIZE), word -> word & ~bit);
        }
    }

    @Override
    public String name() {
        return Provider.NAME;
    }

    /** Registers the stage for {@code --stage write-once}. */
    public static final class Provider implements BlockStageProvider {
        static final String NAME = "write-once";

        @Override
        public String name() {
            return NAME;
        }

        @Override
        public BlockStage create(String arguments, StageContext context) {
            if (!arguments.isEmpty()) {
                throw new IllegalArgumentException("stage " + NAME + " takes no arguments, but got '" + arguments + "'");
            }
            return new WriteOnce(context.geometry());
        }
    }
}
