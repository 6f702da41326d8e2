package dev.sluice.bench.device;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousFileChannel;
import java.nio.channels.CompletionHandler;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** {@link AsynchronousFileChannel} with a thread for each request in flight; handlers issue the next request. */
final class AsyncFileCandidate implements Candidate {

    @Override
    public String name() {
        return "AsynchronousFileChannel";
    }

    @Override
    public DeviceFigures run(DevicePlan plan) throws IOException, InterruptedException {
        try (ExecutorService threads = Executors.newFixedThreadPool(plan.depth(), Thread.ofPlatform().daemon().name("async-file-", 0).factory());
                AsynchronousFileChannel channel = AsynchronousFileChannel.open(plan.path(), DirectFiles.options(plan), threads)) {
            DeviceLoad load = new DeviceLoad(plan, channel.size());
            for (LoadSlot slot : load.slots()) {
                new Requests(channel, slot, DirectFiles.buffer(plan.blockBytes())).next();
            }
            return load.measure(plan);
        }
    }

    private record Requests(AsynchronousFileChannel channel, LoadSlot slot, ByteBuffer buffer) implements CompletionHandler<Integer, LoadSlot> {
        void next() {
            if (!slot.begin()) {
                return;
            }
            if (slot.reads()) {
                channel.read(buffer.clear(), slot.offsetBytes(), slot, this);
            } else {
                channel.write(buffer.clear(), slot.offsetBytes(), slot, this);
            }
        }

        @Override
        public void completed(Integer bytes, LoadSlot attachment) {
            slot.ended(bytes);
            next();
        }

        @Override
        public void failed(Throwable failure, LoadSlot attachment) {
            slot.ended(-1);
            next();
        }
    }
}
