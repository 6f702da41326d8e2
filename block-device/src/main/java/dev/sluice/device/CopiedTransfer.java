package dev.sluice.device;

import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BlockOp;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import reactor.core.CoreSubscriber;

/**
 * A READ or WRITE of memory that can be freed while the kernel uses it: of an arena that somebody may close. It goes through memory of the device's own,
 * a pooled buffer if one is free and large enough, else a block for this request.
 *
 * <p><b>Threading:</b> a write is copied on the thread of the first demand, a read on the loop. <b>Ownership:</b> the program's memory is used only during
 * the copy; closing its arena is harmless at any moment. <b>Failure:</b> if it was closed before the first demand, or is confined to another thread:
 * what {@link java.nio.channels.FileChannel} throws. If it was closed before a read could be copied: {@link IllegalStateException}. For a read into confined
 * memory: {@link WrongThreadException}, because it completes on a loop. <b>Allocation:</b> a view per buffer, and the block.
 */
final class CopiedTransfer extends BuffersIo {
    private final ByteBuffer[] parts;
    private @Nullable BlockBuffer pooled;
    private @Nullable NativeBlock block;

    CopiedTransfer(BlockDevice device, BlockOp op, long offsetBytes, ByteBuffer[] buffers, CoreSubscriber<? super Integer> actual) {
        super(device, op, offsetBytes, buffers, actual);
        this.parts = new ByteBuffer[buffers.length];
    }

    @Override
    void prepare() throws BlockIoException {
        long bytes = 0;
        int segments = 0;
        for (int i = 0; i < buffers.length; i++) {
            ByteBuffer buffer = buffers[i];
            device.limits().checkKind(op(), buffer);
            limits[i] = buffer.limit();
            parts[i] = buffer.slice();
            bytes += parts[i].remaining();
            segments += parts[i].hasRemaining() ? 1 : 0;
        }
        device.limits().checkSegments(segments);
        device.limits().check(op(), offsetBytes(), bytes);
        for (ByteBuffer part : parts) {
            Scopes.check(part);
            if (op() == BlockOp.READ) {
                Scopes.checkShared(part);
            }
        }
        if (bytes > 0) {
            allocate((int) bytes);
        }
    }

    private void allocate(int bytes) {
        ByteBuffer copy = ownMemory(bytes);
        try {
            if (op() == BlockOp.WRITE) {
                for (ByteBuffer part : parts) {
                    copy.put(part.duplicate());
                }
            }
            memory(MemorySegment.ofBuffer(copy.rewind()).address(), bytes);
        } catch (Throwable failed) {
            releaseMemory();
            throw failed;
        }
    }

    private ByteBuffer ownMemory(int bytes) {
        BlockBufferPool pool = device.buffers();
        BlockBuffer taken = bytes <= pool.bufferBytes() ? pool.tryTake() : null;
        if (taken != null) {
            pooled = taken;
            return taken.bytes().limit(bytes);
        }
        NativeBlock allocated = NativeMemory.allocate(bytes, pool.alignment());
        block = allocated;
        return allocated.segment().asByteBuffer();
    }

    @Override
    void releaseMemory() {
        BlockBuffer taken = pooled;
        if (taken != null) {
            taken.close();
        }
        NativeBlock allocated = block;
        if (allocated != null) {
            allocated.close();
        }
    }

    @Override
    boolean copiesBack() {
        return op() == BlockOp.READ;
    }

    @Override
    void copyBack() {
        BlockBuffer taken = pooled;
        ByteBuffer copy = taken != null ? taken.bytes().rewind() : Objects.requireNonNull(block).segment().asByteBuffer();
        try {
            for (ByteBuffer part : parts) {
                int bytes = part.remaining();
                part.duplicate().put(copy.slice(copy.position(), bytes));
                copy.position(copy.position() + bytes);
            }
        } catch (IllegalStateException closed) {
            throw new IllegalStateException("READ of " + lengthBytes() + " bytes at offset " + offsetBytes()
                    + ": the arena of the memory was closed before the read completed", closed);
        }
    }
}
