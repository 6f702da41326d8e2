package dev.sluice.pipeline.testing;

import dev.sluice.linux.Iovec;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.IoLoop;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/**
 * A request with native data, the room of which its {@link TestQueue} has given it. The data is cut into segments of a fixed size, so that
 * sinks and stages see more than one iovec.
 *
 * <p><b>Threading, Ownership:</b> as in {@link BlockRequest}. <b>Allocation:</b> none for one that is parsed without a {@link TestIo}.
 */
public final class TestRequest extends BlockRequest {
    private final TestQueue queue;
    private final long dataAddress;
    private final long iovecsAddress;
    private final int roomBytes;
    private final int segmentBytes;

    private @Nullable TestIo io;
    private int completions;

    TestRequest(IoLoop loop, TestQueue queue, int slot, long dataAddress, long iovecsAddress, int roomBytes, int segmentBytes) {
        super(loop, queue.index(), slot);
        this.queue = queue;
        this.dataAddress = dataAddress;
        this.iovecsAddress = iovecsAddress;
        this.roomBytes = roomBytes;
        this.segmentBytes = segmentBytes;
    }

    /** FREE to PARSED, with the data segments as they were left. Allocates nothing. */
    public void parse(BlockOp op, long sector, long lengthBytes) {
        boolean carriesData = op == BlockOp.READ || op == BlockOp.WRITE;
        int count = carriesData ? layOut(Math.toIntExact(lengthBytes)) : 0;
        parsed(op, sector, lengthBytes, count == 0 ? 0 : iovecsAddress, count);
    }

    /** FREE to PARSED, for a guest that waits for the completion. */
    void parse(TestIo asked) {
        io = asked;
        byte[] written = asked.written();
        if (written != null) {
            MemorySegment.copy(written, 0, room(), ValueLayout.JAVA_BYTE, 0, written.length);
        } else {
            // Poison: what a READ does not fill is seen.
            room().fill((byte) 0xA5);
        }
        parse(asked.op(), asked.sector(), asked.lengthBytes());
        setDurable(asked.durable());
        setMayUnmap(asked.mayUnmap());
    }

    /** Cuts the data into segments; returns how many. */
    private int layOut(int lengthBytes) {
        if (lengthBytes > roomBytes) {
            throw new IllegalArgumentException(lengthBytes + " bytes do not fit into a request's " + roomBytes);
        }
        int count = 0;
        for (int at = 0; at < lengthBytes; at += segmentBytes) {
            Iovec.set(iovecsAddress, count++, dataAddress + at, Math.min(segmentBytes, lengthBytes - at));
        }
        return count;
    }

    private MemorySegment room() {
        return NativeMemory.view(dataAddress, roomBytes);
    }

    /** What the guest asked for; null if a generator made the request. */
    public @Nullable TestIo io() {
        return io;
    }

    /** How often this object completed, in all its lives. */
    public int completions() {
        return completions;
    }

    @Override
    protected void completed(int result) {
        completions++;
        TestIo asked = io;
        io = null;
        if (asked == null) {
            queue.completed(this, result);
            return;
        }
        boolean reads = asked.op() == BlockOp.READ;
        byte[] read = reads ? room().asSlice(0, lengthBytes()).toArray(ValueLayout.JAVA_BYTE) : new byte[0];
        // The guest last: it may look at the queue as soon as it knows.
        queue.completed(this, result);
        asked.complete(result, abandoned(), read);
    }

    /** As after a reset: nobody waits for the completion. */
    void giveUp() {
        abandon();
    }
}
