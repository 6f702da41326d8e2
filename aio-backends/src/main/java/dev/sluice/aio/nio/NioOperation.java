package dev.sluice.aio.nio;

import dev.sluice.aio.image.OpenImage;
import dev.sluice.aio.retry.RetryBackoff;
import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * One request's way through blocking calls. A slot of a sink, used again and again.
 *
 * <p><b>Threading:</b> {@link #begin} and {@link #end} on the loop, {@link #run} on a thread in between; executor and finished queue order them.
 * <b>Failure:</b> the result is a negative errno. <b>Allocation:</b> a buffer an iovec.
 */
final class NioOperation implements Runnable {
    private static final int ZERO_BYTES = 256 * 1024;

    private final NioSink sink;
    private final NioImage image;
    private final CallSeam seam;
    private final RetryBackoff retries = new RetryBackoff();
    private @Nullable BlockRequest request;
    private boolean decided;
    private int result;

    NioOperation(NioSink sink, NioImage image, CallSeam seam) {
        this.sink = sink;
        this.image = image;
        this.seam = seam;
    }

    void begin(BlockRequest taken) {
        request = taken;
        result = refusal(taken);
        decided = result < 0 || (taken.op() != BlockOp.FLUSH && taken.lengthBytes() == 0);
    }

    private int refusal(BlockRequest taken) {
        int refusal = image.refusal(taken);
        if (refusal != 0) {
            return refusal;
        }
        return switch (taken.op()) {
            case READ, WRITE, FLUSH, WRITE_ZEROES -> 0;
            case DISCARD -> -Errno.EOPNOTSUPP;
        };
    }

    /** True where the result is there already. */
    boolean needsNoThread() {
        return decided;
    }

    int result() {
        return result;
    }

    BlockRequest end() {
        BlockRequest ended = current();
        request = null;
        return ended;
    }

    private BlockRequest current() {
        BlockRequest asked = request;
        if (asked == null) {
            throw new IllegalStateException("an operation without a request");
        }
        return asked;
    }

    @Override
    public void run() {
        try {
            result = perform(current());
        } catch (RuntimeException | Error bug) {
            result = FileErrors.errno(bug);
        }
        sink.finished(this);
    }

    private int perform(BlockRequest asked) {
        int done = switch (asked.op()) {
            case READ, WRITE -> transfer(asked);
            case WRITE_ZEROES -> writeZeroes(asked);
            case FLUSH -> 0;
            case DISCARD -> -Errno.EOPNOTSUPP;
        };
        if (done < 0 || !OpenImage.promises(asked)) {
            return done;
        }
        int synced = call(CallSeam.Call.SYNC, null, ByteBuffer.allocate(0), 0);
        return synced < 0 ? synced : done;
    }

    private int transfer(BlockRequest asked) {
        boolean reads = asked.op() == BlockOp.READ;
        long offset = asked.offsetBytes();
        for (int i = 0; i < asked.iovecCount(); i++) {
            long at = 0;
            for (ByteBuffer rest = asked.callBuffer(i, at); rest.hasRemaining(); rest = asked.callBuffer(i, at)) {
                int bytes = rest.remaining();
                FileChannel channel = image.channel(MemorySegment.ofBuffer(rest).address(), offset, bytes);
                int moved = call(reads ? CallSeam.Call.READ : CallSeam.Call.WRITE, channel, rest, offset);
                if (moved < 0) {
                    return moved;
                }
                if (moved == 0) {
                    return reads ? endOfFile() : -Errno.ENOSPC;
                }
                if (moved < bytes) {
                    sink.continued();
                }
                at += moved;
                offset += moved;
            }
        }
        return (int) Math.min(asked.lengthBytes(), Integer.MAX_VALUE);
    }

    /** The file is shorter than the disk: somebody has truncated it. */
    private int endOfFile() {
        image.size().look();
        return -Errno.EIO;
    }

    private int writeZeroes(BlockRequest asked) {
        ByteBuffer zeroes = ByteBuffer.allocateDirect((int) Math.min(ZERO_BYTES, asked.lengthBytes()));
        long end = asked.offsetBytes() + asked.lengthBytes();
        for (long at = asked.offsetBytes(); at < end;) {
            zeroes.clear().limit((int) Math.min(zeroes.capacity(), end - at));
            int moved = call(CallSeam.Call.WRITE, image.channel(1, at, zeroes.limit()), zeroes, at);
            if (moved <= 0) {
                return moved < 0 ? moved : -Errno.ENOSPC;
            }
            at += moved;
        }
        return 0;
    }

    /** Makes a call until it is not refused any more, a few times at once, then with pauses, for half a minute. */
    private int call(CallSeam.Call call, @Nullable FileChannel channel, ByteBuffer memory, long offset) {
        int start = memory.position();
        retries.clear();
        while (true) {
            ByteBuffer from = memory.position(start);
            int outcome = channel == null ? image.syncs().run(() -> image.writeback().synced(seam.result(call, syncOnce())))
                    : seam.result(call, callOnce(call, channel, from, offset));
            if (outcome != -Errno.EAGAIN && outcome != -Errno.EINTR) {
                return outcome;
            }
            sink.retried();
            long pauseNanos = retries.next(System.nanoTime());
            if (pauseNanos == RetryBackoff.NEVER) {
                return -Errno.EIO;
            }
            if (pauseNanos != RetryBackoff.AT_ONCE) {
                LockSupport.parkNanos(pauseNanos);
            }
        }
    }

    private int syncOnce() {
        try {
            image.sync();
            return 0;
        } catch (IOException failed) {
            return FileErrors.errno(failed);
        }
    }

    private int callOnce(CallSeam.Call call, FileChannel channel, ByteBuffer memory, long offset) {
        try {
            return call == CallSeam.Call.READ ? Math.max(0, channel.read(memory, offset)) : write(channel, memory, offset);
        } catch (IOException failed) {
            return FileErrors.errno(failed);
        }
    }

    private int write(FileChannel channel, ByteBuffer memory, long offset) throws IOException {
        int written = channel.write(memory, offset);
        if (!image.geometry().reachesTo(offset + written)) {
            image.cutBack();
            return -Errno.EIO;
        }
        return written;
    }

    @Override
    public String toString() {
        return String.valueOf(request);
    }
}
