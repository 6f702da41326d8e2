package dev.sluice.device;

import dev.sluice.pipeline.BlockOp;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Mono;

/** A FLUSH, DISCARD or WRITE_ZEROES, cold: each subscription is a request. */
final class ControlMono extends Mono<Void> {
    private final BlockDevice device;
    private final BlockOp op;
    private final long offsetBytes;
    private final long lengthBytes;
    private final boolean mayUnmap;

    ControlMono(BlockDevice device, BlockOp op, long offsetBytes, long lengthBytes, boolean mayUnmap) {
        this.device = device;
        this.op = op;
        this.offsetBytes = offsetBytes;
        this.lengthBytes = lengthBytes;
        this.mayUnmap = mayUnmap;
    }

    @Override
    public void subscribe(CoreSubscriber<? super Void> actual) {
        actual.onSubscribe(new Control(this, actual));
    }

    private static final class Control extends SubscribedIo<Void> {
        private final boolean mayUnmap;

        Control(ControlMono asked, CoreSubscriber<? super Void> actual) {
            super(asked.device, asked.op, asked.offsetBytes, asked.lengthBytes, actual);
            this.mayUnmap = asked.mayUnmap;
        }

        @Override
        boolean mayUnmap() {
            return mayUnmap;
        }

        @Override
        void prepare() throws BlockIoException {
            device.limits().check(op(), offsetBytes(), lengthBytes());
        }

        @Override
        boolean nothingToDo() {
            return op() != BlockOp.FLUSH && lengthBytes() == 0;
        }

        @Override
        void succeeded() {
            Signals.complete(actual);
        }
    }
}
