package dev.sluice.device;

import dev.sluice.pipeline.BlockOp;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import reactor.core.CoreSubscriber;

/** A READ or WRITE of several buffers of the program's, whose positions move to their limits when it succeeds. */
abstract class BuffersIo extends SubscribedIo<Integer> {
    final ByteBuffer[] buffers;
    /** Where each buffer ended when the request was prepared. */
    final int[] limits;

    BuffersIo(BlockDevice device, BlockOp op, long offsetBytes, ByteBuffer[] buffers, CoreSubscriber<? super Integer> actual) {
        super(device, op, offsetBytes, 0, actual);
        this.buffers = buffers;
        this.limits = new int[buffers.length];
    }

    @Override
    boolean uses(MemorySegment memory) {
        for (ByteBuffer buffer : buffers) {
            if (Scopes.whole(buffer).asOverlappingSlice(memory).isPresent()) {
                return true;
            }
        }
        return false;
    }

    @Override
    boolean nothingToDo() {
        return lengthBytes() == 0;
    }

    @Override
    void succeeded() {
        for (int i = 0; i < buffers.length; i++) {
            if (limits[i] <= buffers[i].limit()) {
                buffers[i].position(limits[i]);
            }
        }
        Signals.value(actual, (int) lengthBytes());
    }
}
