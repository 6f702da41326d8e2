package dev.sluice.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.testing.Patience;
import dev.sluice.pipeline.testing.PollLoop;
import dev.sluice.pipeline.testing.SimulatedBackend;
import dev.sluice.pipeline.testing.SimulatedFaults;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousFileChannel;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.CompletionHandler;
import java.nio.channels.SeekableByteChannel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The two channels, at any byte and from any buffer, against an array. */
class ChannelTest {
    private static final int SIZE = 64 * 1024;

    private final PollLoop loop = PollLoop.start("channel");
    private final SimulatedBackend backend = SimulatedBackend.of(SIZE, 64, new SimulatedFaults(7, 0, 30, 30, 3, true));
    private final BlockDevice device = BlockDevice.open(backend, List.of(loop), BlockDeviceOptions.builder().buffers(4, 4096).build());
    private final byte[] expected = DeviceRig.random(11, SIZE);

    @BeforeEach
    void fill() {
        backend.visible().copyFrom(MemorySegment.ofArray(expected));
    }

    @AfterEach
    void close() {
        device.close();
        loop.close();
        assertThat(device.buffers().leaks()).isZero();
        backend.close();
    }

    private void assertDiskIsAsExpected() {
        assertThat(backend.visible().mismatch(MemorySegment.ofArray(expected))).isEqualTo(-1);
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3})
    void shouldBehaveAsAnArrayOfBytes(long seed) throws IOException {
        SplittableRandom random = new SplittableRandom(seed);
        try (SeekableByteChannel channel = device.channel()) {
            assertThat(channel.size()).isEqualTo(SIZE);
            for (int i = 0; i < 300; i++) {
                int position = random.nextInt(4) == 0 ? random.nextInt(SIZE / 512) * 512 : random.nextInt(SIZE);
                int length = random.nextInt(3) == 0 ? 512 * (1 + random.nextInt(4)) : random.nextInt(10000);
                ByteBuffer buffer = random.nextBoolean() ? ByteBuffer.allocate(length) : ByteBuffer.allocateDirect(length);
                channel.position(position);
                if (random.nextBoolean()) {
                    byte[] content = DeviceRig.random(seed * 1000 + i, length);
                    buffer.put(content).flip();
                    int written = channel.write(buffer);
                    assertThat(buffer.position()).isEqualTo(written);
                    System.arraycopy(content, 0, expected, position, written);
                } else {
                    int read = channel.read(buffer);
                    assertThat(read).as("seed %d, step %d", seed, i).isBetween(length == 0 ? 0 : 1, length);
                    assertThat(buffer.position()).isEqualTo(read);
                    byte[] content = Arrays.copyOf(DeviceRig.content(buffer), read);
                    assertThat(content).as("seed %d, step %d", seed, i).isEqualTo(Arrays.copyOfRange(expected, position, position + read));
                }
            }
        }
        assertDiskIsAsExpected();
    }

    @Test
    void shouldEndWhereTheDiskEnds() throws IOException {
        try (SeekableByteChannel channel = device.channel()) {
            channel.position(SIZE - 10);
            assertThat(channel.read(ByteBuffer.allocate(100))).isEqualTo(10);
            assertThat(channel.read(ByteBuffer.allocate(100))).isEqualTo(-1);
            assertThatThrownBy(() -> channel.write(ByteBuffer.allocate(1)))
                    .isInstanceOfSatisfying(BlockIoException.class, failure -> assertThat(failure.errno()).isEqualTo(Errno.ENOSPC));
            channel.position(SIZE - 10);
            assertThat(channel.write(ByteBuffer.allocate(100))).isEqualTo(10);
            assertThatThrownBy(() -> channel.truncate(SIZE - 512)).isInstanceOfSatisfying(BlockIoException.class,
                    failure -> assertThat(failure.errno()).isEqualTo(Errno.EOPNOTSUPP));
            assertThat(channel.truncate(SIZE).position()).isEqualTo(SIZE);
        }
    }

    @Test
    void shouldRefuseAfterItIsClosedAndLeaveTheDeviceOpen() throws IOException {
        SeekableByteChannel channel = device.channel();
        channel.close();
        assertThat(channel.isOpen()).isFalse();
        assertThatThrownBy(() -> channel.read(ByteBuffer.allocate(1))).isInstanceOf(ClosedChannelException.class);
        assertThat(device.read(0, ByteBuffer.allocateDirect(512)).block()).isEqualTo(512);
    }

    @Test
    void shouldTellAnInterruptionAndHoldTheBuffer() throws Exception {
        loop.run(() -> backend.sinkOf(loop).hold());
        CompletableFuture<Throwable> outcome = new CompletableFuture<>();
        Thread reader = Thread.ofPlatform().start(() -> {
            try (SeekableByteChannel channel = device.channel()) {
                int read = channel.read(ByteBuffer.allocate(100));
                outcome.completeExceptionally(new AssertionError("read " + read));
            } catch (Throwable failure) {
                outcome.complete(failure);
            }
        });
        while (loop.call(() -> backend.sinkOf(loop).held().isEmpty())) {
            Thread.onSpinWait();
        }
        reader.interrupt();
        assertThat(outcome.get(Patience.seconds(30), TimeUnit.SECONDS)).isInstanceOf(InterruptedIOException.class);
        assertThat(device.buffers().available()).as("the kernel has it").isEqualTo(3);
        loop.run(() -> backend.sinkOf(loop).releaseAll());
        while (device.buffers().available() < 4) {
            Thread.onSpinWait();
        }
    }

    @Test
    void shouldRefuseWithAnIoExceptionOnceTheDeviceIsClosed() throws IOException {
        try (SeekableByteChannel channel = device.channel()) {
            device.close();
            assertThatThrownBy(() -> channel.read(ByteBuffer.allocate(100)))
                    .isInstanceOfSatisfying(BlockIoException.class, failure -> assertThat(failure.errno()).isEqualTo(Errno.ESHUTDOWN));
            assertThatThrownBy(() -> channel.write(ByteBuffer.allocate(100)))
                    .isInstanceOfSatisfying(BlockIoException.class, failure -> assertThat(failure.errno()).isEqualTo(Errno.ESHUTDOWN));
        }
    }

    // ---- the asynchronous one

    @Test
    void shouldNotLetACancelledWriteUndoTheNextOneInItsSector() throws Exception {
        try (AsynchronousFileChannel channel = device.asyncChannel()) {
            for (int i = 0; i < 200; i++) {
                ByteBuffer given = ByteBuffer.wrap(DeviceRig.random(i, 10));
                Future<Integer> first = channel.write(given, 1000);
                first.cancel(true);
                byte[] content = DeviceRig.random(1000 + i, 20);
                assertThat(channel.write(ByteBuffer.wrap(content), 1020).get(Patience.seconds(30), TimeUnit.SECONDS)).isEqualTo(20);
                // A read takes no turn: whatever is left of the first write must be over.
                ByteBuffer read = ByteBuffer.allocate(20);
                assertThat(channel.read(read, 1020).get(Patience.seconds(30), TimeUnit.SECONDS)).isEqualTo(20);
                assertThat(read.array()).as("round %d", i).isEqualTo(content);
            }
        }
        while (device.buffers().available() < 4) {
            Thread.onSpinWait();
        }
    }

    @Test
    void shouldTellAHandlerOnceThoughItThrows() throws Exception {
        List<String> calls = new ArrayList<>();
        CompletionHandler<Integer, String> handler = new CompletionHandler<>() {
            @Override
            public void completed(Integer bytes, String attachment) {
                calls.add("completed");
                throw new IllegalStateException("a handler that throws; this is expected in the log");
            }

            @Override
            public void failed(Throwable failure, String attachment) {
                calls.add("failed");
            }
        };
        try (AsynchronousFileChannel channel = device.asyncChannel()) {
            channel.read(ByteBuffer.allocate(100), 0, "attached", handler);
            while (loop.call(calls::isEmpty)) {
                Thread.onSpinWait();
            }
            assertThat(channel.read(ByteBuffer.allocate(100), 0).get(Patience.seconds(30), TimeUnit.SECONDS)).isEqualTo(100);
            assertThat(loop.call(() -> List.copyOf(calls))).containsExactly("completed");
        }
    }

    @Test
    void shouldNotLoseBytesOfWritesThatShareASector() throws Exception {
        try (AsynchronousFileChannel channel = device.asyncChannel()) {
            List<Future<Integer>> writes = new ArrayList<>();
            for (int i = 0; i < 200; i++) {
                int position = i * 37;
                byte[] content = DeviceRig.random(i, 37);
                System.arraycopy(content, 0, expected, position, 37);
                writes.add(channel.write(ByteBuffer.wrap(content), position));
            }
            for (Future<Integer> write : writes) {
                assertThat(write.get(Patience.seconds(30), TimeUnit.SECONDS)).isEqualTo(37);
            }
            channel.force(false);
        }
        assertDiskIsAsExpected();
        assertThat(backend.durable().asSlice(0, 7400).mismatch(backend.visible().asSlice(0, 7400))).isEqualTo(-1);
    }

    @Test
    void shouldCallHandlersWithTheirAttachment() throws Exception {
        CompletableFuture<String> called = new CompletableFuture<>();
        CompletionHandler<Integer, String> handler = new CompletionHandler<>() {
            @Override
            public void completed(Integer bytes, String attachment) {
                called.complete(attachment + " " + bytes);
            }

            @Override
            public void failed(Throwable failure, String attachment) {
                called.completeExceptionally(failure);
            }
        };
        ByteBuffer target = ByteBuffer.allocate(1000);
        try (AsynchronousFileChannel channel = device.asyncChannel()) {
            channel.read(target, 100, "attached", handler);
            assertThat(called.get(Patience.seconds(30), TimeUnit.SECONDS)).isEqualTo("attached 1000");
            assertThat(target.array()).isEqualTo(Arrays.copyOfRange(expected, 100, 1100));
            assertThat(channel.read(target.clear(), SIZE).get(Patience.seconds(30), TimeUnit.SECONDS)).isEqualTo(-1);
            assertThat(channel.size()).isEqualTo(SIZE);
            assertThatThrownBy(channel::tryLock).isInstanceOf(UnsupportedOperationException.class);
            assertThatThrownBy(() -> channel.read(target, -1)).isInstanceOf(IllegalArgumentException.class);
        }
    }
}
