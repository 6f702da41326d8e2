package dev.sluice.device;

import dev.sluice.linux.Errno;
import dev.sluice.linux.LinuxFile;
import dev.sluice.pipeline.BlockRequest;
import java.nio.ByteBuffer;
import reactor.core.publisher.Mono;

/**
 * Reads and writes at any byte, from and to any buffer, on a device that only knows sectors: the contract of {@link java.nio.channels}. As there, a call
 * may move fewer bytes than requested.
 *
 * <p>Whole sectors from or to a direct buffer go straight to the kernel. Everything else goes through one pooled buffer. A write that changes a sector
 * partially reads it first; such writes run one at a time, so that two of them in one sector do not undo each other, and complete even if they are
 * cancelled. A concurrent write of the whole sector overlaps them: its caller has to order the two, as on any disk.
 *
 * <p><b>Threading:</b> any. <b>Failure:</b> as {@link BlockDevice}; a write beyond the end fails with ENOSPC, as the disk does not grow.
 * <b>Allocation:</b> some per call: a convenience, not a fast path.
 */
final class ByteAccess {
    private static final int SECTOR_BYTES = BlockRequest.SECTOR_BYTES;

    private final BlockDevice device;
    private final AsyncSemaphore partialWrites = new AsyncSemaphore();

    ByteAccess(BlockDevice device) {
        this.device = device;
    }

    /** Serializes writes that change sectors partially, blocking ones too. */
    AsyncSemaphore partialWrites() {
        return partialWrites;
    }

    /** Bytes read into the buffer, whose position moves; -1 at or beyond the end. */
    Mono<Integer> read(long position, ByteBuffer target) {
        return Mono.defer(() -> {
            if (position < 0 || target.isReadOnly()) {
                return Mono.error(new IllegalArgumentException(position < 0 ? "position " + position : "cannot read into a read-only buffer"));
            }
            long size = device.sizeBytes();
            if (!target.hasRemaining()) {
                return Mono.just(0);
            }
            if (position >= size) {
                return Mono.just(-1);
            }
            int bytes = (int) Math.min(target.remaining(), size - position);
            return straight(position, bytes, target) ? advancing(target, device.read(position, part(target, bytes))) : readCopying(position, bytes, target);
        });
    }

    /** Bytes written from the buffer, whose position moves. */
    Mono<Integer> write(long position, ByteBuffer source) {
        return Mono.defer(() -> {
            if (position < 0) {
                return Mono.error(new IllegalArgumentException("position " + position));
            }
            if (!source.hasRemaining()) {
                return Mono.just(0);
            }
            long room = device.sizeBytes() - position;
            if (room <= 0) {
                return Mono.error(new BlockIoException("write at " + position + ", beyond the end of the disk: " + Errno.describe(Errno.ENOSPC), Errno.ENOSPC));
            }
            int bytes = (int) Math.min(source.remaining(), room);
            if (straight(position, bytes, source)) {
                return advancing(source, device.write(position, part(source, bytes)));
            }
            int moved = atMostABuffer(position, bytes);
            boolean wholeSectors = ((position | moved) & (SECTOR_BYTES - 1)) == 0;
            return advancing(source, wholeSectors ? writeCopying(position, moved, source) : toItsEnd(writePart(position, moved, source)));
        });
    }

    private static boolean straight(long position, int bytes, ByteBuffer buffer) {
        return buffer.isDirect() && ((position | bytes) & (SECTOR_BYTES - 1)) == 0 && bytes <= LinuxFile.MAX_RW_COUNT;
    }

    private static ByteBuffer part(ByteBuffer buffer, int bytes) {
        return buffer.slice(buffer.position(), bytes);
    }

    private static Mono<Integer> advancing(ByteBuffer buffer, Mono<Integer> transfer) {
        return transfer.doOnNext(bytes -> buffer.position(buffer.position() + bytes));
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

    private Mono<Integer> readCopying(long position, int bytes, ByteBuffer target) {
        int moved = atMostABuffer(position, bytes);
        return borrowing(device.buffers(), borrowed -> {
            ByteBuffer copy = borrowed.bytes().limit(span(position, moved));
            return new CopyingRead(device, position - inSector(position), copy, inSector(position), moved, target);
        });
    }

    private Mono<Integer> writePart(long position, int bytes, ByteBuffer source) {
        // A snapshot of the buffer: the write continues after a cancellation, when the buffer may be its owner's again.
        byte[] asked = new byte[bytes];
        source.get(source.position(), asked);
        return borrowing(partialWrites, held -> borrowing(device.buffers(), borrowed -> {
            ByteBuffer copy = borrowed.bytes().limit(span(position, bytes));
            return device.read(position - inSector(position), copy).flatMap(read -> writeFrom(copy, position, bytes, ByteBuffer.wrap(asked)));
        }));
    }

    private Mono<Integer> writeCopying(long position, int bytes, ByteBuffer source) {
        return borrowing(device.buffers(), borrowed -> writeFrom(borrowed.bytes().limit(bytes), position, bytes, source));
    }

    private Mono<Integer> writeFrom(ByteBuffer copy, long position, int bytes, ByteBuffer source) {
        copy.put(inSector(position), source, source.position(), bytes);
        return device.write(position - inSector(position), copy.rewind()).thenReturn(bytes);
    }

    /**
     * Continues after its subscriber has cancelled: a partial write in progress holds the permit until it is done, or it would undo the next one's.
     */
    private static Mono<Integer> toItsEnd(Mono<Integer> work) {
        return Mono.create(outcome -> {
            var _ = work.subscribe(outcome::success, outcome::error);
        });
    }

    /** Releases what it has taken, however the work ends; if that is cancelled in flight, the pool waits for the kernel. */
    private <T extends AutoCloseable> Mono<Integer> borrowing(Pool<T> pool, java.util.function.Function<T, Mono<Integer>> work) {
        return Mono.defer(() -> {
            device.calls().begin();
            return Mono.usingWhen(new TakeMono<>(pool), work, borrowed -> Mono.fromRunnable(() -> pool.release(borrowed)))
                    .doFinally(end -> device.calls().end());
        });
    }
}
