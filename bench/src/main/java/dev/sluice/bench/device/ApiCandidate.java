package dev.sluice.bench.device;

import dev.sluice.device.BlockBuffer;
import dev.sluice.device.BlockDevice;
import dev.sluice.device.BlockDeviceOptions;
import dev.sluice.pipeline.Providers;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Mono;

/** {@link BlockDevice}: a Mono per request; each completion issues the next request. */
final class ApiCandidate implements Candidate {
    private final Providers.Choice choice;

    ApiCandidate(Providers.Choice choice) {
        this.choice = choice;
    }

    @Override
    public String name() {
        return "BlockDevice " + choice.backend().name() + (choice.backend().name().equals(choice.loop().name()) ? "" : " on " + choice.loop().name());
    }

    @Override
    public DeviceFigures run(DevicePlan plan) throws IOException, InterruptedException {
        BlockDeviceOptions options = BlockDeviceOptions.builder()
                .backend(choice.backend().name())
                .loop(choice.loop().name())
                .readOnly(plan.readsOnly())
                .direct(plan.direct())
                .queueDepth(plan.depth())
                .buffers(plan.depth(), plan.blockBytes())
                .build();
        try (BlockDevice device = BlockDevice.open(plan.path(), options)) {
            DeviceLoad load = new DeviceLoad(plan, device.sizeBytes());
            List<BlockBuffer> buffers = new ArrayList<>();
            try {
                for (LoadSlot slot : load.slots()) {
                    BlockBuffer buffer = Objects.requireNonNull(device.buffers().tryTake());
                    buffers.add(buffer);
                    new Requests(device, slot, buffer.bytes()).next();
                }
                return load.measure(plan);
            } finally {
                buffers.forEach(BlockBuffer::close);
            }
        }
    }

    /** One subscriber for all requests of a slot, so that all allocations are the device's. */
    private static final class Requests implements CoreSubscriber<Integer> {
        private final BlockDevice device;
        private final LoadSlot slot;
        private final ByteBuffer buffer;
        private int moved;

        Requests(BlockDevice device, LoadSlot slot, ByteBuffer buffer) {
            this.device = device;
            this.slot = slot;
            this.buffer = buffer;
        }

        void next() {
            if (slot.begin()) {
                ByteBuffer all = buffer.clear();
                Mono<Integer> request = slot.reads() ? device.read(slot.offsetBytes(), all) : device.write(slot.offsetBytes(), all);
                request.subscribe(this);
            }
        }

        @Override
        public void onSubscribe(Subscription subscription) {
            subscription.request(Long.MAX_VALUE);
        }

        @Override
        public void onNext(Integer bytes) {
            moved = bytes;
        }

        @Override
        public void onError(Throwable error) {
            slot.ended(-1);
            next();
        }

        @Override
        public void onComplete() {
            slot.ended(moved);
            next();
        }
    }
}
