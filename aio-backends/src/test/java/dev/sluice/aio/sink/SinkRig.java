package dev.sluice.aio.sink;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.aio.loop.HandDrivenLoop;
import dev.sluice.aio.raw.RawImage;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.testing.TestIo;
import dev.sluice.pipeline.testing.TestQueue;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;

/** A {@link HandDrivenSink} on an image, with a guest. Nothing happens but by {@link #tick}. */
final class SinkRig implements AutoCloseable {
    static final Path DISK = Path.of("target");
    static final Path MEMORY = Path.of("/dev/shm");
    static final int SIZE = 4 << 20;
    static final int CAPACITY = 32;

    private static final int ROOM = 64 << 10;
    private static final int LARGE_ROOM = 2 << 20;

    final HandDrivenLoop loop = new HandDrivenLoop();
    final Path path;
    final RawImage image;
    final HandDrivenSink sink;
    final TestQueue queue;
    int closed;
    private final boolean temporary;
    private CompletionSeam seam = CompletionSeam.NONE;

    /** On a file opened with O_DIRECT, with data segments of so many bytes. */
    SinkRig(int segmentBytes) throws IOException {
        this(file(DISK), true, segmentBytes, true, false, CAPACITY + 8, ROOM);
    }

    /** With a few requests of up to 2 MiB. */
    static SinkRig large(int segmentBytes) throws IOException {
        return new SinkRig(file(DISK), true, segmentBytes, true, false, 4, LARGE_ROOM);
    }

    static SinkRig inMemory(int segmentBytes) throws IOException {
        return new SinkRig(file(MEMORY), true, segmentBytes, true, false, 4, LARGE_ROOM);
    }

    static SinkRig buffered() throws IOException {
        return new SinkRig(file(DISK), true, 4096, false, false, CAPACITY + 8, ROOM);
    }

    static SinkRig readOnly() throws IOException {
        return new SinkRig(file(DISK), true, 4096, true, true, CAPACITY + 8, ROOM);
    }

    static SinkRig on(Path device, int segmentBytes) throws IOException {
        return new SinkRig(device, false, segmentBytes, true, false, CAPACITY + 8, ROOM);
    }

    private SinkRig(Path path, boolean temporary, int segmentBytes, boolean direct, boolean readOnly, int requests, int room) throws IOException {
        this.path = path;
        this.temporary = temporary;
        image = RawImage.open(new BackendOptions(path, readOnly, direct, CAPACITY));
        sink = new HandDrivenSink(loop, image, CAPACITY, (call, result) -> seam.result(call, result), () -> closed++);
        queue = new TestQueue(loop, 0, requests, room, segmentBytes);
    }

    private static Path file(Path parent) throws IOException {
        Path made = Files.createTempFile(parent, "sluice-rig", ".raw");
        setLength(made, SIZE);
        return made;
    }

    static void setLength(Path file, long bytes) throws IOException {
        try (RandomAccessFile opened = new RandomAccessFile(file.toFile(), "rw")) {
            opened.setLength(bytes);
        }
    }

    void seam(CompletionSeam chosen) {
        seam = chosen;
    }

    BlockRequest request(TestIo io) {
        queue.submit(io);
        return Objects.requireNonNull(queue.poll());
    }

    /** Submits without a flush. */
    TestIo add(TestIo io) {
        assertThat(sink.submit(request(io))).as("the sink takes %s", io).isTrue();
        return io;
    }

    /** Submits as one batch. */
    TestIo submit(TestIo... ios) {
        for (TestIo io : ios) {
            add(io);
        }
        sink.flush();
        return ios[0];
    }

    /** The oldest call ends so; a tick acts on it. */
    void end(int result) {
        sink.end(0, result);
        tick();
    }

    /** The oldest call moves all that it was to move; a tick acts on it. */
    void end() {
        sink.end();
        tick();
    }

    void tick() {
        loop.ticks(1);
    }

    /** Ends all calls, also those that follow from them, with all that they are to move. */
    void endAll() {
        for (int limit = 0; !sink.inKernel.isEmpty(); limit++) {
            assertThat(limit).as("calls that follow from one another").isLessThan(10_000);
            end();
        }
    }

    List<String> started() {
        return sink.started();
    }

    /** Also a check that everything came back, once. */
    @Override
    public void close() throws IOException {
        endAll();
        if (!loop.kernelClosed()) {
            loop.ticks(2);
            assertThat(loop.leaves()).as("a loop with nothing to do may wait").endsWith(true);
        }
        loop.end();
        assertThat(sink.inFlight()).as("requests that never came back").isZero();
        assertThat(closed).as("how often the sink told of its end").isEqualTo(1);
        assertThat(sink.releases).isEqualTo(1);
        queue.close();
        image.close();
        if (temporary) {
            Files.delete(path);
        }
    }
}
