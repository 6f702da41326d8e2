package dev.sluice.device;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousFileChannel;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.CompletionHandler;
import java.nio.channels.FileLock;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.Disposable;
import reactor.core.publisher.Mono;

/**
 * A {@link BlockDevice} as an {@link AsynchronousFileChannel}, for programs that use that API.
 *
 * <p>Differences: a direct buffer and whole sectors go straight to the kernel, everything else is copied; the disk does not grow; locks on ranges are
 * unsupported (the image is locked for as long as the device is open).
 *
 * <p><b>Threading:</b> any; handlers run on the loop and must not block. <b>Ownership:</b> the device stays open when this is closed;
 * operations in flight complete normally. Cancelling a Future leaves an operation that has started to the kernel; its memory is free when
 * {@link BlockDevice#released} completes.
 * <b>Failure:</b> {@link BlockIoException} through handler or Future. {@link #force} and {@link #truncate} block, and throw
 * {@link java.io.InterruptedIOException} with the thread's flag set if they are interrupted. Memory of a closed or confined arena is refused at the call.
 */
final class AsyncBlockChannel extends AsynchronousFileChannel {
    private static final Logger LOG = LoggerFactory.getLogger(AsyncBlockChannel.class);

    private final BlockDevice device;
    private volatile boolean closed;

    AsyncBlockChannel(BlockDevice device) {
        this.device = device;
    }

    @Override
    public <A extends @Nullable Object> void read(ByteBuffer target, long position, A attachment, CompletionHandler<Integer, ? super A> handler) {
        subscribe(reading(target, position), attachment, handler);
    }

    @Override
    public Future<Integer> read(ByteBuffer target, long position) {
        return future(reading(target, position));
    }

    @Override
    public <A extends @Nullable Object> void write(ByteBuffer source, long position, A attachment, CompletionHandler<Integer, ? super A> handler) {
        subscribe(writing(source, position), attachment, handler);
    }

    @Override
    public Future<Integer> write(ByteBuffer source, long position) {
        return future(writing(source, position));
    }

    private Mono<Integer> reading(ByteBuffer target, long position) {
        // Like the JDK's channels: invalid arguments throw.
        if (position < 0) {
            throw new IllegalArgumentException("position " + position);
        }
        if (target.isReadOnly()) {
            throw new IllegalArgumentException("cannot read into a read-only buffer");
        }
        checkMemory(target);
        return closed ? Mono.error(ClosedChannelException::new) : device.byteAccess().read(position, target);
    }

    private Mono<Integer> writing(ByteBuffer source, long position) {
        if (position < 0) {
            throw new IllegalArgumentException("position " + position);
        }
        checkMemory(source);
        if (!closed) {
            device.assertWritable();
        }
        return closed ? Mono.error(ClosedChannelException::new) : device.byteAccess().write(position, source);
    }

    /** The memory is used on another thread than this one. */
    private static void checkMemory(ByteBuffer memory) {
        Scopes.check(memory);
        Scopes.checkShared(memory);
    }

    private static Future<Integer> future(Mono<Integer> transfer) {
        CompletableFuture<Integer> future = new CompletableFuture<>();
        Disposable running = transfer.subscribe(future::complete, future::completeExceptionally);
        var _ = future.whenComplete((bytes, failure) -> {
            if (future.isCancelled()) {
                running.dispose();
            }
        });
        return future;
    }

    private static <A extends @Nullable Object> void subscribe(Mono<Integer> transfer, A attachment, CompletionHandler<Integer, ? super A> handler) {
        var _ = transfer.subscribe(bytes -> guarded(() -> handler.completed(bytes, attachment)), failure -> guarded(() -> handler.failed(failure, attachment)));
    }

    /** A handler that throws is not called again. */
    private static void guarded(Runnable call) {
        try {
            call.run();
        } catch (Throwable failure) {
            LOG.error("a completion handler failed", failure);
        }
    }

    @Override
    public void force(boolean metaData) throws IOException {
        assertOpen();
        device.queues().assertMayBlock();
        BlockingCall.flush(device);
    }

    @Override
    public long size() throws IOException {
        assertOpen();
        return device.sizeBytes();
    }

    @Override
    public AsynchronousFileChannel truncate(long size) throws IOException {
        if (size < 0) {
            throw new IllegalArgumentException("size " + size);
        }
        if (!closed) {
            device.assertWritable();
        }
        assertOpen();
        device.queues().assertMayBlock();
        if (size < device.sizeBytes()) {
            var outcome = BlockingCall.resize(device, size);
            if (outcome.interruption() != null) {
                throw outcome.interruption();
            }
        }
        return this;
    }

    private void assertOpen() throws ClosedChannelException {
        if (closed) {
            throw new ClosedChannelException();
        }
    }

    @Override
    public <A extends @Nullable Object> void lock(long position, long size, boolean shared, A attachment, CompletionHandler<FileLock, ? super A> handler) {
        throw noLocks();
    }

    @Override
    public Future<FileLock> lock(long position, long size, boolean shared) {
        throw noLocks();
    }

    @Override
    public FileLock tryLock(long position, long size, boolean shared) {
        throw noLocks();
    }

    private static UnsupportedOperationException noLocks() {
        return new UnsupportedOperationException("a block device has no locks on ranges; the image as a whole is locked while it is open");
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
