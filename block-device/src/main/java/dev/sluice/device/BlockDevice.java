package dev.sluice.device;

import dev.sluice.linux.NativeBlock;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BackendHealth;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.Providers;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousFileChannel;
import java.nio.channels.NonWritableChannelException;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.reactivestreams.Publisher;
import reactor.core.Exceptions;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;

/**
 * A disk for Java programs: reads and writes as {@code Mono}s and {@code Flux}es, through the same pipeline that serves a guest.
 *
 * <p>Nothing happens before a subscriber asks; each subscription is a request. Offsets and lengths are multiples of 512; buffers are direct
 * ({@link #buffers} has aligned ones; a backend that wants more alignment than a buffer has copies). Heap buffers are refused here, and copied by
 * {@link #channel} and {@link #asyncChannel}, which take any offset and length too. A buffer's position moves when its request has succeeded.
 *
 * <p><b>Threading:</b> any thread, virtual ones too; a thread's requests go to one queue in the order of asking, and the thread of a loop uses that
 * loop's. Signals come on the loop: do not wait there; {@code publishOn} where more than a little is to be done. Requests in flight may
 * overtake one another, as on any disk.
 * <b>Ownership:</b> memory belongs to the device from the first demand to the request's signal, whether that is its success or its failure.
 * <em>A cancellation does not end that</em>: a cancelled request that a loop has taken continues unheard, and its memory is free when {@link #released}
 * completes; one that no loop has taken is not made, and its memory is free at once. A device that closes completes what it has first; its requests
 * release their memory with their signals, as ever. Each method says what holds for it beside this.
 *
 * <p>Buffers may be dropped, and pooled ones closed, at any time. <b>An arena's memory</b> may be closed at any time too, and is therefore not given to
 * the kernel: it is copied, on the thread of the first demand (writes) or on the loop (reads), through a pooled buffer or, where that is too small or none
 * is left, through a block of the request's own. A write is complete whatever becomes of its arena after the first demand; a read whose arena was closed
 * before its end fails with {@link IllegalStateException}. What is closed before the first demand fails with the {@code IllegalStateException}, and what
 * is confined to another thread with the {@link WrongThreadException}, that {@link java.nio.channels.FileChannel} throws; reads into confined memory fail
 * so in any case, as they end on a loop ({@link #channel} takes them). Nothing is copied from and to buffers of {@link #buffers}, {@link
 * java.nio.ByteBuffer#allocateDirect}, {@code Arena.ofAuto} and {@code Arena.global}, nor mapped files. The pool's memory is registered with the ring
 * where the backend is io_uring, which saves some CPU for requests of one pooled buffer.
 * <b>Failure:</b> all as error signals. {@link IllegalArgumentException} for arguments, {@link BlockIoException} for what the device refuses or fails,
 * and an overflow error ({@link Exceptions#isOverflow}) where more is asked for than may wait. What a subscriber throws at a value, an {@code Error} that
 * Reactor's operators let through among it, is signalled to it as its failure.
 * <b>Allocation:</b> per single-buffer request a Mono, a call and a boxed length: 65 bytes measured once compiled (docs/benchmarks), below
 * 200 by test; a vectored one two arrays more, a piece of a range its buffer's view.
 */
public final class BlockDevice implements AutoCloseable {
    private final Resources resources;
    private final BlockDeviceOptions options;
    private final BlockBufferPool buffers;
    private final Limits limits;
    private final DeviceQueue[] queues;
    private final ByteAccess byteAccess;
    private final Set<OpenRange> ranges = ConcurrentHashMap.newKeySet();
    private final CancelledRequests cancelledRequests = new CancelledRequests();
    private final CallsUnderWay calls = new CallsUnderWay();
    private final Closing closing;

    private BlockDevice(Resources resources, BlockDeviceOptions options) {
        this.resources = resources;
        this.options = options;
        BlockGeometry geometry = resources.pipeline().geometry();
        this.buffers = new BlockBufferPool(
                options.bufferCount(), options.bufferBytes(), Math.max(4096, geometry.physicalBlockBytes()), options.leakDetection(), this::offerBuffers);
        this.limits = new Limits(resources.pipeline(), buffers, options.maxSegments());
        this.queues = new DeviceQueue[resources.loops().size()];
        for (int i = 0; i < queues.length; i++) {
            queues[i] = new DeviceQueue(resources.loops().get(i), i, options);
        }
        this.byteAccess = new ByteAccess(this);
        this.closing = new Closing(queues, buffers, calls, resources, this::endRanges);
    }

    // ---- opening

    /**
     * Opens an image with the backend and on the loops that the options name. Closing the device closes them all.
     *
     * <p>Unless the options say otherwise the image is opened with O_DIRECT: each read and write goes to the device. What is read again and again, or written in pieces of a few bytes, is slower than through a
     * {@code FileChannel}, which finds it in the page cache; {@code BlockDeviceOptions.builder().direct(false)} goes through the page cache as well.
     *
     * @throws IOException with one line that says what failed and what to do
     */
    public static BlockDevice open(Path image, BlockDeviceOptions options) throws IOException {
        BackendOptions backendOptions = new BackendOptions(image, options.readOnly(), options.direct(), options.queueDepth());
        Providers.Started started = Providers.start(options.backend(), options.loop(), backendOptions, options.loops(), "sluice-device-");
        BlockBackend backend = null;
        try {
            backend = started.choice().open(backendOptions);
            return connected(new BlockDevice(new Resources(pipeline(backend, options), started.loops(), backend, true, true), options));
        } catch (Throwable failed) {
            started.loops().forEach(IoLoop::close);
            if (backend != null) {
                backend.close();
            }
            throw failed;
        }
    }

    /** A device on an opened backend and running loops, a queue for each. Both stay the caller's, and outlive the device. */
    public static BlockDevice open(BlockBackend backend, List<? extends IoLoop> loops, BlockDeviceOptions options) {
        return connected(new BlockDevice(new Resources(pipeline(backend, options), List.copyOf(loops), backend, true, false), options));
    }

    /** A device on a pipeline, which stays the caller's, as do the loops. Of the options, what makes a pipeline is not looked at. */
    public static BlockDevice open(BlockPipeline pipeline, List<? extends IoLoop> loops, BlockDeviceOptions options) {
        return connected(new BlockDevice(new Resources(pipeline, List.copyOf(loops), null, false, false), options));
    }

    private static BlockPipeline pipeline(BlockBackend backend, BlockDeviceOptions options) {
        return options.pipeline().apply(BlockPipeline.builder().backend(backend)).build();
    }

    private static BlockDevice connected(BlockDevice device) {
        try {
            for (DeviceQueue queue : device.queues) {
                Loops.run(queue.loop(), () -> queue.connect(device.resources.pipeline()));
            }
            return device;
        } catch (Throwable failed) {
            device.closing.abandon();
            throw failed;
        }
    }

    private void offerBuffers(NativeBlock memory) {
        for (DeviceQueue queue : queues) {
            queue.offerBuffers(memory.address(), memory.bytes());
        }
    }

    // ---- what the disk is

    public BlockGeometry geometry() {
        return resources.pipeline().geometry();
    }

    /** What has befallen the image since it was opened: writeback that failed, a part that is missing. */
    public BackendHealth health() {
        return resources.pipeline().health();
    }

    public long sizeBytes() {
        return geometry().sizeBytes();
    }

    /**
     * Changes the image's size, where the backend can ({@link dev.sluice.pipeline.ResizableBackend}); else fails with UNSUPP. Not for a device on a
     * given pipeline, which does not show its backend.
     */
    public Mono<BlockGeometry> resize(long sizeBytes) {
        return Resize.mono(resources.backend(), sizeBytes);
    }

    // ---- requests

    /**
     * Reads what is between the buffer's position and limit; emits that many bytes.
     *
     * <p><b>Ownership:</b> the memory is the device's from the first demand to the signal, or after a cancellation until {@link #released} completes. After a
     * failure its content is undefined.
     */
    public Mono<Integer> read(long offsetBytes, ByteBuffer target) {
        return new TransferMono(this, BlockOp.READ, offsetBytes, target);
    }

    /**
     * Writes what is between the buffer's position and limit; emits that many bytes. On stable storage after a {@link #flush} that was asked for later.
     *
     * <p><b>Ownership:</b> the memory is the device's, and must not change, from the first demand to the signal, or after a cancellation until {@link
     * #released} completes. After a failure, or a cancellation that came too late, the range on the disk holds old bytes, new ones, or some of both.
     */
    public Mono<Integer> write(long offsetBytes, ByteBuffer source) {
        return new TransferMono(this, BlockOp.WRITE, offsetBytes, source);
    }

    /**
     * Reads into several buffers with one request; the sum of what remains in them is a multiple of 512. Ownership as in {@link #read(long,
     * ByteBuffer)}, of all of them.
     */
    public Mono<Integer> read(long offsetBytes, List<ByteBuffer> targets) {
        return new VectorMono(this, BlockOp.READ, offsetBytes, targets.toArray(ByteBuffer[]::new));
    }

    /**
     * Writes from several buffers with one request; the sum of what remains in them is a multiple of 512. Ownership as in {@link #write(long,
     * ByteBuffer)}, of all of them.
     */
    public Mono<Integer> write(long offsetBytes, List<ByteBuffer> sources) {
        return new VectorMono(this, BlockOp.WRITE, offsetBytes, sources.toArray(ByteBuffer[]::new));
    }

    /**
     * Brings to stable storage what was completed before this is asked for, whichever queue it went through. Once this, or a durable write, has failed because
     * data did not reach the device, it fails until the device is opened again: the kernel drops what it could not write. Uses no memory of the caller's; cancelled,
     * it continues unheard.
     */
    public Mono<Void> flush() {
        return new ControlMono(this, BlockOp.FLUSH, 0, 0, false);
    }

    /** Tells the disk that the content of a range is not needed any more; what a read of it gives then is up to the disk. */
    public Mono<Void> discard(long offsetBytes, long lengthBytes) {
        return new ControlMono(this, BlockOp.DISCARD, offsetBytes, lengthBytes, true);
    }

    /**
     * Makes a range read as zeroes.
     *
     * @param mayUnmap whether the disk may give the space back
     */
    public Mono<Void> writeZeroes(long offsetBytes, long lengthBytes, boolean mayUnmap) {
        return new ControlMono(this, BlockOp.WRITE_ZEROES, offsetBytes, lengthBytes, mayUnmap);
    }

    /**
     * Reads a range in order, a pooled buffer at a time (the last one may be shorter), with {@link BlockDeviceOptions#readAhead} reads under way or
     * waiting to be asked for. Where the pool has no buffer left, the range waits until one is there.
     *
     * <p><b>Ownership:</b> whoever gets a buffer closes it. What was read ahead and not emitted goes back to the pool at a failure, a cancellation and the
     * device's close, when the kernel is done with it; so does a buffer at which {@code onNext} threw. Operators that keep buffers and may drop them
     * ({@code publishOn} before a {@code take}, a timeout) want a {@code doOnDiscard(BlockBuffer.class, BlockBuffer::close)} behind them. Fails where the
     * device is closed before its end.
     */
    public Flux<BlockBuffer> readRange(long offsetBytes, long lengthBytes) {
        return new RangeRead(this, offsetBytes, lengthBytes, rangeDepth());
    }

    /**
     * Writes buffers one behind the other, {@link BlockDeviceOptions#readAhead} of them at once, asking the source for one more as each is answered.
     * Emits the bytes written when all are; after an error, of a write or of the source, it waits for the writes that are under way. Fails where the device is
     * closed before the source has ended.
     *
     * <p><b>Ownership:</b> a buffer is this method's when the source emits it: it closes every one, when its write has ended or will not be made, on
     * success, failure, cancellation and close alike; the memory goes back to its pool when the kernel is done.
     */
    public Mono<Long> writeRange(long offsetBytes, Publisher<BlockBuffer> source) {
        return new RangeWrite(this, offsetBytes, source, rangeDepth());
    }

    /**
     * Emits when no cancelled request uses a buffer's memory any more; for whoever has disposed of a read or a write, or had it time out, and wants to use the
     * memory again. Requests that end with a signal have released their memory when that comes, and are not waited for here; nor are those that are cancelled
     * after the subscription. Signals on the loop, or at once where there is nothing to wait for.
     *
     * <p>{@code reading.dispose(); device.released(buffer).block();}
     *
     * @param memory any buffer: what counts is its memory, from 0 to its capacity
     */
    public Mono<Void> released(ByteBuffer memory) {
        return cancelledRequests.released(memory);
    }

    /** The aligned buffers of this device. */
    public BlockBufferPool buffers() {
        return buffers;
    }

    // ---- for programs that have another shape today

    /**
     * The disk as a channel that blocks, with a position of its own. Closing it leaves the device open. Not from a loop's thread, nor another that Reactor
     * does not let block: refused there before anything is done. More callers than may wait in the ring wait in front of it.
     *
     * <p><b>Ownership:</b> memory of any kind is the device's during the call, and the caller's again when it returns or throws. An interrupted call takes
     * back what no loop has taken, waits for what the kernel has in the caller's memory (the kernel does not take back what a disk has) and for every
     * write, and throws {@link java.io.InterruptedIOException} with the bytes moved in it and the thread's flag set; the positions of buffer and channel
     * have moved as far.
     */
    public SeekableByteChannel channel() {
        return new BlockChannel(this);
    }

    /**
     * The disk as an asynchronous channel; handlers are called on the loop. Closing it leaves the device open.
     *
     * <p><b>Ownership:</b> memory is the device's from the call to its completion, or after a cancelled Future until {@link #released} completes. Memory
     * of a closed or confined arena is refused at the call. {@code force} and {@code truncate} wait: interrupted, they throw {@link
     * java.io.InterruptedIOException} with the thread's flag set.
     */
    public AsynchronousFileChannel asyncChannel() {
        return new AsyncBlockChannel(this);
    }

    // ---- closing

    /**
     * Takes no more requests, lets those that it has come to their end and frees what the device owns. Whoever waits for a buffer, a place in the ring or
     * the turn of a partial write fails with {@link BlockIoException}. No memory of a caller's is used after this, and the memory of {@link #buffers} is
     * gone. Emits when that is done; one closing, however often it is asked for.
     */
    public Mono<Void> shutdown() {
        return closing.shutdown();
    }

    /**
     * {@link #shutdown} and waits for it, however long a stage takes to answer its last request; an interruption does not end the waiting and is passed
     * on. Idempotent.
     *
     * @throws IllegalStateException on a loop of this device, which would wait for itself
     */
    @Override
    public void close() {
        assertMayWait();
        closing.await();
    }

    // ---- for the package

    DeviceQueue queue() {
        DeviceQueue[] all = queues;
        if (all.length == 1) {
            return all[0];
        }
        for (DeviceQueue queue : all) {
            if (queue.loop().inLoop()) {
                return queue;
            }
        }
        // A thread keeps its queue, so that its requests stay in order and make one batch.
        return all[(int) Long.remainderUnsigned(Thread.currentThread().threadId(), all.length)];
    }

    void opened(OpenRange range) {
        ranges.add(range);
    }

    void ended(OpenRange range) {
        ranges.remove(range);
    }

    /** A range must not ask for more than may wait. */
    private int rangeDepth() {
        return Math.min(options.readAhead(), options.maxWaiting());
    }

    private void endRanges() {
        ranges.forEach(OpenRange::deviceCloses);
    }

    Limits limits() {
        return limits;
    }

    ByteAccess byteAccess() {
        return byteAccess;
    }

    CancelledRequests cancelledRequests() {
        return cancelledRequests;
    }

    CallsUnderWay calls() {
        return calls;
    }

    /** For channels, which are to throw this. */
    void assertWritable() {
        if (geometry().readOnly()) {
            throw new NonWritableChannelException();
        }
    }

    /** For channels: before a call has any effect. */
    void assertMayBlock() {
        assertMayWait();
        if (Schedulers.isInNonBlockingThread()) {
            throw new IllegalStateException("the thread " + Thread.currentThread().getName()
                    + " must not block: use the Mono forms there, or Schedulers.boundedElastic() for the channel");
        }
    }

    void assertMayWait() {
        for (DeviceQueue queue : queues) {
            if (queue.loop().inLoop()) {
                throw new IllegalStateException("the loop " + queue.loop().name() + " would wait for itself: use the Mono forms there");
            }
        }
    }
}
