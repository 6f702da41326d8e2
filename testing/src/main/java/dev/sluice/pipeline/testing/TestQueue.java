package dev.sluice.pipeline.testing;

import dev.sluice.linux.Iovec;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BrokenQueueException;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.QueueSource;
import dev.sluice.pipeline.RequestQueue;
import java.util.ArrayDeque;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.jspecify.annotations.Nullable;

/**
 * A queue whose guest is the test. It behaves as a virtqueue does: its slots are its pool, a guest that has used them all waits for
 * a completion, and a kick comes only while kicks are enabled, so that a device that forgets to ask for them hangs as a real one would.
 *
 * <p>Requests come from {@link #submit}, in that order, or from a {@link Generator}, which is free of allocation.
 *
 * <p><b>Threading:</b> {@link #submit} and {@link #breakRing} from any thread, the rest on the loop's.
 * <b>Ownership:</b> the native memory is the queue's; {@link #close} frees it and fails while a request is in flight.
 */
public final class TestQueue implements RequestQueue, AutoCloseable {
    /** Makes requests without end or until it has none. */
    @FunctionalInterface
    public interface Generator {
        /** Calls {@link TestRequest#parse} and returns true, or returns false if there is none now. */
        boolean next(TestRequest request);
    }

    /** Bytes of data of a request made by {@link #TestQueue(IoLoop, int, int)}. */
    public static final int DEFAULT_ROOM_BYTES = 16 * 1024;

    private static final int DEFAULT_SEGMENT_BYTES = 4096;
    private static final int DATA_ALIGNMENT = 4096;
    private static final Generator NOTHING = request -> false;

    private final IoLoop loop;
    private final int index;
    private final NativeBlock data;
    private final NativeBlock iovecs;
    private final TestRequest[] slots;
    private final ArrayDeque<TestRequest> free = new ArrayDeque<>();
    private final ConcurrentLinkedQueue<TestIo> ring = new ConcurrentLinkedQueue<>();

    private Generator generator = NOTHING;
    private volatile @Nullable QueueSource kicked;
    private volatile @Nullable String broken;
    private volatile boolean kicksEnabled = true;
    private volatile long kicks;
    private int inFlight;
    private long polls;
    private long completions;
    private long failures;

    public TestQueue(IoLoop loop, int index, int size) {
        this(loop, index, size, DEFAULT_ROOM_BYTES, DEFAULT_SEGMENT_BYTES);
    }

    /**
     * A queue.
     *
     * @param size slots
     * @param roomBytes most bytes of data of a request
     * @param segmentBytes bytes of one data segment; the last one of a request may be shorter
     */
    public TestQueue(IoLoop loop, int index, int size, int roomBytes, int segmentBytes) {
        this.loop = loop;
        this.index = index;
        int segments = (roomBytes + segmentBytes - 1) / segmentBytes;
        data = NativeMemory.allocate((long) size * roomBytes, DATA_ALIGNMENT);
        iovecs = NativeMemory.allocate((long) size * segments * Iovec.SIZE, Long.BYTES);
        slots = new TestRequest[size];
        for (int slot = 0; slot < size; slot++) {
            long room = data.address() + (long) slot * roomBytes;
            long array = Iovec.address(iovecs.address(), slot * segments);
            slots[slot] = new TestRequest(loop, this, slot, room, array, roomBytes, segmentBytes);
            free.add(slots[slot]);
        }
    }

    // ---- the guest

    /** Sets whom the queue kicks, and returns it: {@code QueueSource source = queue.feed(new QueueSource(loop, queue))}. */
    public QueueSource feed(QueueSource source) {
        kicked = source;
        return source;
    }

    /** Makes a request available and kicks where the other side asked for it. Returns its argument. */
    public TestIo submit(TestIo io) {
        ring.add(io);
        kickWhereWanted();
        return io;
    }

    /** From now on requests come from a generator when nothing submitted is left. */
    public void generate(Generator source) {
        generator = source;
        kickWhereWanted();
    }

    /** The next poll finds the ring broken. */
    public void breakRing(String rule) {
        broken = rule;
        kickWhereWanted();
    }

    /** What a reset does to the requests in flight: nobody waits for their completions any more. */
    public void abandonAll() {
        loop.assertInLoop();
        for (TestRequest request : slots) {
            request.giveUp();
        }
    }

    @SuppressWarnings("NonAtomicVolatileUpdate") // a statistic for tests, which submit from one thread at a time
    private void kickWhereWanted() {
        QueueSource source = kicked;
        if (source != null && kicksEnabled) {
            kicks++;
            loop.execute(source::kicked);
        }
    }

    /** Requests polled since the beginning. */
    public long polls() {
        return polls;
    }

    /** Requests completed since the beginning. */
    public long completions() {
        return completions;
    }

    /** Requests completed with a negative errno since the beginning. */
    public long failures() {
        return failures;
    }

    /** Kicks given since the beginning. */
    public long kicks() {
        return kicks;
    }

    public boolean kicksEnabled() {
        return kicksEnabled;
    }

    /** The request object of a slot. */
    public TestRequest request(int slot) {
        return slots[slot];
    }

    /**
     * Frees the memory.
     *
     * @throws IllegalStateException while a request is in flight: it was leaked, or its sink still works on it
     */
    @Override
    public void close() {
        if (inFlight > 0) {
            throw new IllegalStateException(inFlight + " requests of queue " + index + " never completed");
        }
        data.close();
        iovecs.close();
    }

    // ---- the queue

    @Override
    public int index() {
        return index;
    }

    @Override
    public int size() {
        return slots.length;
    }

    @Override
    public int inFlight() {
        return inFlight;
    }

    @Override
    public @Nullable TestRequest poll() {
        loop.assertInLoop();
        String rule = broken;
        if (rule != null) {
            throw new BrokenQueueException(index, rule);
        }
        TestRequest request = free.peek();
        if (request == null || !fill(request)) {
            return null;
        }
        free.remove();
        inFlight++;
        polls++;
        return request;
    }

    private boolean fill(TestRequest request) {
        TestIo io = ring.poll();
        if (io != null) {
            request.parse(io);
            return true;
        }
        return generator.next(request);
    }

    @Override
    public boolean available() {
        loop.assertInLoop();
        return broken != null || (!ring.isEmpty() && !free.isEmpty());
    }

    @Override
    public boolean enableKicks() {
        loop.assertInLoop();
        // Pairs with submit: it adds, then looks at kicksEnabled; here the other way round. One of both sees the other.
        kicksEnabled = true;
        return broken != null || (!ring.isEmpty() && !free.isEmpty());
    }

    @Override
    public void disableKicks() {
        loop.assertInLoop();
        kicksEnabled = false;
    }

    void completed(TestRequest request, int result) {
        loop.assertInLoop();
        boolean waited = free.isEmpty();
        free.add(request);
        inFlight--;
        completions++;
        if (result < 0) {
            failures++;
        }
        if (waited && !ring.isEmpty()) {
            // The guest had no descriptor left; now it makes its next request available.
            kickWhereWanted();
        }
    }
}
