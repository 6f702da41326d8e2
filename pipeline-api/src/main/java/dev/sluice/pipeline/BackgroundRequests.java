package dev.sluice.pipeline;

import dev.sluice.linux.Errno;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Sub-requests that a stage makes on a loop with no request at hand. <b>Threading:</b> any. */
final class BackgroundRequests extends StageRequests {
    private static final Logger LOG = LoggerFactory.getLogger(BackgroundRequests.class);

    private final DiskStages disk;
    private final IoLoop loop;
    private final int stage;

    BackgroundRequests(DiskStages disk, IoLoop loop, int stage) {
        this.disk = disk;
        this.loop = loop;
        this.stage = stage;
    }

    @Override
    IoLoop loop() {
        return loop;
    }

    @Override
    String stageName() {
        return disk.nameOf(stage);
    }

    @Override
    BlockGeometry below() {
        return disk.geometryBelow(stage);
    }

    @Override
    void failed(Throwable thrown) {
        LOG.error("disk {}: stage {} failed in the background", disk.diskName(), stageName(), thrown);
    }

    @Override
    SubRequestPool pool() {
        return disk.background(loop).pool(stage);
    }

    @Override
    StageBuffers buffers() {
        return disk.background(loop).buffers(stage);
    }

    @Override
    Object owner() {
        return disk;
    }

    @Override
    int refusal() {
        return disk.isClosed() ? Errno.ESHUTDOWN : 0;
    }

    @Override
    boolean durable() {
        return false;
    }

    @Override
    void subRequestStarted() {
        disk.subRequestStarted();
    }

    @Override
    void subRequestCompleted() {
        disk.leave();
    }
}
