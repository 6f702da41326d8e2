package dev.sluice.aio.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.device.BlockBuffer;
import dev.sluice.device.BlockDevice;
import dev.sluice.device.BlockDeviceOptions;
import dev.sluice.device.BlockIoException;
import dev.sluice.linux.Errno;
import dev.sluice.pipeline.Providers;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousFileChannel;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;

/** A device on every backend and loop that this machine has: an image on tmpfs, and one on a disk with O_DIRECT. */
class BlockDeviceIT {
    private static final int SIZE = 16 << 20;
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private final List<Path> made = new ArrayList<>();

    /** A backend on a loop with an image in a place. */
    record Setup(String backend, String loop, String directory) {
        @Override
        public String toString() {
            return backend + " on " + loop + ", " + (directory.equals("target") ? "disk" : "tmpfs");
        }
    }

    private static final List<Setup> SETUPS = setups();

    /** All that this machine can do; what it cannot is told. */
    private static List<Setup> setups() {
        List<Setup> able = new ArrayList<>();
        for (String backend : List.of("io_uring", "linux-aio", "nio", "mapped")) {
            for (String loop : List.of("io_uring", "epoll", "thread")) {
                try {
                    var _ = Providers.choose(backend, loop);
                    if (!backend.equals("mapped")) {
                        able.add(new Setup(backend, loop, "target"));
                    }
                    able.add(new Setup(backend, loop, "/dev/shm"));
                } catch (IOException cannot) {
                    System.err.println("SKIPPED in BlockDeviceIT: " + cannot.getMessage());
                }
            }
        }
        return able;
    }

    static Stream<Setup> everySetup() {
        return SETUPS.stream();
    }

    @AfterEach
    void deleteImages() throws IOException {
        for (Path image : made) {
            Files.delete(image);
        }
    }

    private Path image(Setup setup) throws IOException {
        Path image = Files.createTempFile(Files.createDirectories(Path.of(setup.directory)), "sluice-device", ".raw");
        made.add(image);
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(SIZE);
        }
        return image;
    }

    private static BlockDeviceOptions.Builder options(Setup setup) {
        return BlockDeviceOptions.builder().backend(setup.backend).loop(setup.loop).buffers(64, 16 * 1024);
    }

    private static byte[] random(long seed, int bytes) {
        byte[] content = new byte[bytes];
        new SplittableRandom(seed).nextBytes(content);
        return content;
    }

    private static ByteBuffer direct(byte[] content) {
        return ByteBuffer.allocateDirect(content.length).put(content).flip();
    }

    private static byte[] content(ByteBuffer buffer) {
        byte[] copy = new byte[buffer.limit()];
        buffer.get(0, copy);
        return copy;
    }

    @ParameterizedTest
    @MethodSource("everySetup")
    void shouldWriteReadFlushZeroAndDiscard(Setup setup) throws IOException {
        Path image = image(setup);
        byte[] bytes = random(1, 128 * 1024);
        try (BlockDevice device = BlockDevice.open(image, options(setup).build())) {
            assertThat(device.sizeBytes()).isEqualTo(SIZE);
            // Not aligned: the backend copies where O_DIRECT needs it.
            ByteBuffer odd = ByteBuffer.allocateDirect(bytes.length + 7).position(7).slice().put(bytes).flip();
            assertThat(device.write(4096, odd).block(PATIENCE)).isEqualTo(bytes.length);
            ByteBuffer first = ByteBuffer.allocateDirect(1000);
            ByteBuffer second = ByteBuffer.allocateDirect(bytes.length - 1000);
            assertThat(device.read(4096, List.of(first, second)).block(PATIENCE)).isEqualTo(bytes.length);
            assertThat(content(first)).isEqualTo(Arrays.copyOf(bytes, 1000));
            assertThat(content(second)).isEqualTo(Arrays.copyOfRange(bytes, 1000, bytes.length));
            device.flush().block(PATIENCE);
            device.writeZeroes(4096, 512, false).block(PATIENCE);
            if (device.geometry().discard()) {
                device.discard(8192, 4096).block(PATIENCE);
            } else {
                assertThatThrownBy(() -> device.discard(8192, 4096).block(PATIENCE)).hasMessageContaining(Errno.name(Errno.EOPNOTSUPP));
                device.writeZeroes(8192, 4096, true).block(PATIENCE);
            }
        }
        Arrays.fill(bytes, 0, 512, (byte) 0);
        Arrays.fill(bytes, 4096, 8192, (byte) 0);
        assertThat(Arrays.copyOfRange(Files.readAllBytes(image), 4096, 4096 + bytes.length)).isEqualTo(bytes);
    }

    @ParameterizedTest
    @MethodSource("everySetup")
    void shouldCopyARangeWithReadAheadAndPooledBuffers(Setup setup) throws IOException {
        Path source = image(setup);
        Files.write(source, random(2, SIZE));
        Path target = image(setup);
        try (BlockDevice from = BlockDevice.open(source, options(setup).readOnly(true).build());
                BlockDevice to = BlockDevice.open(target, options(setup).build())) {
            assertThat(to.writeRange(0, from.readRange(0, SIZE)).block(PATIENCE)).isEqualTo(SIZE);
            assertThat(from.buffers().available()).isEqualTo(64);
            assertThatThrownBy(() -> from.write(0, ByteBuffer.allocateDirect(512)).block(PATIENCE))
                    .hasCauseInstanceOf(BlockIoException.class)
                    .hasMessageContaining(Errno.name(Errno.EROFS));
        }
        assertThat(Files.mismatch(source, target)).isEqualTo(-1);
    }

    @ParameterizedTest
    @MethodSource("everySetup")
    void shouldServeManyVirtualThreadsOnTwoLoops(Setup setup) throws Exception {
        int threads = 64;
        int part = SIZE / threads;
        try (BlockDevice device = BlockDevice.open(image(setup), options(setup).loops(2).queueDepth(16).build())) {
            List<Throwable> failures = java.util.Collections.synchronizedList(new ArrayList<>());
            List<Thread> started = new ArrayList<>();
            for (int t = 0; t < threads; t++) {
                int mine = t;
                started.add(Thread.ofVirtual().start(() -> {
                    try {
                        for (int i = 0; i < 16; i++) {
                            byte[] bytes = random(mine * 100L + i, 4096);
                            long offset = (long) mine * part + i * 4096L;
                            assertThat(device.write(offset, direct(bytes)).block(PATIENCE)).isEqualTo(4096);
                            ByteBuffer read = ByteBuffer.allocateDirect(4096);
                            assertThat(device.read(offset, read).block(PATIENCE)).isEqualTo(4096);
                            assertThat(content(read)).isEqualTo(bytes);
                        }
                    } catch (Throwable failure) {
                        failures.add(failure);
                    }
                }));
            }
            for (Thread thread : started) {
                thread.join();
            }
            assertThat(failures).isEmpty();
        }
    }

    @ParameterizedTest
    @MethodSource("everySetup")
    void shouldHoldBuffersOfCancelledReadsUntilTheKernelIsDone(Setup setup) throws IOException {
        BlockDevice device = BlockDevice.open(image(setup), options(setup).build());
        for (int i = 0; i < 2000; i++) {
            BlockBuffer buffer = Objects.requireNonNull(device.buffers().take().block(PATIENCE));
            Disposable reading = device.read((i % 1000) * 16384L, buffer.bytes()).subscribe();
            if (i % 3 != 0) {
                Thread.onSpinWait();
            }
            reading.dispose();
            buffer.close();
        }
        device.close();
        assertThat(device.buffers().available()).isEqualTo(64);
        assertThat(device.buffers().leaks()).isZero();
    }

    @ParameterizedTest
    @MethodSource("everySetup")
    void shouldDrainWhenItIsClosed(Setup setup) throws IOException {
        BlockDevice device = BlockDevice.open(image(setup), options(setup).queueDepth(8).build());
        var reads = Flux.range(0, 500)
                .map(i -> device.read(i * 4096L, ByteBuffer.allocateDirect(4096)).toFuture())
                .collectList()
                .block(PATIENCE);
        device.close();
        assertThat(reads).hasSize(500).allSatisfy(read -> assertThat(read.getNow(-1)).isEqualTo(4096));
        assertThatThrownBy(() -> device.read(0, ByteBuffer.allocateDirect(512)).block(PATIENCE)).hasMessageContaining("closed");
    }

    @ParameterizedTest
    @MethodSource("everySetup")
    void shouldServeProgramsWithTheShapeOfChannels(Setup setup) throws Exception {
        Path image = image(setup);
        byte[] bytes = random(5, 100_003);
        try (BlockDevice device = BlockDevice.open(image, options(setup).build());
                SeekableByteChannel channel = device.channel();
                AsynchronousFileChannel asynchronous = device.asyncChannel()) {
            channel.position(777);
            ByteBuffer source = ByteBuffer.wrap(bytes);
            while (source.hasRemaining()) {
                assertThat(channel.write(source)).isPositive();
            }
            ByteBuffer target = ByteBuffer.allocate(bytes.length);
            while (target.hasRemaining()) {
                assertThat(asynchronous.read(target, 777 + target.position()).get(30, TimeUnit.SECONDS)).isPositive();
            }
            assertThat(target.array()).isEqualTo(bytes);
            asynchronous.force(true);
        }
        assertThat(Arrays.copyOfRange(Files.readAllBytes(image), 777, 777 + bytes.length)).isEqualTo(bytes);
    }

    @ParameterizedTest
    @MethodSource("everySetup")
    void shouldGrowAndShrinkTheImage(Setup setup) throws IOException {
        Path image = image(setup);
        try (BlockDevice device = BlockDevice.open(image, options(setup).build())) {
            byte[] bytes = random(6, 4096);
            assertThat(device.resize(2L * SIZE).block(PATIENCE)).satisfies(geometry -> assertThat(geometry.sizeBytes()).isEqualTo(2L * SIZE));
            assertThat(device.write(2L * SIZE - 4096, direct(bytes)).block(PATIENCE)).isEqualTo(4096);
            ByteBuffer added = ByteBuffer.allocateDirect(4096);
            assertThat(device.read(SIZE, added).block(PATIENCE)).isEqualTo(4096);
            assertThat(content(added)).containsOnly(0);
            assertThat(device.resize(SIZE).block(PATIENCE)).satisfies(geometry -> assertThat(geometry.sizeBytes()).isEqualTo(SIZE));
            assertThatThrownBy(() -> device.read(SIZE, ByteBuffer.allocateDirect(512)).block(PATIENCE)).isInstanceOf(IllegalArgumentException.class);
        }
        assertThat(Files.size(image)).isEqualTo(SIZE);
    }

    @ParameterizedTest
    @MethodSource("everySetup")
    void shouldShrinkUnderLoadForGood(Setup setup) throws IOException {
        Path image = image(setup);
        int shrunk = 1 << 20;
        try (BlockDevice device = BlockDevice.open(image, options(setup).build())) {
            List<CompletableFuture<Integer>> writes = new ArrayList<>();
            for (int i = 0; i < 1000; i++) {
                ByteBuffer block = ByteBuffer.allocateDirect(4096);
                writes.add(device.write((long) (i % 4096) * 4096, block).toFuture());
            }
            var _ = device.resize(shrunk).block(PATIENCE);
            for (CompletableFuture<Integer> write : writes) {
                // Either way: it was answered before the disk shrank, or refused because it had.
                var _ = write.handle((bytes, failure) -> failure).orTimeout(PATIENCE.toSeconds(), TimeUnit.SECONDS).join();
            }
            assertThat(device.sizeBytes()).isEqualTo(shrunk);
            assertThat(Files.size(image)).isEqualTo(shrunk);
            assertThatThrownBy(() -> device.write(shrunk, ByteBuffer.allocateDirect(4096)).block(PATIENCE)).isInstanceOf(IllegalArgumentException.class);
        }
        assertThat(Files.size(image)).isEqualTo(shrunk);
    }

    @ParameterizedTest
    @MethodSource("everySetup")
    void shouldTakeAnyBufferAndAnyAlignmentOfMemory(Setup setup) throws Exception {
        try (BlockDevice device = BlockDevice.open(image(setup), options(setup).build())) {
            byte[] bytes = random(7, 12 * 1024);
            for (int shift : new int[] {0, 1, 511, 512, 2048}) {
                ByteBuffer shifted = ByteBuffer.allocateDirect(bytes.length + 4096).position(shift).slice().limit(bytes.length).slice();
                assertThat(device.write(512L * (3 + shift), shifted.put(bytes).flip()).block(PATIENCE)).isEqualTo(bytes.length);
                ByteBuffer read = ByteBuffer.allocateDirect(bytes.length + 4096).position(4096 - shift).slice().limit(bytes.length).slice();
                assertThat(device.read(512L * (3 + shift), read).block(PATIENCE)).isEqualTo(bytes.length);
                assertThat(content(read)).as("shift %d", shift).isEqualTo(bytes);
            }
            assertThatThrownBy(() -> device.read(0, ByteBuffer.allocate(512)).block(PATIENCE)).hasMessageContaining("heap buffers are not supported");
        }
    }

    @ParameterizedTest
    @MethodSource("everySetup")
    void shouldWriteThroughWhereItIsAskedTo(Setup setup) throws IOException {
        Path image = image(setup);
        byte[] bytes = random(8, 4096);
        try (BlockDevice device = BlockDevice.open(image, options(setup).writeThrough(true).build())) {
            assertThat(device.write(0, direct(bytes)).block(PATIENCE)).isEqualTo(4096);
            assertThat(Arrays.copyOf(Files.readAllBytes(image), 4096)).isEqualTo(bytes);
        }
    }
}
