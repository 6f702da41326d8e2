package dev.sluice.aio.sink;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.Errno;
import dev.sluice.pipeline.testing.BlockSinkContract;
import dev.sluice.pipeline.testing.SystemCallFaults;
import dev.sluice.pipeline.testing.TestIo;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What every sink does, from a sink on raw images: its image is a file in a directory of its own. */
public abstract class RawSinkContract extends BlockSinkContract {
    protected static final Path DISK = Path.of(System.getProperty("java.io.tmpdir"));
    protected static final Path MEMORY = Path.of("/dev/shm");

    private final Path parent;
    private final Path directory;
    private final Path image;

    protected RawSinkContract(Path parent) {
        this.parent = parent;
        try {
            directory = Files.createTempDirectory(parent, "sluice-sink-");
        } catch (IOException failed) {
            throw new IllegalStateException(failed);
        }
        image = directory.resolve("disk.img");
    }

    /** Whether the image is opened with O_DIRECT. */
    protected boolean direct() {
        return true;
    }

    /** Opens the image; the results of calls go through the seam. */
    protected abstract BlockBackend open(BackendOptions options, CompletionSeam seam) throws IOException;

    @Override
    protected final BlockBackend openBackend(long sizeBytes, int sinkCapacity, boolean readOnly, SystemCallFaults faults) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(sizeBytes);
        }
        BackendOptions options = new BackendOptions(image, readOnly, direct(), sinkCapacity);
        return open(options, (call, result) -> faults.result(SystemCallFaults.Call.valueOf(call.name()), result));
    }

    @Override
    protected final byte[] stableContents() throws IOException {
        return Files.readAllBytes(image);
    }

    /** The kernel does not tell whether it was the write or its sync that has failed (RWF_DSYNC). */
    @ParameterizedTest
    @ValueSource(ints = {Errno.EIO, Errno.ENOSPC})
    void shouldPromiseNothingAfterADurableWriteThatMayHaveFailedInItsSync(int errno) {
        assertThat(result(TestIo.write(0, new byte[4096]).asDurable())).isEqualTo(4096);
        SystemCallFaults.Call call = direct() ? SystemCallFaults.Call.WRITE : SystemCallFaults.Call.SYNC;
        if (!direct() && parent.equals(MEMORY)) {
            return;
        }
        faults().inject(SystemCallFaults.always(call, -errno));
        assertThat(result(TestIo.write(0, new byte[4096]).asDurable())).isEqualTo(-errno);
        faults().inject(SystemCallFaults.NONE);
        assertThat(result(TestIo.write(0, new byte[4096]).asDurable())).isEqualTo(-Errno.EIO);
        assertThat(result(TestIo.flush())).isEqualTo(-Errno.EIO);
    }

    @ParameterizedTest
    @ValueSource(ints = {Errno.EFAULT, Errno.EINVAL, Errno.EFBIG})
    void shouldPromiseAgainAfterADurableWriteThatNeverBegan(int errno) {
        faults().inject(SystemCallFaults.always(SystemCallFaults.Call.WRITE, -errno));
        int _ = result(TestIo.write(0, new byte[4096]).asDurable());
        faults().inject(SystemCallFaults.NONE);
        assertThat(result(TestIo.flush())).isZero();
        assertThat(result(TestIo.write(0, new byte[4096]).asDurable())).isEqualTo(4096);
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
