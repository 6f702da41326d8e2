package dev.sluice.pipeline.testing;

import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.IoLoop;

/** What every sink does, from one in memory: {@link BlockSinkContract} asks for nothing that only a sink on an image can have. */
@TestsSink(MemorySink.class)
class MemorySinkTest extends BlockSinkContract {
    private byte[] disk = {};

    @Override
    protected IoLoop openLoop() {
        return PollLoop.start("memory-sink-test");
    }

    @Override
    protected BlockBackend openBackend(long sizeBytes, int sinkCapacity, boolean readOnly) {
        disk = new byte[(int) sizeBytes];
        return new MemoryBackend(disk, sinkCapacity, readOnly);
    }

    @Override
    protected byte[] stableContents() {
        return disk;
    }

    private static final class MemoryBackend implements BlockBackend {
        private final byte[] disk;
        private final int sinkCapacity;
        private final boolean readOnly;

        MemoryBackend(byte[] disk, int sinkCapacity, boolean readOnly) {
            this.disk = disk;
            this.sinkCapacity = sinkCapacity;
            this.readOnly = readOnly;
        }

        @Override
        public String name() {
            return "memory";
        }

        @Override
        public BlockGeometry geometry() {
            return new BlockGeometry(disk.length, 512, 512, 0, readOnly, false, false);
        }

        @Override
        public BlockSink openSink(IoLoop loop) {
            return new MemorySink(disk, loop, sinkCapacity, readOnly);
        }

        @Override
        public void close() {}
    }
}
