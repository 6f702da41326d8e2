package dev.sluice.pipeline;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;

/**
 * The buffers of one stage on one loop: small ones for the many requests of a few sectors, large ones for the others. Whoever finds none waits, in order.
 *
 * <p>Capacity: 256 x 16 KiB + 16 x 512 KiB = 12 MiB, half of it allocated when the first small one is needed, half with the first large one.
 *
 * <p><b>Threading:</b> the loop, but for {@link #returned}. <b>Ownership:</b> the memory is freed when the pool has been closed and all blocks are back.
 * <b>Allocation:</b> none once the memory is there and the queues of waiting uses have grown.
 */
final class StageBuffers {
    static final int SMALL_BYTES = 16 * 1024;
    static final int LARGE_BYTES = 512 * 1024;
    static final int SMALL_COUNT = 256;
    static final int LARGE_COUNT = 16;
    private static final int ALIGNMENT = 4096;

    private final IoLoop loop;
    private final Sizes small;
    private final Sizes large;
    private boolean closed;

    /** A buffer's memory. */
    static final class Block {
        private final Sizes sizes;
        private final MemorySegment segment;
        private final long address;
        /** For whom it is in use. */
        private @Nullable Object owner;

        Block(Sizes sizes, MemorySegment segment) {
            this.sizes = sizes;
            this.segment = segment;
            this.address = segment.address();
        }

        StageBuffers pool() {
            return sizes.pool();
        }

        MemorySegment segment() {
            return segment;
        }

        long address() {
            return address;
        }
    }

    /** @param alignment of the disk, a power of two */
    StageBuffers(IoLoop loop, int alignment) {
        this.loop = loop;
        this.small = new Sizes(SMALL_BYTES, SMALL_COUNT, Math.max(ALIGNMENT, alignment));
        this.large = new Sizes(LARGE_BYTES, LARGE_COUNT, Math.max(ALIGNMENT, alignment));
    }

    /** Grants a buffer, perhaps in this call, or refuses it. */
    void acquire(BufferUse<?> use) {
        Sizes sizes = use.bytes() <= SMALL_BYTES ? small : large;
        if (closed) {
            use.refused();
            return;
        }
        sizes.waiting.add(use);
        sizes.serve();
    }

    /** Refuses what waits for a request that has ended. */
    void refuseEnded() {
        small.refuseEnded();
        large.refuseEnded();
    }

    /** Takes a block back. Any thread. */
    void returned(Block block) {
        if (loop.inLoop()) {
            block.sizes.returned(block);
            return;
        }
        try {
            loop.execute(() -> block.sizes.returned(block));
        } catch (RejectedExecutionException ended) {
            // Nobody waits on that loop any more; the memory stays until the process ends.
        }
    }

    /** Takes back the blocks of an owner to which nothing refers any more. */
    void reclaim(Object owner) {
        small.reclaim(owner);
        large.reclaim(owner);
    }

    /** Blocks that are not in the pool. */
    int inUse() {
        return small.inUse + large.inUse;
    }

    /** Refuses what waits. Idempotent. */
    void close() {
        closed = true;
        small.close();
        large.close();
    }

    /** Buffers of one size. */
    final class Sizes {
        private final int blockBytes;
        private final int alignment;
        private final Block[] blocks;
        private final Block[] free;
        private final ArrayDeque<BufferUse<?>> waiting = new ArrayDeque<>();
        private @Nullable Arena arena;
        private int freeCount;
        private int inUse;
        private boolean serving;

        Sizes(int blockBytes, int count, int alignment) {
            this.blockBytes = blockBytes;
            this.alignment = alignment;
            this.blocks = new Block[count];
            this.free = new Block[count];
        }

        StageBuffers pool() {
            return StageBuffers.this;
        }

        private void allocate() {
            Arena made = Arena.ofShared();
            MemorySegment all = made.allocate((long) blockBytes * free.length, alignment);
            for (int i = 0; i < free.length; i++) {
                blocks[i] = new Block(this, all.asSlice((long) blockBytes * i, blockBytes));
                free[i] = blocks[i];
            }
            arena = made;
            freeCount = free.length;
        }

        /** Not inside itself: what a use does may end it and ask for the next. */
        void serve() {
            if (serving) {
                return;
            }
            serving = true;
            try {
                while (!waiting.isEmpty() && (freeCount > 0 || arena == null)) {
                    serve(waiting.remove());
                }
            } finally {
                serving = false;
            }
        }

        private void serve(BufferUse<?> use) {
            if (use.hasEnded() || use.isOver()) {
                use.refused();
                return;
            }
            try {
                if (arena == null) {
                    allocate();
                }
            } catch (Throwable noMemory) {
                use.failed(noMemory);
                return;
            }
            Block block = free[--freeCount];
            inUse++;
            block.owner = use.owner();
            if (use.grant(block)) {
                use.run();
            } else {
                returned(block);
            }
        }

        void returned(Block block) {
            inUse--;
            block.owner = null;
            free[freeCount++] = block;
            if (closed) {
                freeMemory();
            } else {
                serve();
            }
        }

        void refuseEnded() {
            waiting.removeIf(use -> {
                boolean over = use.isOver();
                if (over) {
                    use.refused();
                }
                return over;
            });
        }

        void reclaim(Object owner) {
            for (int i = 0; i < blocks.length && inUse > 0; i++) {
                if (blocks[i].owner == owner) {
                    returned(blocks[i]);
                }
            }
        }

        void close() {
            while (!waiting.isEmpty()) {
                waiting.remove().refused();
            }
            freeMemory();
        }

        private void freeMemory() {
            Arena used = arena;
            if (used != null && inUse == 0) {
                arena = null;
                freeCount = 0;
                used.close();
            }
        }
    }
}
