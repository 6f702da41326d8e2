package dev.sluice.pipeline;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the stages of a disk have on one of its loops: buffers for requests, and a scope with buffers of its own for what they do in the background. Loop thread
 * only.
 */
final class StageLoop {
    private static final Logger LOG = LoggerFactory.getLogger(StageLoop.class);

    /** Sub-requests of a stage's background. */
    private static final int BACKGROUND_SUB_REQUESTS = 64;

    private final StageBuffers[] buffers;
    private final StageBuffers[] backgroundBuffers;
    private final StageScope background;

    StageLoop(IoLoop loop, DiskStages disk, SharedSink sink, int stages) {
        this.buffers = buffers(loop, disk, stages);
        // Of its own: background work that has a buffer may wait for requests that want one.
        this.backgroundBuffers = buffers(loop, disk, stages);
        this.background = new StageScope(
                loop, StageScope.BACKGROUND, sink, disk, backgroundBuffers, BACKGROUND_SUB_REQUESTS, LOG, "disk " + disk.diskName() + ", background");
    }

    private static StageBuffers[] buffers(IoLoop loop, DiskStages disk, int stages) {
        StageBuffers[] made = new StageBuffers[stages];
        for (int i = 0; i < stages; i++) {
            made[i] = new StageBuffers(loop, disk.geometryBelow(i).physicalBlockBytes());
        }
        return made;
    }

    /** By stage. */
    StageBuffers[] buffers() {
        return buffers;
    }

    StageScope background() {
        return background;
    }

    /** Fails what is in the background; the memory is freed when it has come back. Idempotent. */
    void close() {
        background.expire();
        background.close();
        for (int i = 0; i < buffers.length; i++) {
            buffers[i].close();
            backgroundBuffers[i].close();
        }
    }
}
