package dev.sluice.aio.uring;

import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.testing.BlockSinkContract;
import dev.sluice.pipeline.testing.SystemCallFaults;
import dev.sluice.pipeline.testing.TestsSink;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Nested;

/** What every sink does, from the ring's: on a disk, where requests go through the ring, and on tmpfs, where they do not. */
class UringSinkContractTest {

    @Nested
    class OnDisk extends Contract {
        OnDisk() {
            super(Path.of(System.getProperty("java.io.tmpdir")));
        }
    }

    @Nested
    class OnTmpfs extends Contract {
        OnTmpfs() {
            super(Path.of("/dev/shm"));
        }
    }

    @TestsSink(UringSink.class)
    abstract static class Contract extends BlockSinkContract {
        private final Path directory;
        private final Path image;

        Contract(Path parent) {
            try {
                directory = Files.createTempDirectory(parent, "sluice-sink-");
            } catch (IOException failed) {
                throw new IllegalStateException(failed);
            }
            image = directory.resolve("disk.img");
        }

        @Override
        protected IoLoop openLoop() throws IOException {
            return IoUringLoop.start("contract", IoUringLoopOptions.DEFAULT);
        }

        @Override
        protected BlockBackend openBackend(long sizeBytes, int sinkCapacity, boolean readOnly, SystemCallFaults faults) throws IOException {
            try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
                file.setLength(sizeBytes);
            }
            BackendOptions options = new BackendOptions(image, readOnly, true, sinkCapacity);
            return IoUringBackendProvider.open(options, (call, result) -> faults.result(SystemCallFaults.Call.valueOf(call.name()), result));
        }

        @Override
        protected byte[] stableContents() throws IOException {
            return Files.readAllBytes(image);
        }

        @AfterEach
        void removeImage() throws IOException {
            try (Stream<Path> files = Files.walk(directory)) {
                List<Path> deepestFirst = files.sorted(Comparator.reverseOrder()).toList();
                for (Path file : deepestFirst) {
                    Files.delete(file);
                }
            }
        }
    }
}
