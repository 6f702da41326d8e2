package dev.sluice.aio.sink;

import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.testing.BlockSinkContract;
import dev.sluice.pipeline.testing.SystemCallFaults;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;

/** What every sink does, from a sink on raw images: its image is a file in a directory of its own. */
public abstract class RawSinkContract extends BlockSinkContract {
    protected static final Path DISK = Path.of(System.getProperty("java.io.tmpdir"));
    protected static final Path MEMORY = Path.of("/dev/shm");

    private final Path directory;
    private final Path image;

    protected RawSinkContract(Path parent) {
        try {
            directory = Files.createTempDirectory(parent, "sluice-sink-");
        } catch (IOException failed) {
            throw new IllegalStateException(failed);
        }
        image = directory.resolve("disk.img");
    }

    /** Opens the image with O_DIRECT; the results of calls go through the seam. */
    protected abstract BlockBackend open(BackendOptions options, CompletionSeam seam) throws IOException;

    @Override
    protected final BlockBackend openBackend(long sizeBytes, int sinkCapacity, boolean readOnly, SystemCallFaults faults) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(sizeBytes);
        }
        BackendOptions options = new BackendOptions(image, readOnly, true, sinkCapacity);
        return open(options, (call, result) -> faults.result(SystemCallFaults.Call.valueOf(call.name()), result));
    }

    @Override
    protected final byte[] stableContents() throws IOException {
        return Files.readAllBytes(image);
    }

    @AfterEach
    final void removeImage() throws IOException {
        try (Stream<Path> files = Files.walk(directory)) {
            List<Path> deepestFirst = files.sorted(Comparator.reverseOrder()).toList();
            for (Path file : deepestFirst) {
                Files.delete(file);
            }
        }
    }
}
