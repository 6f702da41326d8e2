package dev.sluice.pipeline.testing;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.IoLoop;
import java.util.ArrayDeque;

/** A sink as a user of the API would begin one: a disk that is an array, without a system call. */
final class MemorySink implements BlockSink {
    private final byte[] disk;
    private final IoLoop loop;
    private final int capacity;
    private final boolean readOnly;
    private final ArrayDeque<BlockRequest> batch = new ArrayDeque<>();
    private boolean closed;

    MemorySink(byte[] disk, IoLoop loop, int capacity, boolean readOnly) {
        this.disk = disk;
        this.loop = loop;
        this.capacity = capacity;
        this.readOnly = readOnly;
    }

    @Override
    public boolean submit(BlockRequest request) {
        loop.assertInLoop();
        if (closed || batch.size() == capacity) {
            return false;
        }
        request.submitted();
        batch.add(request);
        return true;
    }

    @Override
    public void flush() {
        loop.assertInLoop();
        for (BlockRequest request = batch.poll(); request != null; request = batch.poll()) {
            request.complete(serve(request));
        }
    }

    private int serve(BlockRequest request) {
        if (readOnly && request.op().modifies()) {
            return -Errno.EROFS;
        }
        int offset = (int) request.offsetBytes();
        int length = (int) request.lengthBytes();
        return switch (request.op()) {
            case READ, WRITE -> offset + length > disk.length ? -Errno.EIO : transfer(request, offset, length);
            case FLUSH -> 0;
            case DISCARD, WRITE_ZEROES -> -Errno.EOPNOTSUPP;
        };
    }

    private int transfer(BlockRequest request, int offset, int length) {
        synchronized (disk) {
            if (request.op() == BlockOp.READ) {
                request.copyDataFrom(0, disk, offset, length);
            } else {
                request.copyDataTo(0, disk, offset, length);
            }
        }
        return length;
    }

    @Override
    public int capacity() {
        return capacity;
    }

    @Override
    public int inFlight() {
        return batch.size();
    }

    @Override
    public void close() {
        closed = true;
        flush();
    }
}
