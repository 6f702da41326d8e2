package dev.sluice.device;

import dev.sluice.pipeline.BlockOp;
import java.nio.ByteBuffer;
import java.util.Arrays;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Mono;

/** A READ or WRITE of several buffers in one request, cold: each subscription is a request. */
final class VectorMono extends Mono<Integer> {
    private final BlockDevice device;
    private final BlockOp op;
    private final long offsetBytes;
    private final ByteBuffer[] buffers;

    VectorMono(BlockDevice device, BlockOp op, long offsetBytes, ByteBuffer[] buffers) {
        this.device = device;
        this.op = op;
        this.offsetBytes = offsetBytes;
        this.buffers = buffers;
    }

    @Override
    public void subscribe(CoreSubscriber<? super Integer> actual) {
        actual.onSubscribe(zeroCopy() ? new Transfer(device, op, offsetBytes, buffers, actual) : new CopiedTransfer(device, op, offsetBytes, buffers, actual));
    }

    private boolean zeroCopy() {
        for (ByteBuffer buffer : buffers) {
            if (!device.limits().zeroCopy(buffer)) {
                return false;
            }
        }
        return true;
    }

    private static final class Transfer extends BuffersIo {
        Transfer(BlockDevice device, BlockOp op, long offsetBytes, ByteBuffer[] buffers, CoreSubscriber<? super Integer> actual) {
            super(device, op, offsetBytes, buffers, actual);
        }

        @Override
        void prepare() throws BlockIoException {
            long[] segments = new long[2 * buffers.length];
            long bytes = 0;
            int used = 0;
            for (int i = 0; i < buffers.length; i++) {
                ByteBuffer buffer = buffers[i];
                limits[i] = buffer.limit();
                if (buffer.hasRemaining()) {
                    segments[used++] = device.limits().address(op(), buffer);
                    segments[used++] = buffer.remaining();
                    bytes += buffer.remaining();
                }
            }
            device.limits().checkSegments(used / 2);
            device.limits().check(op(), offsetBytes(), bytes);
            if (bytes > 0) {
                long[] exact = Arrays.copyOf(segments, used);
                pinAll(exact);
                memory(exact, bytes);
            }
        }

        private void pinAll(long[] segments) {
            int pinned = 0;
            int next = 0;
            try {
                for (; pinned < segments.length; pinned += 2) {
                    while (!buffers[next].hasRemaining()) {
                        next++;
                    }
                    device.limits().pin(segments[pinned], buffers[next++]);
                }
            } catch (Throwable refusal) {
                for (int i = 0; i < pinned; i += 2) {
                    device.buffers().unpin(segments[i]);
                }
                throw refusal;
            }
        }
    }
}
