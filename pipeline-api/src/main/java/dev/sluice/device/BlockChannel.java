package dev.sluice.device;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SeekableByteChannel;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import reactor.core.Exceptions;
import reactor.core.publisher.Mono;

/**
 * A {@link BlockDevice} as a channel with a position.
 *
 * <p>The disk has a fixed size: a write stops at its end, one behind it fails with ENOSPC, {@link #truncate} to less asks the backend to shrink.
 *
 * <p><b>Threading:</b> any; calls take turns. Each waits for its request, and may be interrupted: then the request goes on, what it did is
 * not known, and {@link InterruptedIOException} is thrown with the thread's flag set. <b>Ownership:</b> the device stays open when this is
 * closed. <b>Failure:</b> {@link BlockIoException}; {@link IllegalStateException} on a loop of the device.
 */
final class BlockChannel implements SeekableByteChannel {
    private final BlockDevice device;
    private final ReentrantLock lock = new ReentrantLock();
    private volatile boolean closed;
    private long position;

    BlockChannel(BlockDevice device) {
        this.device = device;
    }

    @Override
    public int read(ByteBuffer target) throws IOException {
        return move(device.byteAccess().read(enter(), target));
    }

    @Override
    public int write(ByteBuffer source) throws IOException {
        if (!closed) {
            device.assertWritable();
        }
        return move(device.byteAccess().write(enter(), source));
    }

    /** Takes the lock; {@link #move} lets go of it. */
    private long enter() throws ClosedChannelException {
        lock.lock();
        if (closed) {
            lock.unlock();
            throw new ClosedChannelException();
        }
        return position;
    }

    private int move(Mono<Integer> transfer) throws IOException {
        try {
            int moved = await(transfer);
            position += Math.max(0, moved);
            return moved;
        } finally {
            lock.unlock();
        }
    }

    private <T> T await(Mono<T> outcome) throws IOException {
        device.assertMayWait();
        @Nullable T value;
        try {
            value = outcome.block();
        } catch (RuntimeException failed) {
            throw translated(failed);
        }
        if (value == null) {
            throw new IllegalStateException("no outcome");
        }
        return value;
    }

    private static IOException translated(RuntimeException failed) {
        Throwable cause = Exceptions.unwrap(failed);
        if (cause instanceof IOException io) {
            return io;
        }
        if (failed.getCause() instanceof InterruptedException || Thread.currentThread().isInterrupted()) {
            Thread.currentThread().interrupt();
            InterruptedIOException interrupted = new InterruptedIOException("interrupted while a request was under way");
            interrupted.initCause(failed);
            return interrupted;
        }
        throw failed;
    }

    @Override
    public long position() throws IOException {
        long now = enter();
        lock.unlock();
        return now;
    }

    @Override
    public SeekableByteChannel position(long newPosition) throws IOException {
        if (newPosition < 0) {
            throw new IllegalArgumentException("position " + newPosition);
        }
        long _ = enter();
        position = newPosition;
        lock.unlock();
        return this;
    }

    @Override
    public long size() throws IOException {
        long _ = enter();
        lock.unlock();
        return device.sizeBytes();
    }

    @Override
    public SeekableByteChannel truncate(long size) throws IOException {
        if (!closed) {
            device.assertWritable();
        }
        if (size < 0) {
            throw new IllegalArgumentException("size " + size);
        }
        long _ = enter();
        try {
            if (size < device.sizeBytes()) {
                var _ = await(device.resize(size));
            }
            position = Math.min(position, size);
        } finally {
            lock.unlock();
        }
        return this;
    }

    @Override
    public boolean isOpen() {
        return !closed;
    }

    @Override
    public void close() {
        closed = true;
    }
}
