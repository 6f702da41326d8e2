package dev.sluice.aio.netty;

import dev.sluice.device.BlockBuffer;
import dev.sluice.device.BlockDevice;
import dev.sluice.device.BlockDeviceOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.IoLoop;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Phaser;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;

/** Reads through the sink of a loop, so many at a time: the end of each begins the next, on the loop's thread. Closing it waits for those in flight. */
final class ReadLoad implements AutoCloseable {
    static final int DEPTH = 32;
    private static final int BLOCK_BYTES = 4096;

    private final BlockDevice device;
    private final List<BlockBuffer> buffers = new ArrayList<>();
    private final Phaser running = new Phaser(1);
    private volatile boolean stopping;
    private volatile long reads;
    private volatile long failures;

    ReadLoad(BlockBackend backend, IoLoop loop) {
        device = BlockDevice.open(backend, List.of(loop), BlockDeviceOptions.builder().buffers(DEPTH, BLOCK_BYTES).build());
        for (int i = 0; i < DEPTH; i++) {
            BlockBuffer buffer = Objects.requireNonNull(device.buffers().tryTake());
            buffers.add(buffer);
            int _ = running.register();
            new Reader(buffer.bytes(), (long) i * BLOCK_BYTES).next();
        }
    }

    long reads() {
        return reads;
    }

    long failures() {
        return failures;
    }

    private final class Reader implements CoreSubscriber<Integer> {
        private final ByteBuffer buffer;
        private final long offset;

        Reader(ByteBuffer buffer, long offset) {
            this.buffer = buffer;
            this.offset = offset;
        }

        void next() {
            if (stopping) {
                int _ = running.arriveAndDeregister();
                return;
            }
            device.read(offset, buffer.clear()).subscribe(this);
        }

        @Override
        public void onSubscribe(Subscription subscription) {
            subscription.request(Long.MAX_VALUE);
        }

        @Override
        @SuppressWarnings("NonAtomicVolatileUpdate") // one writer, the loop
        public void onNext(Integer bytes) {
            reads++;
        }

        @Override
        @SuppressWarnings("NonAtomicVolatileUpdate") // one writer, the loop
        public void onError(Throwable error) {
            failures++;
            next();
        }

        @Override
        public void onComplete() {
            next();
        }
    }

    @Override
    public void close() {
        stopping = true;
        int _ = running.arriveAndAwaitAdvance();
        buffers.forEach(BlockBuffer::close);
        device.close();
    }
}
