package dev.sluice.device;

import dev.sluice.pipeline.BackendHealth;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.Providers;
import java.io.IOException;
import java.io.UncheckedIOException;
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

/**
 * A disk for Java programs: reads and writes as {@code Mono}s and {@code Flux}es, through the same pipeline that serves a guest.
 *
 * <p>Everything is cold: nothing happens before a subscription, and each subscription is a request. Offsets and lengths are multiples of 512; buffers are
 * direct ({@link #buffers} has aligned ones; a backend that requires more alignment than a buffer has copies). Heap buffers are rejected here, and copied
 * by {@link #channel} and {@link #asyncChannel}, which also accept any offset and length. A buffer's position moves when its request has succeeded.
 *
 * <p><b>Threading:</b> any thread, virtual ones too; the requests of a thread go to one queue in order, and the thread of a loop uses that
 * loop's queue. Signals come on the loop: do not block there; use {@code publishOn} for anything but short work. Requests in flight may
 * overtake one another, as on any disk.
 * <b>Ownership:</b> memory belongs to the device from the first demand to the request's terminal signal, whether success or failure.
 * <em>A cancellation does not end that</em>: a cancelled request that a loop has taken still runs, but signals nothing; its memory is free when
 * {@link #released} completes. A request that no loop has taken is dropped, and its memory is free at once. A device that closes completes its pending
 * requests first; they release their memory with their signals, as always. The methods document what else applies to them.
 *
 * <p>Buffers may become unreachable, and pooled ones may be closed, at any time. <b>An arena</b> may be closed at any time too; its memory is therefore not
 * passed to the kernel but copied, on the thread of the first demand (writes) or on the loop (reads), through a pooled buffer or, if that is too small or
 * none is free, through a block allocated for the request. A write completes even if its arena is closed after the first demand; a read whose arena is
 * closed before it completes fails with {@link IllegalStateException}. If the arena is closed before the first demand the request fails with the
 * {@code IllegalStateException}, and if it is confined to another thread with the {@link WrongThreadException}, that
 * {@link java.nio.channels.FileChannel} throws; reads into confined memory always fail with the latter, because they complete on a loop ({@link #channel}
 * supports them). Nothing is copied from and to buffers of {@link #buffers}, {@link
 * java.nio.ByteBuffer#allocateDirect}, {@code Arena.ofAuto} and {@code Arena.global}, nor mapped files. With io_uring the pool's memory is registered with
 * the ring, which saves some CPU for requests of one pooled buffer.
 * <b>Failure:</b> always as error signals. {@link IllegalArgumentException} for arguments, {@link BlockIoException} for what the device refuses or fails,
 * and an overflow error ({@link Exceptions#isOverflow}) if more requests are pending than allowed. What a subscriber throws from {@code onNext}, including
 * an {@code Error} that Reactor's operators let through, is signalled to it as its failure.
 * <b>Allocation:</b> per single-buffer request a Mono, a call and a boxed length: 65 bytes measured once compiled (docs/benchmarks), below
 * 200 by test; a vectored request needs two more arrays, a piece of a range the view of its buffer.
 */
public final class BlockDevice implements AutoCloseable {
    private final Resources resources;
    private final BlockDeviceOptions options;
    private final BlockBufferPool buffers;
    private final Limits limits;
    private final DeviceQueues queues;
    private final ByteAccess byteAccess;
    private final Set<OpenRange> ranges = ConcurrentHashMap.newKeySet();
    private final CancelledRequests cancelledRequests = new CancelledRequests();
    private final CallsUnderWay calls = new CallsUnderWay();
    private final Closing closing;

    private BlockDevice(Resources resources, BlockDeviceOptions options) {
        this.resources = resources;
        this.options = options;
        BlockGeometry geometry = resources.pipeline().geometry();
        this.queues = new DeviceQueues(resources.loops(), options);
        this.buffers = new BlockBufferPool(
                options.bufferCount(), options.bufferBytes(), Math.max(4096, geometry.physicalBlockBytes()), options.leakDetection(), queues::offerBuffers);
        this.limits = new Limits(resources.pipeline(), buffers, options.maxSegments());
        this.byteAccess = new ByteAccess(this);
        this.closing = new Closing(queues.all(), buffers, calls, resources, this::endRanges);
    }

    // ---- opening

    /**
     * Opens an image with the backend and on the loops that the options name. Closing the device closes both.
     *
     * <p>By default the image is opened with O_DIRECT: each read and write goes to the disk. Data that is read repeatedly, or written in pieces of a few bytes,
     * is slower than through a {@code FileChannel}, which uses the page cache; {@code BlockDeviceOptions.builder().direct(false)} uses the page cache as well.
     *
     * @throws IOException with one line that names the failure and the remedy
     */
    public static BlockDevice open(Path image, BlockDeviceOptions options) throws IOException {
        BackendOptions backendOptions = new BackendOptions(image, options.readOnly(), options.direct(), options.queueDepth());
        Providers.Started started = Providers.start(options.backend(), options.loop(), backendOptions, options.loops(), "sluice-device-");
        BlockBackend backend = null;
        try {
            backend = started.choice().open(backendOptions);
            return connectedOrRefused(backend, started.loops(), options);
        } catch (Throwable failed) {
            started.loops().forEach(IoLoop::close);
            if (backend != null) {
                backend.close();
            }
            throw failed;
        }
    }

    /**
     * A device on an opened backend and running loops, with one queue per loop. The caller keeps both, and closes them after the device.
     *
     * @throws UncheckedIOException if a stage of the options cannot be created
     */
    public static BlockDevice open(BlockBackend backend, List<? extends IoLoop> loops, BlockDeviceOptions options) {
        return connected(backend, List.copyOf(loops), options, false);
    }

    /** A device on a pipeline; the caller keeps the pipeline and the loops. Options that configure a pipeline are ignored. */
    public static BlockDevice open(BlockPipeline pipeline, List<? extends IoLoop> loops, BlockDeviceOptions options) {
        return connected(new BlockDevice(new Resources(pipeline, List.copyOf(loops), null, false, false), options));
    }

    private static BlockDevice connectedOrRefused(BlockBackend backend, List<IoLoop> loops, BlockDeviceOptions options) throws IOException {
        try {
            return connected(backend, loops, options, true);
        } catch (UncheckedIOException stageRefused) {
            throw stageRefused.getCause();
        }
    }

    private static BlockDevice connected(BlockBackend backend, List<IoLoop> loops, BlockDeviceOptions options, boolean ownsRest) {
        BlockPipeline pipeline = options.pipeline().apply(BlockPipeline.builder().backend(backend).loops(loops)).build();
        BlockDevice device;
        try {
            device = new BlockDevice(new Resources(pipeline, loops, backend, true, ownsRest), options);
        } catch (Throwable failed) {
            pipeline.close();
            throw failed;
        }
        return connected(device);
    }

    private static BlockDevice connected(BlockDevice device) {
        try {
            device.queues.connect(device.resources.pipeline());
            return device;
        } catch (Throwable failed) {
            device.closing.abandon();
            throw failed;
        }
    }

    // ---- properties of the disk

    public BlockGeometry geometry() {
        return resources.pipeline().geometry();
    }

    /** What has happened to the image since it was opened: failed writeback, a missing part. */
    public BackendHealth health() {
        return resources.pipeline().health();
    }

    public long sizeBytes() {
        return geometry().sizeBytes();
    }

    /**
     * Changes the image's size if the backend can ({@link dev.sluice.pipeline.ResizableBackend}); fails with UNSUPP otherwise. Also unsupported for a device on
     * a given pipeline, which does not expose its backend. Emits the device's geometry, which differs from the image's where a stage translates it.
     *
     * @param sizeBytes of the image
     */
    public Mono<BlockGeometry> resize(long sizeBytes) {
        return Resize.mono(resources.backend(), sizeBytes).map(resized -> geometry());
    }

    // ---- requests

    /**
     * Reads into the buffer between its position and limit; emits that many bytes.
     *
     * <p><b>Ownership:</b> the memory is the device's from the first demand to the signal, or after a cancellation until {@link #released} completes. After a
     * failure its content is undefined.
     */
    public Mono<Integer> read(long offsetBytes, ByteBuffer target) {
        return new TransferMono(this, BlockOp.READ, offsetBytes, target);
    }

    /**
     * Writes what is between the buffer's position and limit; emits that many bytes. The data is on stable storage after a subsequent {@link #flush}.
     *
     * <p><b>Ownership:</b> the memory is the device's, and must not change, from the first demand to the signal, or after a cancellation until {@link
     * #released} completes. After a failure, or a cancellation that came too late, the range on the disk holds old bytes, new ones, or some of both.
     */
    public Mono<Integer> write(long offsetBytes, ByteBuffer source) {
        return new TransferMono(this, BlockOp.WRITE, offsetBytes, source);
    }

    /**
     * Reads into several buffers with one request; the sum of their remaining bytes is a multiple of 512. Ownership as in {@link #read(long,
     * ByteBuffer)}, of all of them.
     */
    public Mono<Integer> read(long offsetBytes, List<ByteBuffer> targets) {
        return new VectorMono(this, BlockOp.READ, offsetBytes, targets.toArray(ByteBuffer[]::new));
    }

    /**
     * Writes from several buffers with one request; the sum of their remaining bytes is a multiple of 512. Ownership as in {@link #write(long,
     * ByteBuffer)}, of all of them.
     */
    public Mono<Integer> write(long offsetBytes, List<ByteBuffer> sources) {
        return new VectorMono(this, BlockOp.WRITE, offsetBytes, sources.toArray(ByteBuffer[]::new));
    }

    /**
     * Brings to stable storage whatever completed before the subscription, on every queue. Once a flush or a durable write has failed because data did not
     * reach the disk, all further ones fail until the device is opened again: the kernel drops what it could not write. Uses no memory of the caller's; if
     * cancelled, it still runs.
     */
    public Mono<Void> flush() {
        return new ControlMono(this, BlockOp.FLUSH, 0, 0, false);
    }

    /** Discards a range: the program no longer needs its content. What later reads of it return is up to the disk. */
    public Mono<Void> discard(long offsetBytes, long lengthBytes) {
        return new ControlMono(this, BlockOp.DISCARD, offsetBytes, lengthBytes, true);
    }

    /**
     * Makes a range read as zeroes.
     *
     * @param mayUnmap whether the disk may deallocate the range
     */
    public Mono<Void> writeZeroes(long offsetBytes, long lengthBytes, boolean mayUnmap) {
        return new ControlMono(this, BlockOp.WRITE_ZEROES, offsetBytes, lengthBytes, mayUnmap);
    }

    /**
     * Reads a range in order, one pooled buffer at a time (the last one may be shorter), with {@link BlockDeviceOptions#readAhead} reads in flight or
     * pending. If the pool has no free buffer, the range waits for one.
     *
     * <p><b>Ownership:</b> whoever receives a buffer closes it. Buffers that were read ahead and not emitted return to the pool on failure, on cancellation and
     * when the device closes, once the kernel is done with them; so does a buffer whose {@code onNext} threw. Operators that queue buffers and may drop them
     * ({@code publishOn} before a {@code take}, a timeout) need a {@code doOnDiscard(BlockBuffer.class, BlockBuffer::close)} downstream. Fails if the
     * device is closed before the range is complete.
     */
    public Flux<BlockBuffer> readRange(long offsetBytes, long lengthBytes) {
        return new RangeRead(this, offsetBytes, lengthBytes, rangeDepth());
    }

    /**
     * Writes consecutive buffers, {@link BlockDeviceOptions#readAhead} of them concurrently, and requests one more from the source as each write completes.
     * Emits the number of bytes written after the last one; after an error of a write or of the source it first waits for the writes in flight. Fails if the
     * device is closed before the source completes.
     *
     * <p><b>Ownership:</b> this method owns every buffer that the source emits: it closes each one when its write has completed or will not be made, on
     * success, failure, cancellation and close alike; the memory returns to its pool when the kernel is done.
     */
    public Mono<Long> writeRange(long offsetBytes, Publisher<BlockBuffer> source) {
        return new RangeWrite(this, offsetBytes, source, rangeDepth());
    }

    /**
     * Completes when no cancelled request uses the memory of a buffer any more; for callers that have disposed of a read or a write, or had it time out, and
     * want to reuse the memory. Does not wait for requests that end with a signal, which have released their memory by then, nor for requests that are
     * cancelled after the subscription. Signals on the loop, or immediately if there is nothing to wait for.
     *
     * <p>{@code reading.dispose(); device.released(buffer).block();}
     *
     * @param memory any buffer; all of its memory counts, from 0 to its capacity
     */
    public Mono<Void> released(ByteBuffer memory) {
        return cancelledRequests.released(memory);
    }

    /** The pool of aligned buffers of this device. */
    public BlockBufferPool buffers() {
        return buffers;
    }

    // ---- adapters to the JDK's channels

    /**
     * The disk as a blocking channel with a position of its own. Closing it leaves the device open. Must not be used on a loop's thread nor on another one
     * that Reactor does not let block: the call is refused before it has any effect. If the ring is full, callers wait for room in it.
     *
     * <p><b>Ownership:</b> memory of any kind is the device's during the call, and the caller's again when it returns or throws. An interrupted call withdraws
     * what no loop has taken, waits for what the kernel has in the caller's memory (the kernel cannot cancel disk I/O in progress) and for every
     * write, and throws {@link java.io.InterruptedIOException} with the number of bytes moved and the thread's flag set; the positions of buffer and channel
     * have moved accordingly.
     */
    public SeekableByteChannel channel() {
        return new BlockChannel(this);
    }

    /**
     * The disk as an asynchronous channel; handlers run on the loop. Closing it leaves the device open.
     *
     * <p><b>Ownership:</b> memory is the device's from the call to its completion, or after a cancelled Future until {@link #released} completes. Memory
     * of a closed or confined arena is refused at the call. {@code force} and {@code truncate} block: if interrupted, they throw {@link
     * java.io.InterruptedIOException} with the thread's flag set.
     */
    public AsynchronousFileChannel asyncChannel() {
        return new AsyncBlockChannel(this);
    }

    // ---- closing

    /**
     * Accepts no more requests, completes the pending ones and frees what the device owns. Whoever waits for a buffer, for room in the ring or
     * for a partial write fails with {@link BlockIoException}. After this the device uses no memory of a caller's, and the memory of {@link #buffers} is
     * freed. Completes when that is done; all subscribers share one shutdown.
     */
    public Mono<Void> shutdown() {
        return closing.shutdown();
    }

    /**
     * {@link #shutdown}, and waits for it, however long a stage takes to complete its last request; an interruption does not stop the wait but sets the
     * thread's flag afterwards. Idempotent.
     *
     * @throws IllegalStateException on a loop of this device, which would deadlock
     */
    @Override
    public void close() {
        queues.assertMayWait();
        closing.await();
    }

    // ---- package-private

    DeviceQueue queue() {
        return queues.ofCaller();
    }

    DeviceQueues queues() {
        return queues;
    }

    void opened(OpenRange range) {
        ranges.add(range);
    }

    void ended(OpenRange range) {
        ranges.remove(range);
    }

    /** A range must not request more than may be pending. */
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

    /** For channels, which have to throw this. */
    void assertWritable() {
        if (geometry().readOnly()) {
            throw new NonWritableChannelException();
        }
    }
}
