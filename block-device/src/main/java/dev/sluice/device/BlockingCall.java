package dev.sluice.device;

import dev.sluice.linux.Errno;
import dev.sluice.linux.LinuxFile;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.jspecify.annotations.Nullable;
import reactor.core.Exceptions;

/**
 * One blocking call of a channel: does what {@link ByteAccess} does with Monos, step by step on the caller's thread. Copies are made there, so that the
 * memory may belong to an arena that is confined to the caller, and a copy notices if another thread has closed its arena.
 *
 * <p><b>Threading:</b> the caller's, which is not a loop's. <b>Ownership:</b> the caller's memory is free when the call returns or throws.
 * <b>Failure:</b> {@link BlockIoException}; {@link InterruptedIOException}, with the flag set and the number of bytes moved, if the thread is interrupted:
 * steps that had not started are skipped, and those that had are finished first. If the ring is full, callers wait for room in it.
 */
final class BlockingCall {
    private static final int SECTOR_BYTES = BlockRequest.SECTOR_BYTES;

    private final BlockDevice device;
    private boolean interrupted;

    private BlockingCall(BlockDevice device) {
        this.device = device;
    }

    /**
     * The outcome of a call that did not fail.
     *
     * @param moved bytes, or -1 at the end
     * @param undone whether it was interrupted before it had any effect
     * @param interruption what to throw if the thread was interrupted
     */
    record Outcome(int moved, boolean undone, @Nullable InterruptedIOException interruption) {
        private static Outcome nothing() {
            return new Outcome(0, true, BlockingCall.interruption(0));
        }
    }

    private interface Work {
        int run(BlockingCall call) throws IOException, InterruptedException;
    }

    private static Outcome run(BlockDevice device, Work work) throws IOException {
        if (Thread.currentThread().isInterrupted()) {
            return Outcome.nothing();
        }
        BlockingCall call = new BlockingCall(device);
        device.calls().begin();
        try {
            int moved = work.run(call);
            return new Outcome(moved, false, call.interrupted ? interruption(moved) : null);
        } catch (InterruptedException nothingDone) {
            call.interrupted = true;
            return Outcome.nothing();
        } finally {
            device.calls().end();
            if (call.interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private static InterruptedIOException interruption(int moved) {
        InterruptedIOException interruption = new InterruptedIOException("interrupted while waiting for the block device; " + moved + " bytes were moved");
        interruption.bytesTransferred = Math.max(0, moved);
        return interruption;
    }

    /** Reads into a buffer, whose position moves by the bytes of the outcome; -1 at or beyond the end. */
    static Outcome read(BlockDevice device, long position, ByteBuffer target) throws IOException {
        if (target.isReadOnly()) {
            throw new IllegalArgumentException("cannot read into a read-only buffer");
        }
        Scopes.check(target);
        return run(device, call -> call.read(position, target));
    }

    /** Writes from a buffer, whose position moves by the bytes of the outcome. */
    static Outcome write(BlockDevice device, long position, ByteBuffer source) throws IOException {
        Scopes.check(source);
        return run(device, call -> call.write(position, source));
    }

    /** Brings to stable storage whatever completed before. */
    static void flush(BlockDevice device) throws IOException {
        Outcome outcome = run(device, call -> {
            call.transfer(BlockOp.FLUSH, 0, null, true);
            return 0;
        });
        if (outcome.interruption() != null) {
            throw outcome.interruption();
        }
    }

    /** Changes the size and waits until that is done; an interruption is reported afterwards. */
    static Outcome resize(BlockDevice device, long sizeBytes) throws IOException {
        return run(device, call -> {
            CompletableFuture<?> resized = device.resize(sizeBytes).toFuture();
            while (true) {
                try {
                    resized.get();
                    return 0;
                } catch (InterruptedException later) {
                    call.interrupted = true;
                } catch (ExecutionException failed) {
                    if (failed.getCause() instanceof IOException io) {
                        throw io;
                    }
                    throw Exceptions.propagate(Objects.requireNonNull(failed.getCause()));
                }
            }
        });
    }

    private int read(long position, ByteBuffer target) throws IOException, InterruptedException {
        long size = device.sizeBytes();
        if (!target.hasRemaining()) {
            return 0;
        }
        if (position >= size) {
            return -1;
        }
        int bytes = (int) Math.min(target.remaining(), size - position);
        if (straight(position, bytes, target)) {
            transfer(BlockOp.READ, position, target.slice(target.position(), bytes), false);
            target.position(target.position() + bytes);
            return bytes;
        }
        int moved = atMostABuffer(position, bytes);
        try (BlockBuffer borrowed = BlockingTake.from(device.buffers())) {
            ByteBuffer copy = borrowed.bytes().limit(span(position, moved));
            transfer(BlockOp.READ, position - inSector(position), copy, true);
            target.put(copy.slice(inSector(position), moved));
        }
        return moved;
    }

    private int write(long position, ByteBuffer source) throws IOException, InterruptedException {
        if (!source.hasRemaining()) {
            return 0;
        }
        long room = device.sizeBytes() - position;
        if (room <= 0) {
            throw new BlockIoException("write at " + position + ", beyond the end of the disk: " + Errno.describe(Errno.ENOSPC), Errno.ENOSPC);
        }
        int bytes = (int) Math.min(source.remaining(), room);
        if (straight(position, bytes, source)) {
            transfer(BlockOp.WRITE, position, source.slice(source.position(), bytes), false);
        } else {
            bytes = atMostABuffer(position, bytes);
            if (((position | bytes) & (SECTOR_BYTES - 1)) == 0) {
                writeCopying(position, bytes, source);
            } else {
                try (AsyncSemaphore.Permit _ = BlockingTake.from(device.byteAccess().partialWrites())) {
                    writeCopying(position, bytes, source);
                }
            }
        }
        source.position(source.position() + bytes);
        return bytes;
    }

    private void writeCopying(long position, int bytes, ByteBuffer source) throws IOException, InterruptedException {
        try (BlockBuffer borrowed = BlockingTake.from(device.buffers())) {
            ByteBuffer copy = borrowed.bytes().limit(span(position, bytes));
            long start = position - inSector(position);
            if (copy.remaining() != bytes) {
                transfer(BlockOp.READ, start, copy.duplicate(), true);
            }
            copy.put(inSector(position), source, source.position(), bytes);
            transfer(BlockOp.WRITE, start, copy, false);
        }
    }

    /**
     * Makes a request once there is room for it in the ring.
     *
     * @param mayLeave whether an interrupted caller may leave the request to the kernel
     * @throws InterruptedException if the request was withdrawn or left; if it finished although the thread was interrupted, {@link #interrupted} is set
     * instead
     */
    private void transfer(BlockOp op, long offset, @Nullable ByteBuffer memory, boolean mayLeave) throws IOException, InterruptedException {
        while (true) {
            if (interrupted) {
                throw new InterruptedException();
            }
            BlockingIo io = new BlockingIo(device, op, offset);
            io.prepare(memory);
            DeviceQueue queue = device.queue();
            queue.submit(io);
            interrupted = io.await(mayLeave);
            if (!io.isOver()) {
                throw new InterruptedException();
            }
            if (!io.hadNoRoom()) {
                io.throwFailure();
                return;
            }
            if (!interrupted) {
                queue.awaitRoom();
            }
        }
    }

    /** Memory that can be freed at any time is not passed to the kernel. */
    private boolean straight(long position, int bytes, ByteBuffer buffer) {
        return buffer.isDirect() && ((position | bytes) & (SECTOR_BYTES - 1)) == 0 && bytes <= LinuxFile.MAX_RW_COUNT && device.limits().zeroCopy(buffer);
    }

    /** How much of a transfer fits into a pooled buffer, including the sector that it starts in. */
    private int atMostABuffer(long position, int bytes) {
        return Math.min(bytes, device.buffers().bufferBytes() - inSector(position));
    }

    private static int inSector(long position) {
        return (int) (position & (SECTOR_BYTES - 1));
    }

    /** The length of the sectors that a range touches. */
    private static int span(long position, int bytes) {
        return (inSector(position) + bytes + SECTOR_BYTES - 1) & -SECTOR_BYTES;
    }
}
