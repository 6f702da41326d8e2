package dev.sluice.aio.nio;

import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.testing.ImageSinkContract;
import dev.sluice.pipeline.testing.PollLoop;
import dev.sluice.pipeline.testing.SystemCallFaults;
import dev.sluice.pipeline.testing.TestsSink;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Nested;

/** What every sink does, from the one on threads: past the page cache, through it, and in memory. */
class NioSinkContractTest {

    @Nested
    class OnDisk extends Contract {
        OnDisk() {
            super("target", true);
        }
    }

    @Nested
    class ThroughThePageCache extends Contract {
        ThroughThePageCache() {
            super("target", false);
        }
    }

    @Nested
    class InMemory extends Contract {
        InMemory() {
            super("/dev/shm", true);
        }
    }

    @TestsSink(NioSink.class)
    abstract static class Contract extends ImageSinkContract {
        private final Path image;
        private final boolean direct;

        Contract(String directory, boolean direct) {
            this.direct = direct;
            try {
                image = Files.createTempFile(Path.of(directory), "sluice-nio", ".raw");
            } catch (IOException failed) {
                throw new IllegalStateException(failed);
            }
        }

        @Override
        protected IoLoop openLoop() {
            return PollLoop.start("nio-contract");
        }

        @Override
        protected BlockBackend openBackend(long sizeBytes, int sinkCapacity, boolean readOnly, SystemCallFaults faults) throws IOException {
            try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
                file.setLength(sizeBytes);
            }
            return NioBackendProvider.open(new BackendOptions(image, readOnly, direct, sinkCapacity), (call, result) -> faults.result(
                    switch (call) {
                        case READ -> SystemCallFaults.Call.READ;
                        case WRITE -> SystemCallFaults.Call.WRITE;
                        case SYNC -> SystemCallFaults.Call.SYNC;
                    }, result));
        }

        @Override
        protected byte[] stableContents() throws IOException {
            return Files.readAllBytes(image);
        }

        @AfterEach
        void removeImage() throws IOException {
            Files.delete(image);
        }
    }
}
