package dev.sluice.aio.mapped;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.aio.loop.HandDrivenLoop;
import dev.sluice.aio.sink.CompletionSeam;
import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.testing.LoopDevice;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A mapped image with a sink on a loop that only {@link HandDrivenLoop#tick} moves, and memory of a guest. */
final class MappedRig implements AutoCloseable {
    static final Path MEMORY = Path.of("/dev/shm");
    static final int CAPACITY = 64;
    static final int ROOM = 4 << 20;

    /** Ticks that a request takes at the most in these tests. */
    private static final int MAX_TICKS = 100_000;

    final HandDrivenLoop loop = new HandDrivenLoop();
    final Path path;
    final MappedBackend backend;
    final BlockSink sink;
    final NativeBlock memory = NativeMemory.allocate(ROOM, 4096);
    private final boolean temporary;
    private final List<GuestRequest> requests = new ArrayList<>();

    MappedRig(Path path, boolean readOnly) throws IOException {
        this(path, readOnly, false);
    }

    private MappedRig(Path path, boolean readOnly, boolean temporary) throws IOException {
        this.path = path;
        this.temporary = temporary;
        this.backend = MappedBackendProvider.open(new BackendOptions(path, readOnly, true, CAPACITY), CompletionSeam.NONE);
        this.sink = backend.openSink(loop);
    }

    /** On a sparse file of that size. */
    static MappedRig sparse(Path directory, long sizeBytes) throws IOException {
        Path file = Files.createTempFile(directory, "sluice-mapped", ".raw");
        return new MappedRig(LoopDevice.sparse(file, sizeBytes), false, true);
    }

    /** A request on the rig's memory. */
    GuestRequest request(long bytes, long segmentBytes) {
        return request(memory.address(), bytes, segmentBytes);
    }

    GuestRequest request(long address, long bytes, long segmentBytes) {
        GuestRequest made = new GuestRequest(loop, address, bytes, segmentBytes);
        requests.add(made);
        return made;
    }

    void submit(GuestRequest request) {
        assertThat(sink.submit(request)).as("the sink takes %s", request).isTrue();
    }

    /** Submits a request and ticks until it has completed; returns its result. */
    int run(GuestRequest request) {
        int before = request.completions;
        submit(request);
        sink.flush();
        for (int i = 0; request.completions == before; i++) {
            assertThat(i).as("ticks of %s", request).isLessThan(MAX_TICKS);
            loop.ticks(1);
        }
        return request.result();
    }

    int write(long offset, int bytes, byte value) {
        NativeMemory.fill(memory.address(), bytes, value);
        try (GuestRequest write = new GuestRequest(loop, memory.address(), bytes, bytes)) {
            return run(write.as(BlockOp.WRITE, offset));
        }
    }

    /** What a read finds, which must succeed. */
    byte[] read(long offset, int bytes) {
        // Something that is not there.
        NativeMemory.fill(memory.address(), bytes, (byte) 0x5a);
        try (GuestRequest read = new GuestRequest(loop, memory.address(), bytes, bytes)) {
            assertThat(run(read.as(BlockOp.READ, offset))).isEqualTo(bytes);
        }
        byte[] found = new byte[bytes];
        NativeMemory.copyToArray(memory.address(), found, 0, bytes);
        return found;
    }

    /** A request without data. */
    int range(BlockOp op, long offset, long bytes, boolean unmapping) {
        try (GuestRequest ranged = new GuestRequest(loop, 0, 0, 1)) {
            ranged.as(op, offset, bytes);
            return run(unmapping ? ranged.unmapping() : ranged);
        }
    }

    long allocatedBytes() throws IOException {
        return allocatedBytes(path);
    }

    static long allocatedBytes(Path file) throws IOException {
        try (Fd opened = LinuxFile.openOrThrow(file.toString(), LinuxFile.O_RDONLY | LinuxFile.O_CLOEXEC, 0)) {
            return 512 * LinuxFile.status(opened.number()).allocatedBlocks();
        }
    }

    /** Also a check that all has come back. */
    @Override
    public void close() throws IOException {
        sink.close();
        loop.end();
        assertThat(sink.inFlight()).as("requests that never came back").isZero();
        backend.close();
        requests.forEach(GuestRequest::close);
        memory.close();
        if (temporary) {
            Files.delete(path);
        }
    }
}
