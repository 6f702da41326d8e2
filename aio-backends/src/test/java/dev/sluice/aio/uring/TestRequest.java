package dev.sluice.aio.uring;

import dev.sluice.linux.Iovec;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.IoLoop;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;

/** A request with memory of its own, cut into segments as a test wishes. */
final class TestRequest extends BlockRequest implements AutoCloseable {
    final CompletableFuture<Integer> answered = new CompletableFuture<>();
    final AtomicInteger answers = new AtomicInteger();
    final NativeBlock data;
    final NativeBlock iovecs;
    private final int segments;
    private final long bytes;
    /** The iovecs as they were given, to see that they come back so. */
    private final long[] expectedIovecs;

    /** Segments of the given lengths one behind the other, the first at {@code shift} bytes after a multiple of 4096. */
    TestRequest(IoLoop loop, int shift, long... lengths) {
        super(loop, 0, 0);
        long sum = 0;
        for (long length : lengths) {
            sum += length;
        }
        bytes = sum;
        segments = lengths.length;
        data = NativeMemory.allocate(shift + Math.max(1, bytes), 4096);
        iovecs = NativeMemory.allocate((long) Iovec.SIZE * Math.max(1, segments), 16);
        long base = data.address() + shift;
        for (int i = 0; i < segments; i++) {
            Iovec.set(iovecs.address(), i, base, lengths[i]);
            base += lengths[i];
        }
        expectedIovecs = iovecWords();
    }

    /** Segments in memory of somebody else. */
    static TestRequest over(IoLoop loop, long address, long length) {
        TestRequest request = new TestRequest(loop, 0, length);
        Iovec.set(request.iovecs.address(), 0, address, length);
        System.arraycopy(request.iovecWords(), 0, request.expectedIovecs, 0, 2);
        return request;
    }

    private long[] iovecWords() {
        long[] words = new long[segments * 2];
        for (int i = 0; i < segments; i++) {
            words[2 * i] = Iovec.base(iovecs.address(), i);
            words[2 * i + 1] = Iovec.length(iovecs.address(), i);
        }
        return words;
    }

    TestRequest as(BlockOp op, long offsetBytes) {
        return as(op, offsetBytes, bytes);
    }

    TestRequest as(BlockOp op, long offsetBytes, long lengthBytes) {
        if (offsetBytes % SECTOR_BYTES != 0) {
            throw new IllegalArgumentException("offset " + offsetBytes);
        }
        parsed(op, offsetBytes / SECTOR_BYTES, lengthBytes, segments == 0 ? 0 : iovecs.address(), segments);
        return this;
    }

    TestRequest durably() {
        setDurable(true);
        return this;
    }

    TestRequest unmapping() {
        setMayUnmap(true);
        return this;
    }

    void giveUp() {
        abandon();
    }

    boolean iovecsAreAsGiven() {
        return java.util.Arrays.equals(expectedIovecs, iovecWords());
    }

    byte[] bytes() {
        byte[] copy = new byte[(int) bytes];
        int at = 0;
        for (int i = 0; i < segments; i++) {
            MemorySegment segment = dataSegment(i);
            MemorySegment.copy(segment, 0, MemorySegment.ofArray(copy), at, segment.byteSize());
            at += (int) segment.byteSize();
        }
        return copy;
    }

    TestRequest fill(byte[] content) {
        int at = 0;
        for (int i = 0; i < segments; i++) {
            MemorySegment segment = dataSegment(i);
            MemorySegment.copy(MemorySegment.ofArray(content), at, segment, 0, segment.byteSize());
            at += (int) segment.byteSize();
        }
        return this;
    }

    private MemorySegment dataSegment(int index) {
        return NativeMemory.view(Iovec.base(iovecs.address(), index), Iovec.length(iovecs.address(), index));
    }

    @Override
    protected void completed(int result) {
        answers.incrementAndGet();
        answered.complete(result);
    }

    @Override
    public void close() {
        data.close();
        iovecs.close();
    }
}
