package dev.sluice.pipeline;


/** A request without data and without a queue behind it; counts its answers. */
final class BareRequest extends BlockRequest {
    int answers;

    BareRequest(IoLoop loop, int queueIndex, int slot) {
        super(loop, queueIndex, slot);
    }

    BareRequest parse(BlockOp op) {
        parsed(op, 0, 0, 0, 0);
        return this;
    }

    @Override
    protected void answer(int result) {
        answers++;
    }
}
