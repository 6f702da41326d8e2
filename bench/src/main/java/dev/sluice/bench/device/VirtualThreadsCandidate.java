package dev.sluice.bench.device;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;

/** A virtual thread for each request in flight, which blocks in {@link FileChannel}. */
final class VirtualThreadsCandidate implements Candidate {

    @Override
    public String name() {
        return "virtual threads on FileChannel";
    }

    @Override
    public DeviceFigures run(DevicePlan plan) throws IOException, InterruptedException {
        try (FileChannel channel = FileChannel.open(plan.path(), DirectFiles.options(plan))) {
            DeviceLoad load = new DeviceLoad(plan, channel.size());
            for (LoadSlot slot : load.slots()) {
                ByteBuffer buffer = DirectFiles.buffer(plan.blockBytes());
                Thread.ofVirtual().start(() -> work(channel, slot, buffer));
            }
            return load.measure(plan);
        }
    }

    private static void work(FileChannel channel, LoadSlot slot, ByteBuffer buffer) {
        while (slot.begin()) {
            try {
                slot.ended(slot.reads() ? channel.read(buffer.clear(), slot.offsetBytes()) : channel.write(buffer.clear(), slot.offsetBytes()));
            } catch (IOException failed) {
                slot.ended(-1);
            }
        }
    }
}
