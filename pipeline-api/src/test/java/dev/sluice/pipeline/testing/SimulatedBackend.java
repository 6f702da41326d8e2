package dev.sluice.pipeline.testing;

import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.IoLoop;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/**
 * A disk in memory. It keeps two images: what a reader sees, and what would be left after a power cut. A WRITE changes
 * the first; a FLUSH, or a durable request, brings the second up to date.
 *
 * <p><b>Threading:</b> as in {@link BlockBackend}; {@link #visible}, {@link #durable} and {@link #sinkOf} when the loops are at rest or on
 * one of them. <b>Ownership:</b> the images are freed by {@link #close}.
 */
public final class SimulatedBackend implements BlockBackend {
    private static final int SECTOR_BYTES = 512;
    private static final int ALIGNMENT = 4096;

    /** A sink capacity that no test runs into by chance. */
    public static final int DEFAULT_CAPACITY = 1024;

    private final BlockGeometry geometry;
    private final int sinkCapacity;
    private final SimulatedFaults faults;
    private final NativeBlock visible;
    private final NativeBlock durable;
    private final BitSet dirtySectors = new BitSet();
    private final List<SimulatedSink> sinks = new ArrayList<>();
    private boolean closed;

    public SimulatedBackend(BlockGeometry geometry, int sinkCapacity, SimulatedFaults faults) {
        this.geometry = geometry;
        this.sinkCapacity = sinkCapacity;
        this.faults = faults;
        visible = NativeMemory.allocate(geometry.sizeBytes(), ALIGNMENT);
        durable = NativeMemory.allocate(geometry.sizeBytes(), ALIGNMENT);
    }

    /** A writable disk with DISCARD and WRITE_ZEROES on which everything goes well. */
    public static SimulatedBackend ofSize(long sizeBytes) {
        return of(sizeBytes, DEFAULT_CAPACITY, SimulatedFaults.NONE);
    }

    /** A writable disk with DISCARD and WRITE_ZEROES. */
    public static SimulatedBackend of(long sizeBytes, int sinkCapacity, SimulatedFaults faults) {
        return new SimulatedBackend(new BlockGeometry(sizeBytes, SECTOR_BYTES, ALIGNMENT, 0, false, true, true), sinkCapacity, faults);
    }

    @Override
    public String name() {
        return "simulated";
    }

    @Override
    public BlockGeometry geometry() {
        return geometry;
    }

    @Override
    public synchronized BlockSink openSink(IoLoop loop) {
        loop.assertInLoop();
        if (closed) {
            throw new IllegalStateException("the simulated backend is closed");
        }
        SimulatedSink sink = new SimulatedSink(this, loop, sinkCapacity, faults);
        sinks.add(sink);
        return sink;
    }

    /** The sink that was opened last on a loop. */
    public synchronized SimulatedSink sinkOf(IoLoop loop) {
        for (int i = sinks.size() - 1; i >= 0; i--) {
            if (sinks.get(i).loop() == loop) {
                return sinks.get(i);
            }
        }
        throw new IllegalArgumentException("no sink was opened on " + loop.name());
    }

    /** The image as readers see it. */
    public MemorySegment visible() {
        return visible.segment();
    }

    /** The image as it would be after a power cut. */
    public MemorySegment durable() {
        return durable.segment();
    }

    @Override
    public synchronized void close() {
        closed = true;
        for (SimulatedSink sink : sinks) {
            if (sink.inFlight() > 0) {
                throw new IllegalStateException("the backend is closed before its sink on " + sink.loop().name());
            }
        }
        visible.close();
        durable.close();
    }

    // ---- for the sinks

    long visibleAddress() {
        return visible.address();
    }

    synchronized void dirty(long offsetBytes, long lengthBytes) {
        dirtySectors.set(Math.toIntExact(offsetBytes / SECTOR_BYTES), Math.toIntExact((offsetBytes + lengthBytes + SECTOR_BYTES - 1) / SECTOR_BYTES));
    }

    synchronized void makeDurable() {
        for (int sector = dirtySectors.nextSetBit(0); sector >= 0; sector = dirtySectors.nextSetBit(sector + 1)) {
            long at = (long) sector * SECTOR_BYTES;
            NativeMemory.copy(visible.address() + at, durable.address() + at, SECTOR_BYTES);
        }
        dirtySectors.clear();
    }
}
