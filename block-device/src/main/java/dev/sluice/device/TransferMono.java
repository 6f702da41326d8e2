package dev.sluice.device;

import dev.sluice.pipeline.BlockOp;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Mono;

/** A READ or WRITE of one buffer, cold: each subscription is a request. */
final class TransferMono extends Mono<Integer> {
    private final BlockDevice device;
    private final BlockOp op;
    private final long offsetBytes;
    private final ByteBuffer buffer;

    TransferMono(BlockDevice device, BlockOp op, long offsetBytes, ByteBuffer buffer) {
        this.device = device;
        this.op = op;
        this.offsetBytes = offsetBytes;
        this.buffer = buffer;
    }

    @Override
    public void subscribe(CoreSubscriber<? super Integer> actual) {
        actual.onSubscribe(device.limits().zeroCopy(buffer)
                ? new Transfer(device, op, offsetBytes, buffer, actual)
                : new CopiedTransfer(device, op, offsetBytes, new ByteBuffer[] {buffer}, actual));
    }

    private static final class Transfer extends SubscribedIo<Integer> {
        private final ByteBuffer buffer;
        private int position;

        Transfer(BlockDevice device, BlockOp op, long offsetBytes, ByteBuffer buffer, CoreSubscriber<? super Integer> actual) {
            super(device, op, offsetBytes, 0, actual);
            this.buffer = buffer;
        }

        @Override
        void prepare() throws BlockIoException {
            position = buffer.position();
            int bytes = buffer.remaining();
            device.limits().check(op(), offsetBytes(), bytes);
            long address = device.limits().address(op(), buffer);
            if (bytes > 0) {
                device.limits().pin(address, buffer);
                memory(address, bytes);
            }
        }

        @Override
        boolean uses(MemorySegment memory) {
            return Scopes.whole(buffer).asOverlappingSlice(memory).isPresent();
        }

        @Override
        boolean nothingToDo() {
            return lengthBytes() == 0;
        }

        @Override
        void succeeded() {
            // A request moves all of its bytes or fails; a stage that completes a request itself reports success, not a length.
            int bytes = (int) lengthBytes();
            if (position + bytes <= buffer.limit()) {
                buffer.position(position + bytes);
            }
            Signals.value(actual, bytes);
        }
    }
}
