package dev.sluice.aio.nullbackend;

import dev.sluice.linux.Errno;
import dev.sluice.linux.Iovec;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.IoLoop;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Completes the batch of a tick when it is flushed. What is submitted by those who hear of that waits for the next tick, so that a stage that tries
 * again for ever does not keep the loop.
 *
 * <p><b>Threading:</b> the loop's thread. <b>Failure:</b> EFAULT for a read into memory that has gone. <b>Allocation:</b> none.
 */
final class NullSink implements BlockSink {
    private static final Logger LOG = LoggerFactory.getLogger(NullSink.class);

    private final IoLoop loop;
    private final boolean readOnly;
    private final boolean readZeroes;
    private final BlockRequest[] batch;
    private final IoLoop.Turn completeRest = this::completeRest;

    private int first;
    private int count;
    private boolean completing;
    /** What is in the batch waits for a turn. */
    private boolean late;
    private boolean closed;

    NullSink(IoLoop loop, boolean readOnly, boolean readZeroes, int capacity) {
        this.loop = loop;
        this.readOnly = readOnly;
        this.readZeroes = readZeroes;
        this.batch = new BlockRequest[capacity];
    }

    @Override
    public boolean submit(BlockRequest request) {
        if (count == batch.length || closed) {
            return false;
        }
        request.submitted();
        int at = first + count++;
        batch[at < batch.length ? at : at - batch.length] = request;
        if (completing && !late) {
            late = true;
            loop.requestTurn(completeRest);
        }
        return true;
    }

    @Override
    public void flush() {
        if (!late) {
            complete();
        }
    }

    private boolean completeRest() {
        late = false;
        complete();
        return false;
    }

    private void complete() {
        completing = true;
        for (int left = count; left > 0; left--) {
            BlockRequest request = batch[first];
            first = first + 1 == batch.length ? 0 : first + 1;
            count--;
            try {
                request.complete(result(request));
            } catch (RuntimeException | Error failed) {
                LOG.error("{}: completing a request", loop.name(), failed);
            }
        }
        completing = false;
    }

    private int result(BlockRequest request) {
        BlockOp op = request.op();
        if (readOnly && op.modifies()) {
            return -Errno.EROFS;
        }
        if (op != BlockOp.READ && op != BlockOp.WRITE) {
            return 0;
        }
        if (readZeroes && op == BlockOp.READ && !fill(request)) {
            return -Errno.EFAULT;
        }
        return (int) Math.min(request.lengthBytes(), Integer.MAX_VALUE);
    }

    private static boolean fill(BlockRequest request) {
        try {
            for (int i = 0; i < request.iovecCount(); i++) {
                NativeMemory.fill(Iovec.base(request.iovecsAddress(), i), Iovec.length(request.iovecsAddress(), i), (byte) 0);
            }
            NativeMemory.surfaceFault();
            return true;
        } catch (InternalError truncated) {
            return false;
        }
    }

    @Override
    public int capacity() {
        return batch.length;
    }

    @Override
    public int inFlight() {
        return count;
    }

    @Override
    public void close() {
        closed = true;
        late = false;
        complete();
    }
}
