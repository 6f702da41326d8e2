package dev.sluice.device;

import dev.sluice.pipeline.BlockRequest;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import reactor.util.context.ContextView;

/** A request of a {@link DeviceQueue}: pooled, with its share of the queue's iovecs. The contracts of {@link BlockRequest} apply. */
final class DeviceRequest extends BlockRequest {
    private final DeviceQueue queue;
    private final long iovecs;
    private @Nullable DeviceIo io;

    DeviceRequest(DeviceQueue queue, int slot, long iovecs) {
        super(queue.loop(), queue.index(), slot);
        this.queue = queue;
        this.iovecs = iovecs;
    }

    /** FREE to PARSED. */
    void parse(DeviceIo taken, boolean writeThrough) {
        io = taken;
        int count = taken.layOut(iovecs);
        parsed(taken.op(), taken.offsetBytes() / SECTOR_BYTES, taken.lengthBytes(), count == 0 ? 0 : iovecs, count);
        setDurable(writeThrough && taken.op().modifies());
        setMayUnmap(taken.mayUnmap());
    }

    @Override
    protected ContextView context() {
        return Objects.requireNonNull(io, "a request without a call").context();
    }

    @Override
    protected void completed(int result) {
        DeviceIo completed = Objects.requireNonNull(io, "a request without a call");
        io = null;
        queue.completed(this, completed, result);
    }
}
