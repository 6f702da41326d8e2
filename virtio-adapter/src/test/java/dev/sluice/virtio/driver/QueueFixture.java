package dev.sluice.virtio.driver;

import dev.sluice.virtio.layout.VirtioFeatures;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** A queue, its oracle, and what came out of the queue. */
final class QueueFixture implements AutoCloseable, CompletionHandler {
    static final int DISK_BYTES = 1 << 20;

    /** What the handler was told. */
    record Completion(int slot, int status, int writtenBytes) {}

    final DriverMemory memory;
    final DriverQueue queue;
    final OracleDevice device;
    final List<Completion> completions = new ArrayList<>();

    private QueueFixture(QueueShape shape, long features, int startAt) throws IOException {
        memory = DriverMemory.ofOneRegion(shape.memoryBytes());
        queue = DriverQueue.create(0, shape, features, memory.regions().getFirst());
        queue.ring().startAt(startAt);
        device = new OracleDevice(queue, memory, (features & VirtioFeatures.EVENT_IDX) != 0, DISK_BYTES);
    }

    static QueueFixture create(QueueShape shape, boolean indirect, boolean eventIdx, int startAt) throws IOException {
        long features = VirtioFeatures.VERSION_1
                | (indirect ? VirtioFeatures.INDIRECT_DESC : 0)
                | (eventIdx ? VirtioFeatures.EVENT_IDX : 0);
        return new QueueFixture(shape, features, startAt);
    }

    static QueueFixture create(QueueShape shape) throws IOException {
        return create(shape, true, true, 0);
    }

    @Override
    public void completed(int slot, int status, int writtenBytes) {
        completions.add(new Completion(slot, status, writtenBytes));
    }

    int poll() {
        return queue.poll(this);
    }

    @Override
    public void close() {
        queue.close();
        memory.close();
    }
}
