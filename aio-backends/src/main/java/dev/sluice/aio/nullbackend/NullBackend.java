package dev.sluice.aio.nullbackend;

import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.IoLoop;

/**
 * A disk that does nothing: every request succeeds at once. Writes are gone; reads leave their buffers as they are, or give zeroes where that is
 * asked for. What it shows is what everything before the sink costs.
 *
 * <p><b>Threading</b>, <b>ownership:</b> as {@link BlockBackend} says; any kind of loop. It has no provider, as there is no image to open.
 */
public final class NullBackend implements BlockBackend {
    /** The name behind {@code --backend}. */
    public static final String NAME = "null";

    private static final int LOGICAL_BLOCK_BYTES = 512;
    private static final int PHYSICAL_BLOCK_BYTES = 4096;

    private final BlockGeometry geometry;
    private final boolean readZeroes;
    private final int sinkCapacity;

    /**
     * Makes a disk.
     *
     * @param sizeBytes its size, a positive multiple of 512
     * @param readZeroes whether reads fill their buffers with zeroes
     * @param sinkCapacity requests that one loop's sink takes at once, at least 1
     * @throws IllegalArgumentException naming what is out of range
     */
    public NullBackend(long sizeBytes, boolean readOnly, boolean readZeroes, int sinkCapacity) {
        if (sizeBytes <= 0) {
            throw new IllegalArgumentException("a disk of " + sizeBytes + " bytes has no room for anything");
        }
        if (sinkCapacity < 1) {
            throw new IllegalArgumentException("sink capacity " + sinkCapacity + " is below 1");
        }
        this.geometry = new BlockGeometry(sizeBytes, LOGICAL_BLOCK_BYTES, PHYSICAL_BLOCK_BYTES, 0, readOnly, true, true);
        this.readZeroes = readZeroes;
        this.sinkCapacity = sinkCapacity;
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public BlockGeometry geometry() {
        return geometry;
    }

    @Override
    public BlockSink openSink(IoLoop loop) {
        loop.assertInLoop();
        return new NullSink(loop, geometry.readOnly(), readZeroes, sinkCapacity);
    }

    /** There is nothing to close. */
    @Override
    public void close() {}

    @Override
    public String toString() {
        return NAME + " of " + geometry.sizeBytes() + " bytes";
    }
}
