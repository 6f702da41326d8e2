package dev.sluice.aio.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.device.BlockDevice;
import dev.sluice.device.BlockDeviceOptions;
import dev.sluice.pipeline.Providers;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import reactor.core.Disposable;

/** What a program lends to a device, with every backend of this machine: interrupted, cancelled, or closed at every moment. */
class BorrowedMemoryIT {
    private static final int MIB = 1 << 20;
    private static final byte ON_DISK = 7;
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private final List<Path> made = new ArrayList<>();

    static Stream<String> everyBackend() {
        return Stream.of("io_uring", "linux-aio", "nio").filter(backend -> {
            try {
                var _ = Providers.choose(backend, BlockDeviceOptions.AUTO);
                return true;
            } catch (IOException cannot) {
                System.err.println("SKIPPED in BorrowedMemoryIT: " + cannot.getMessage());
                return false;
            }
        });
    }

    @AfterEach
    void deleteImages() throws IOException {
        for (Path image : made) {
            Files.delete(image);
        }
    }

    private BlockDevice open(String backend) throws IOException {
        Path image = Files.createTempFile(Files.createDirectories(Path.of("target")), "sluice-borrowed", ".raw");
        made.add(image);
        byte[] content = new byte[MIB];
        Arrays.fill(content, ON_DISK);
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            for (int i = 0; i < 4; i++) {
                file.write(content);
            }
        }
        return BlockDevice.open(image, BlockDeviceOptions.builder().backend(backend).build());
    }

    private static void fill(ByteBuffer memory, byte value) {
        MemorySegment.ofBuffer(memory.duplicate().clear()).fill(value);
    }

    private static boolean isAll(ByteBuffer memory, byte value) {
        for (int at = 0; at < memory.capacity(); at++) {
            if (memory.get(at) != value) {
                return false;
            }
        }
        return true;
    }

    @ParameterizedTest
    @MethodSource("everyBackend")
    void shouldLeaveTheMemoryAloneAfterAnInterruption(String backend) throws Exception {
        try (BlockDevice device = open(backend)) {
            ByteBuffer memory = ByteBuffer.allocateDirect(MIB);
            AtomicInteger round = new AtomicInteger();
            AtomicInteger interruptions = new AtomicInteger();
            CompletableFuture<Void> done = new CompletableFuture<>();
            Thread reader = Thread.ofPlatform().start(() -> {
                try {
                    for (int i = 0; i < 2000; i++) {
                        SeekableByteChannel channel = device.channel();
                        memory.clear();
                        round.incrementAndGet();
                        try {
                            assertThat(channel.read(memory)).isEqualTo(MIB);
                            assertThat(memory.position()).isEqualTo(MIB);
                        } catch (InterruptedIOException interrupted) {
                            interruptions.incrementAndGet();
                            assertThat(Thread.interrupted()).isTrue();
                            assertThat(memory.position()).isEqualTo(interrupted.bytesTransferred);
                            assertThat(channel.position()).isEqualTo(interrupted.bytesTransferred);
                            // Whoever still writes to it would write sevens.
                            fill(memory, (byte) 1);
                            assertThat(isAll(memory, (byte) 1)).isTrue();
                        }
                    }
                    done.complete(null);
                } catch (Throwable failed) {
                    done.completeExceptionally(failed);
                }
            });
            int seen = 0;
            while (!done.isDone()) {
                int now = round.get();
                if (now != seen) {
                    seen = now;
                    Thread.sleep(0, 50_000 * (now % 16));
                    reader.interrupt();
                } else {
                    Thread.onSpinWait();
                }
            }
            done.get(60, TimeUnit.SECONDS);
            System.err.println("BorrowedMemoryIT: " + interruptions + " of 2000 reads were interrupted with " + backend);
            assertThat(interruptions.get()).isPositive();
        }
    }

    @ParameterizedTest
    @MethodSource("everyBackend")
    void shouldReleaseTheMemoryOfACancelledReadWhenItSaysSo(String backend) throws Exception {
        try (BlockDevice device = open(backend)) {
            ByteBuffer memory = ByteBuffer.allocateDirect(MIB);
            for (int i = 0; i < 500; i++) {
                Disposable reading = device.read(0, memory.clear()).subscribe();
                for (int spin = 0; spin < i; spin++) {
                    Thread.onSpinWait();
                }
                reading.dispose();
                device.released(memory).block(PATIENCE);
                fill(memory, (byte) 1);
                assertThat(isAll(memory, (byte) 1)).as("round %d", i).isTrue();
            }
        }
    }

    @ParameterizedTest
    @MethodSource("everyBackend")
    void shouldBearThatAnArenaIsClosedAtAnyMoment(String backend) throws Exception {
        try (BlockDevice device = open(backend)) {
            int closed = 0;
            for (int i = 0; i < 600; i++) {
                int bytes = i % 2 == 0 ? 4096 : MIB;
                Arena arena = Arena.ofShared();
                ByteBuffer memory = arena.allocate(bytes, 4096).asByteBuffer();
                fill(memory, ON_DISK);
                boolean write = i % 3 == 0;
                CompletableFuture<Integer> outcome = new CompletableFuture<>();
                switch (i / 2 % 3) {
                    case 0 -> (write ? device.write(0, memory) : device.read(0, memory)).subscribe(outcome::complete, outcome::completeExceptionally);
                    case 1 -> (write ? device.write(0, List.of(memory)) : device.read(0, List.of(memory)))
                            .subscribe(outcome::complete, outcome::completeExceptionally);
                    default -> Thread.ofVirtual().start(() -> {
                        try (SeekableByteChannel channel = device.channel()) {
                            outcome.complete(write ? channel.write(memory) : channel.read(memory));
                        } catch (Throwable failed) {
                            outcome.completeExceptionally(failed);
                        }
                    });
                }
                for (int spin = 0; spin < i * 8; spin++) {
                    Thread.onSpinWait();
                }
                arena.close();
                // Somebody else's memory, perhaps at the same address.
                ByteBuffer next = ByteBuffer.allocateDirect(bytes);
                Throwable failure = outcome.handle((moved, failed) -> failed).get(60, TimeUnit.SECONDS);
                if (failure != null) {
                    closed++;
                    assertThat(failure).isInstanceOf(IllegalStateException.class).hasMessageContaining("losed");
                }
                assertThat(isAll(next, (byte) 0)).as("round %d", i).isTrue();
            }
            System.err.println("BorrowedMemoryIT: " + closed + " of 600 arenas were closed in time with " + backend);
        }
    }
}
