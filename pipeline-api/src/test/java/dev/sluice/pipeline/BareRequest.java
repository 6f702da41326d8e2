package dev.sluice.pipeline;

/** A request without a queue behind it; counts its answers, and keeps the last one. */
class BareRequest extends BlockRequest {
    int answers;
    int answered;

    BareRequest(IoLoop loop, int queueIndex, int slot) {
        super(loop, queueIndex, slot);
    }

    BareRequest parse(BlockOp op) {
        return parse(op, 0, 0, 0);
    }

    BareRequest parse(BlockOp op, long sector) {
        parsed(op, sector, 0, 0, 0);
        return this;
    }

    /** With data, or as if with data, in an array of iovecs that the test has. */
    BareRequest parse(BlockOp op, long lengthBytes, long iovecsAddress, int iovecCount) {
        parsed(op, 0, lengthBytes, iovecsAddress, iovecCount);
        return this;
    }

    @Override
    protected void completed(int result) {
        answers++;
        answered = result;
    }
}
