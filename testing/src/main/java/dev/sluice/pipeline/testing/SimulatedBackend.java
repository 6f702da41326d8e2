package dev.sluice.pipeline.testing;

import dev.sluice.pipeline.BackendHealth;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.IoLoop;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
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
    private static final int PHYSICAL_BLOCK_BYTES = 4096;

    /** A sink capacity that no test runs into by chance. */
    public static final int DEFAULT_CAPACITY = 1024;

    private final BlockGeometry geometry;
    private final int sinkCapacity;
    private final SimulatedFaults faults;
    private final SimulatedDisk disk;
    private final List<SimulatedSink> sinks = new ArrayList<>();
    private SimulatedSink.Pace pace = SimulatedSink.Pace.NEXT_TICK;
    private boolean closed;

    public SimulatedBackend(BlockGeometry geometry, int sinkCapacity, SimulatedFaults faults) {
        this(geometry, sinkCapacity, faults, new SystemCallFaults());
    }

    /** A disk whose "system calls" give what a test decides, beside faults by chance. */
    public SimulatedBackend(BlockGeometry geometry, int sinkCapacity, SimulatedFaults faults, SystemCallFaults calls) {
        this.geometry = geometry;
        this.sinkCapacity = sinkCapacity;
        this.faults = faults;
        this.disk = new SimulatedDisk(geometry, calls);
    }

    /** A writable disk with DISCARD and WRITE_ZEROES on which everything goes well. */
    public static SimulatedBackend ofSize(long sizeBytes) {
        return of(sizeBytes, DEFAULT_CAPACITY, SimulatedFaults.NONE);
    }

    /** A writable disk with DISCARD and WRITE_ZEROES. */
    public static SimulatedBackend of(long sizeBytes, int sinkCapacity, SimulatedFaults faults) {
        return new SimulatedBackend(new BlockGeometry(sizeBytes, SECTOR_BYTES, PHYSICAL_BLOCK_BYTES, 0, false, true, true), sinkCapacity, faults);
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
    public BackendHealth health() {
        return new BackendHealth(disk.writebackFailed(), 0);
    }

    @Override
    public synchronized BlockSink openSink(IoLoop loop) {
        loop.assertInLoop();
        if (closed) {
            throw new IllegalStateException("the simulated backend is closed");
        }
        SimulatedSink sink = new SimulatedSink(disk, loop, sinkCapacity, faults);
        sink.pace(pace);
        sinks.add(sink);
        return sink;
    }

    /** The pace of the sinks that are opened from now on. */
    public synchronized void pace(SimulatedSink.Pace chosen) {
        pace = chosen;
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
        return disk.visible();
    }

    /** The image as it would be after a power cut. */
    public MemorySegment durable() {
        return disk.durable();
    }

    @Override
    public synchronized void close() {
        closed = true;
        for (SimulatedSink sink : sinks) {
            if (sink.inFlight() > 0) {
                throw new IllegalStateException("the backend is closed before its sink on " + sink.loop().name());
            }
        }
        disk.close();
    }
}
