package dev.sluice.examples;

import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.virtio.vhostuser.VhostUserServer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Everything that serves one disk, in the order in which it is taken down: first no more requests, then none in flight, then
 * the threads, the image last.
 *
 * @param description for the ready line
 */
record ServedDisk(
        VhostUserServer server,
        BlockPipeline pipeline,
        List<IoLoop> loops,
        BlockBackend backend,
        @Nullable StatsFile stats,
        String description)
        implements AutoCloseable {

    /** Drains and frees. A second call finds nothing to do. */
    @Override
    public synchronized void close() {
        server.close();
        pipeline.close();
        if (stats != null) {
            stats.close();
        }
        loops.forEach(IoLoop::close);
        backend.close();
    }
}
