package dev.sluice.aio.sink;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.Errno;
import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.testing.ImageSinkContract;
import dev.sluice.pipeline.testing.SystemCallFaults;
import dev.sluice.pipeline.testing.TestIo;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What every sink does, from a sink on raw images: its image is a file in a directory of its own. */
public abstract class RawSinkContract extends ImageSinkContract {
    protected static final Path DISK = Path.of(System.getProperty("java.io.tmpdir"));
    protected static final Path MEMORY = Path.of("/dev/shm");

    /** Slots of the sink under test, each of which must have been refused. */
    private static final int CAPACITY_OF_CONTRACT = 8;

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

    /** A file system that is stricter than it says gets the request through the page cache. */
    @Test
    void shouldGoThroughThePageCacheWhereODirectIsRefused() throws IOException {
        if (!direct()) {
            return;
        }
        byte[] bytes = new byte[8192];
        Arrays.fill(bytes, (byte) 7);
        for (boolean durable : new boolean[] {false, true}) {
            faults().inject(SystemCallFaults.first(1, -Errno.EINVAL));
            TestIo write = TestIo.write(8, bytes);
            assertThat(result(durable ? write.asDurable() : write)).isEqualTo(8192);
            assertThat(faults().injected()).isEqualTo(1);
            faults().inject(SystemCallFaults.first(1, -Errno.EINVAL));
            TestIo read = TestIo.read(8, 8192);
            assertThat(result(read)).isEqualTo(8192);
            assertThat(read.data()).isEqualTo(bytes);
            faults().inject(SystemCallFaults.NONE);
        }
        int[] syncs = {0};
        faults().inject((call, result) -> {
            syncs[0] += call == SystemCallFaults.Call.SYNC ? 1 : 0;
            return call == SystemCallFaults.Call.WRITE && syncs[0]++ == 0 ? -Errno.EINVAL : result;
        });
        assertThat(result(TestIo.write(8, bytes).asDurable())).isEqualTo(8192);
        assertThat(syncs[0]).as("the refused write, and a sync of what went through the page cache").isEqualTo(parent.equals(MEMORY) ? 2 : 3);
        faults().inject(SystemCallFaults.always(SystemCallFaults.Call.WRITE, -Errno.EINVAL));
        assertThat(result(TestIo.write(8, bytes))).as("refused there too").isEqualTo(-Errno.EINVAL);
    }

    /** Punching gives the space back, zeroing keeps it. */
    @Test
    void shouldGiveSpaceBackOnlyWhereAWriteOfZeroesMayUnmap() throws IOException {
        int length = 128 * 1024;
        byte[] bytes = new byte[length];
        Arrays.fill(bytes, (byte) 7);
        for (int at = 0; at < length; at += 16384) {
            assertThat(result(TestIo.write(at / 512, Arrays.copyOf(bytes, 16384)))).isEqualTo(16384);
        }
        assertThat(result(TestIo.flush())).isZero();
        assertThat(allocatedBytes()).isGreaterThanOrEqualTo(length);
        assertThat(result(TestIo.writeZeroes(0, length))).isZero();
        assertThat(result(TestIo.flush())).isZero();
        assertThat(allocatedBytes()).as("zeroed, the space is still there").isGreaterThanOrEqualTo(length);
        assertThat(result(TestIo.writeZeroes(0, length).asUnmapping())).isZero();
        assertThat(result(TestIo.flush())).isZero();
        assertThat(allocatedBytes()).as("punched").isLessThan(length);
    }

    private long allocatedBytes() throws IOException {
        try (Fd file = LinuxFile.openOrThrow(image.toString(), LinuxFile.O_RDONLY | LinuxFile.O_CLOEXEC, 0)) {
            return 512 * LinuxFile.status(file.number()).allocatedBlocks();
        }
    }

    // ---- refusals: each counts for the piece that it concerns

    @Test
    void shouldCountNoRefusalsOfAnEarlierRequest() {
        for (int round = 0; round < CAPACITY_OF_CONTRACT; round++) {
            faults().inject(SystemCallFaults.first(12, -Errno.EAGAIN));
            assertThat(result(TestIo.flush())).as("at the end it waits 128 ms").isZero();
        }
        assertQuickOnce("another request", 100, () -> {
            faults().inject(SystemCallFaults.first(1, -Errno.EAGAIN));
            assertThat(result(TestIo.flush())).isZero();
        });
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldCountNoRefusalsOfAnEarlierPiece(boolean zeroes) {
        assertQuickOnce("32 pieces that are refused once each", 1500, () -> {
            int[] calls = {0};
            faults().inject((call, result) -> switch (call) {
                case ALLOCATE -> -Errno.EOPNOTSUPP;
                case READ, WRITE -> calls[0]++ % 2 == 0 ? -Errno.EAGAIN : Math.min(result, 512);
                case SYNC -> result;
            });
            TestIo io = zeroes ? TestIo.writeZeroes(0, 16384) : TestIo.read(0, 16384);
            assertThat(result(io)).isEqualTo(zeroes ? 0 : 16384);
            assertThat(calls[0]).isEqualTo(64);
        });
    }

    /** At least one time of many it takes no longer: what must be slow is so each time. */
    private static void assertQuickOnce(String what, long limitMillis, Runnable work) {
        long quickest = Long.MAX_VALUE;
        for (int i = 0; i < 20 && quickest > limitMillis; i++) {
            long before = System.nanoTime();
            work.run();
            quickest = Math.min(quickest, (System.nanoTime() - before) / 1_000_000);
        }
        assertThat(quickest).as("milliseconds of %s", what).isLessThanOrEqualTo(limitMillis);
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
