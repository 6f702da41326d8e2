package dev.sluice.device;

import dev.sluice.pipeline.BlockOp;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Mono;

/** A READ of sectors into a pooled buffer, part of which is then copied to the target. Emits the bytes copied; the target's position moves. */
final class CopyingRead extends Mono<Integer> {
    private final BlockDevice device;
    private final long offsetBytes;
    private final ByteBuffer sectors;
    private final int skipped;
    private final int bytes;
    private final ByteBuffer target;

    CopyingRead(BlockDevice device, long offsetBytes, ByteBuffer sectors, int skipped, int bytes, ByteBuffer target) {
        this.device = device;
        this.offsetBytes = offsetBytes;
        this.sectors = sectors;
        this.skipped = skipped;
        this.bytes = bytes;
        this.target = target;
    }

    @Override
    public void subscribe(CoreSubscriber<? super Integer> actual) {
        actual.onSubscribe(new Reading(actual));
    }

    private final class Reading extends SubscribedIo<Integer> {
        Reading(CoreSubscriber<? super Integer> actual) {
            super(CopyingRead.this.device, BlockOp.READ, CopyingRead.this.offsetBytes, 0, actual);
        }

        @Override
        void prepare() throws BlockIoException {
            device.limits().check(op(), offsetBytes(), sectors.remaining());
            long address = device.limits().address(op(), sectors);
            device.limits().pin(address, sectors);
            memory(address, sectors.remaining());
        }

        @Override
        boolean copiesBack() {
            return true;
        }

        @Override
        void copyBack() {
            target.put(sectors.slice(sectors.position() + skipped, bytes));
        }

        @Override
        boolean uses(MemorySegment memory) {
            return Scopes.whole(target).asOverlappingSlice(memory).isPresent();
        }

        @Override
        void succeeded() {
            Signals.value(actual, bytes);
        }
    }
}
