package dev.sluice.device;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SeekableByteChannel;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A {@link BlockDevice} as a channel with a position.
 *
 * <p>The disk has a fixed size: a write stops at its end, one beyond it fails with ENOSPC, {@link #truncate} to a smaller size asks the backend to shrink.
 *
 * <p><b>Threading:</b> any that may block; calls run one at a time. Each blocks until its request completes, and may be interrupted: then what no loop has
 * taken is withdrawn, what the kernel has is waited for, and {@link InterruptedIOException} is thrown with the number of bytes moved and the flag set.
 * <b>Ownership:</b> the caller's memory is free when a call returns or throws. The device stays open when this is closed.
 * <b>Failure:</b> {@link BlockIoException}; {@link IllegalStateException} on a loop of the device and on other threads that Reactor does not let
 * block, before the call has any effect; for memory of a closed or another thread's arena what {@link java.nio.channels.FileChannel} throws. Whatever is
 * thrown, this position and the buffer's have moved alike.
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
        device.queues().assertMayBlock();
        long from = enter();
        try {
            return moved(BlockingCall.read(device, from, target));
        } finally {
            lock.unlock();
        }
    }

    @Override
    public int write(ByteBuffer source) throws IOException {
        if (!closed) {
            device.assertWritable();
        }
        device.queues().assertMayBlock();
        long from = enter();
        try {
            return moved(BlockingCall.write(device, from, source));
        } finally {
            lock.unlock();
        }
    }

    /** Takes the lock. */
    private long enter() throws ClosedChannelException {
        lock.lock();
        if (closed) {
            lock.unlock();
            throw new ClosedChannelException();
        }
        return position;
    }

    /** Moves the position as the buffer's has moved, whether the call was interrupted or not. */
    private int moved(BlockingCall.Outcome outcome) throws InterruptedIOException {
        position += Math.max(0, outcome.moved());
        if (outcome.interruption() != null) {
            throw outcome.interruption();
        }
        return outcome.moved();
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
        device.queues().assertMayBlock();
        long _ = enter();
        try {
            var outcome = size < device.sizeBytes() ? BlockingCall.resize(device, size) : null;
            if (outcome == null || !outcome.undone()) {
                position = Math.min(position, size);
            }
            if (outcome != null && outcome.interruption() != null) {
                throw outcome.interruption();
            }
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
