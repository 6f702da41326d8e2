package dev.sluice.aio.uring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sluice.aio.loop.OpenFiles;
import dev.sluice.aio.sink.CompletionSeam;
import dev.sluice.linux.Errno;
import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.Mapping;
import dev.sluice.linux.Memfd;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockBackendProvider;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.testing.Patience;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.ServiceLoader;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What happens at the edges: full sinks and rings, closing with requests in flight, memory and disks that end. */
class SinkLimitsTest {
    private static final int BLOCK = 4096;
    private static final long SIZE = 16 << 20;

    private Path disk = Path.of("/");
    private Path memory = Path.of("/");

    @BeforeEach
    void createImages() throws IOException {
        disk = sparse(Files.createTempFile(Path.of("target"), "sluice-limits", ".raw"), SIZE);
        memory = sparse(Files.createTempFile(Path.of("/dev/shm"), "sluice-limits", ".raw"), SIZE);
    }

    @AfterEach
    void deleteImages() throws IOException {
        Files.deleteIfExists(disk);
        Files.deleteIfExists(memory);
    }

    private static Path sparse(Path path, long size) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
            file.setLength(size);
        }
        return path;
    }

    private static BackendOptions options(Path image, int capacity) {
        return new BackendOptions(image, false, true, capacity);
    }

    private static TestRequest[] reads(SinkFixture fixture, int count) {
        TestRequest[] requests = new TestRequest[count];
        for (int i = 0; i < count; i++) {
            requests[i] = fixture.make(0, BLOCK).as(BlockOp.READ, (long) i * BLOCK % SIZE);
        }
        return requests;
    }

    private static void assertAllAnsweredOnce(TestRequest[] requests) {
        for (TestRequest request : requests) {
            assertThat(SinkFixture.await(request.answered)).isEqualTo(BLOCK);
            assertThat(request.answers).hasValue(1);
            request.close();
        }
    }

    @Test
    void shouldTakeNoMoreThanItsCapacityAndTakeAgainAfterACompletion() throws IOException {
        try (SinkFixture fixture = new SinkFixture(options(disk, 3))) {
            TestRequest[] requests = reads(fixture, 4);
            TestRequest left = requests[3];
            boolean _ = fixture.onLoop(() -> {
                for (int i = 0; i < 3; i++) {
                    assertThat(fixture.sink.submit(requests[i])).isTrue();
                }
                assertThat(fixture.sink.submit(left)).isFalse();
                assertThat(left.state()).isEqualTo(dev.sluice.pipeline.BlockRequest.State.PARSED);
                assertThat(fixture.sink.inFlight()).isEqualTo(3);
                fixture.sink.flush();
                return true;
            });
            assertThat(SinkFixture.await(requests[0].answered)).isEqualTo(BLOCK);
            fixture.submit(left);
            assertAllAnsweredOnce(requests);
            assertThat(fixture.sink.capacity()).isEqualTo(3);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {16, 1024})
    void shouldLoseNothingWhenTheBatchIsLargerThanTheRings(int entries) throws IOException {
        IoUringLoopOptions small = new IoUringLoopOptions(entries, entries, true);
        try (SinkFixture fixture = new SinkFixture(options(disk, 4000), CompletionSeam.NONE, small)) {
            TestRequest[] requests = reads(fixture, 4000);
            fixture.submit(requests);
            assertAllAnsweredOnce(requests);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void shouldCloseAfterTheLastCompletionWhenClosedInFlight(boolean inMemory) throws IOException {
        Path image = inMemory ? memory : disk;
        try (SinkFixture warm = new SinkFixture(options(image, 64))) {
            assertThat(warm.sink.inFlight()).isZero();
        }
        long before = OpenFiles.count();
        SinkFixture fixture = new SinkFixture(options(image, 64));
        TestRequest[] requests = reads(fixture, 64);
        boolean _ = fixture.onLoop(() -> {
            for (TestRequest request : requests) {
                assertThat(fixture.sink.submit(request)).isTrue();
            }
            fixture.sink.flush();
            fixture.sink.close();
            fixture.backend.close();
            TestRequest late = fixture.make(0, BLOCK).as(BlockOp.READ, 0);
            assertThat(fixture.sink.submit(late)).isFalse();
            late.close();
            return true;
        });
        assertAllAnsweredOnce(requests);
        fixture.close();
        assertThat(OpenFiles.count()).isLessThanOrEqualTo(before);
    }

    @Test
    void shouldAnswerEverythingBeforeTheLoopEnds() throws IOException {
        SinkFixture fixture = new SinkFixture(options(disk, 256));
        TestRequest[] requests = reads(fixture, 256);
        fixture.submit(requests);
        fixture.loop.close();
        for (TestRequest request : requests) {
            assertThat(request.answered).isCompletedWithValue(BLOCK);
            request.close();
        }
        fixture.backend.close();
    }

    @Test
    void shouldCompleteTheOthersWhenOneCompletionThrows() throws IOException {
        try (SinkFixture fixture = new SinkFixture(options(disk, 64))) {
            TestRequest[] requests = reads(fixture, 8);
            // Completed behind the sink's back: the sink's own completion of it is then illegal and throws.
            TestRequest wronged = requests[3];
            boolean _ = fixture.onLoop(() -> {
                for (TestRequest request : requests) {
                    assertThat(fixture.sink.submit(request)).isTrue();
                }
                fixture.sink.flush();
                wronged.complete(BLOCK);
                return true;
            });
            assertAllAnsweredOnce(requests);
        }
    }

    @Test
    void shouldGiveBackAnAbandonedRequest() throws IOException {
        try (SinkFixture fixture = new SinkFixture(options(disk, 64));
                TestRequest request = fixture.make(0, BLOCK)) {
            boolean _ = fixture.onLoop(() -> {
                assertThat(fixture.sink.submit(request.as(BlockOp.READ, 0))).isTrue();
                fixture.sink.flush();
                request.giveUp();
                return true;
            });
            assertThat(SinkFixture.await(request.answered)).isEqualTo(BLOCK);
            assertThat(request.answers).hasValue(1);
        }
    }

    /** A guest's memory whose second page is gone. */
    private interface WithTruncatedMemory {
        void run(long lostPage) throws IOException;
    }

    private static void withTruncatedMemory(WithTruncatedMemory test) throws IOException {
        int page = Mapping.pageBytes();
        try (Fd file = Fd.adopt(Memfd.create("guest", Memfd.MFD_CLOEXEC))) {
            assertThat(LinuxFile.ftruncate(file.number(), 2L * page)).isZero();
            try (Mapping guest = Mapping.shared(file.number(), 0, 2L * page)) {
                assertThat(LinuxFile.ftruncate(file.number(), page)).isZero();
                test.run(guest.address() + page);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void shouldFailWithEfaultWhenTheMemoryIsGone(boolean inMemory) throws IOException {
        Path image = inMemory ? memory : disk;
        Files.write(image, new byte[(int) SIZE]);
        withTruncatedMemory(lost -> {
            try (SinkFixture fixture = new SinkFixture(options(image, 8));
                    TestRequest read = TestRequest.over(fixture.loop, lost, BLOCK);
                    TestRequest write = TestRequest.over(fixture.loop, lost, BLOCK)) {
                assertThat(fixture.run(read.as(BlockOp.READ, 0))).isEqualTo(-Errno.EFAULT);
                assertThat(fixture.run(write.as(BlockOp.WRITE, 0))).isEqualTo(-Errno.EFAULT);
                assertThat(fixture.read(0, BLOCK)).containsOnly(0);
            }
        });
    }

    @Test
    void shouldFailWithEfaultWhenTheMemoryIsGoneBehindABounceBuffer() throws IOException {
        withTruncatedMemory(lost -> {
            try (SinkFixture fixture = new SinkFixture(options(disk, 8));
                    TestRequest read = TestRequest.over(fixture.loop, lost + 8, 512);
                    TestRequest write = TestRequest.over(fixture.loop, lost + 8, 512)) {
                assertThat(fixture.run(read.as(BlockOp.READ, 0))).isEqualTo(-Errno.EFAULT);
                assertThat(fixture.run(write.as(BlockOp.WRITE, 0))).isEqualTo(-Errno.EFAULT);
                assertThat(fixture.read(0, BLOCK)).containsOnly(0);
            }
        });
    }

    /** Where C2 compiles early (.ci/aarch64) the copies of the last requests are its own: see NativeMemory. */
    @Test
    void shouldFailWithEfaultWhenTheMemoryGoesBetweenBouncedRequests() throws IOException {
        int page = Mapping.pageBytes();
        try (Fd file = Fd.adopt(Memfd.create("guest", Memfd.MFD_CLOEXEC));
                SinkFixture fixture = new SinkFixture(options(disk, 8))) {
            assertThat(LinuxFile.ftruncate(file.number(), 2L * page)).isZero();
            try (Mapping guest = Mapping.shared(file.number(), 0, 2L * page)) {
                // An odd address, and the end of the page in the middle.
                long address = guest.address() + page - 255;
                for (int i = 0; i < 200; i++) {
                    assertThat(transfer(fixture, BlockOp.WRITE, address)).isEqualTo(512);
                    assertThat(transfer(fixture, BlockOp.READ, address)).isEqualTo(512);
                }
                assertThat(LinuxFile.ftruncate(file.number(), page)).isZero();
                for (int i = 0; i < 3; i++) {
                    assertThat(transfer(fixture, BlockOp.WRITE, address)).isEqualTo(-Errno.EFAULT);
                    assertThat(transfer(fixture, BlockOp.READ, address)).isEqualTo(-Errno.EFAULT);
                }
            }
        }
    }

    private static int transfer(SinkFixture fixture, BlockOp op, long address) {
        try (TestRequest request = TestRequest.over(fixture.loop, address, 512)) {
            return fixture.run(request.as(op, 0));
        }
    }

    @Test
    void shouldFailWithEnospcAndGoOnWhenTheFileSystemIsFull() throws IOException, InterruptedException {
        Path mountPoint = Files.createTempDirectory("sluice-full");
        boolean mounted = runs("mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", mountPoint.toString());
        if (!mounted) {
            Files.delete(mountPoint);
            System.out.println("SKIPPED: a full file system: mounting a tmpfs needs root");
        }
        assumeTrue(mounted, "SKIPPED: mounting a tmpfs needs root");
        try {
            Path image = sparse(mountPoint.resolve("disk.raw"), SIZE);
            try (SinkFixture fixture = new SinkFixture(options(image, 8));
                    TestRequest write = fixture.make(0, 2 << 20);
                    TestRequest discard = fixture.make(0)) {
                assertThat(fixture.run(write.as(BlockOp.WRITE, 0))).isEqualTo(-Errno.ENOSPC);
                assertThat(fixture.run(discard.as(BlockOp.DISCARD, 0, 2 << 20))).isZero();
                assertThat(fixture.write(0, new byte[BLOCK])).isEqualTo(BLOCK);
            }
        } finally {
            assertThat(runs("umount", mountPoint.toString())).isTrue();
            Files.delete(mountPoint);
        }
    }

    private static boolean runs(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
        return process.waitFor(Patience.seconds(30), TimeUnit.SECONDS) && process.exitValue() == 0;
    }

    @Test
    void shouldServeOneImageFromSeveralLoops() throws IOException {
        IoUringLoop second = IoUringLoop.start("second", IoUringLoopOptions.DEFAULT.withDaemon(true));
        try (SinkFixture fixture = new SinkFixture(options(disk, 64))) {
            List<TestRequest> requests = new ArrayList<>();
            second.execute(() -> {
                BlockSink sink = fixture.backend.openSink(second);
                for (int i = 0; i < 64; i++) {
                    TestRequest request = new TestRequest(second, 0, BLOCK);
                    requests.add(request);
                    assertThat(sink.submit(request.as(BlockOp.READ, (long) i * BLOCK))).isTrue();
                }
                sink.flush();
                sink.close();
            });
            TestRequest[] own = reads(fixture, 64);
            fixture.submit(own);
            assertAllAnsweredOnce(own);
            second.close();
            assertThat(requests).hasSize(64).allSatisfy(request -> assertThat(request.answered).isCompletedWithValue(BLOCK));
            requests.forEach(TestRequest::close);
        }
    }

    @Test
    void shouldBeFoundByNameAndRefuseALoopOfAnotherKind() throws IOException {
        BlockBackendProvider provider = ServiceLoader.load(BlockBackendProvider.class).stream()
                .map(ServiceLoader.Provider::get)
                .filter(found -> found.name().equals("io_uring"))
                .findFirst()
                .orElseThrow();
        assertThat(provider.unavailable()).isEmpty();
        IoLoop other = (IoLoop) Proxy.newProxyInstance(IoLoop.class.getClassLoader(), new Class<?>[] {IoLoop.class}, (_, _, _) -> "other loop");
        try (BlockBackend backend = provider.open(options(disk, 8))) {
            assertThatThrownBy(() -> backend.openSink(other))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("IoUringLoop")
                    .hasMessageContaining("other loop");
        }
    }
}
