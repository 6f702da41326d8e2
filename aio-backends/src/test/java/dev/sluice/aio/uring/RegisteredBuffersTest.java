package dev.sluice.aio.uring;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.device.BlockBuffer;
import dev.sluice.device.BlockDevice;
import dev.sluice.device.BlockDeviceOptions;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.testing.Patience;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Memory that a real ring has registered. That it is registered at all also says that this version of Netty still tells the ring's descriptor. */
class RegisteredBuffersTest {
    private static final int SIZE = 1 << 20;
    private static final int BLOCK = 4096;
    private static final Pattern REGISTERED_BUFFER = Pattern.compile(" *\\d+: 0x[0-9a-f]+/(\\d+)");

    private final Random random = new Random(7);
    private Path image = Path.of("/");
    private byte[] content = new byte[0];

    @BeforeEach
    void createImage() throws IOException {
        image = Files.createTempFile(Path.of("target"), "sluice-registered", ".raw");
        content = bytes(SIZE);
        Files.write(image, content);
    }

    @AfterEach
    void deleteImage() throws IOException {
        Files.deleteIfExists(image);
    }

    private byte[] bytes(int count) {
        byte[] bytes = new byte[count];
        random.nextBytes(bytes);
        return bytes;
    }

    private static void assertRegistered(int bytes, boolean expected) throws Exception {
        // The kernel leaves the list out where it finds the ring busy.
        long deadline = System.nanoTime() + Duration.ofSeconds(Patience.seconds(10)).toNanos();
        while (registeredBytes().contains(bytes) != expected && System.nanoTime() < deadline) {
            Thread.sleep(10);
        }
        assertThat(registeredBytes().contains(bytes)).as("a buffer of %d bytes is registered", bytes).isEqualTo(expected);
    }

    /** The sizes of the buffers that this process has registered with its rings, as the kernel tells. */
    private static List<Integer> registeredBytes() throws IOException {
        List<Integer> sizes = new ArrayList<>();
        try (Stream<Path> infos = Files.list(Path.of("/proc/self/fdinfo"))) {
            for (Path info : infos.toList()) {
                for (String line : linesOf(info)) {
                    Matcher buffer = REGISTERED_BUFFER.matcher(line);
                    if (buffer.matches()) {
                        // An empty slot is 4294967295 to some kernels.
                        sizes.add(Integer.parseUnsignedInt(buffer.group(1)));
                    }
                }
            }
        }
        return sizes;
    }

    private static List<String> linesOf(Path info) {
        try {
            return Files.readAllLines(info);
        } catch (IOException closedMeanwhile) {
            return List.of();
        }
    }

    @Test
    void shouldReadAndWriteRegisteredMemory() throws Exception {
        try (SinkFixture fixture = new SinkFixture(BackendOptions.of(image));
                NativeBlock memory = NativeMemory.allocate(4 * BLOCK, BLOCK)) {
            assertThat(fixture.onLoop(() -> fixture.sink.registerBuffers(memory.address(), memory.bytes()))).as("taken").isTrue();
            assertThat(fixture.onLoop(() -> fixture.sink.registerBuffers(memory.address(), memory.bytes()))).as("taken twice").isFalse();
            assertRegistered(4 * BLOCK, true);

            try (TestRequest read = TestRequest.over(fixture.loop, memory.address() + BLOCK, 3 * BLOCK)) {
                assertThat(fixture.run(read.as(BlockOp.READ, 8 * BLOCK))).isEqualTo(3 * BLOCK);
                assertThat(memory.segment().asSlice(BLOCK).toArray(ValueLayout.JAVA_BYTE)).isEqualTo(Arrays.copyOfRange(content, 8 * BLOCK, 11 * BLOCK));
                assertThat(memory.segment().asSlice(0, BLOCK).toArray(ValueLayout.JAVA_BYTE)).as("beside it").containsOnly(0);
            }
            byte[] written = bytes(BLOCK);
            MemorySegment.copy(written, 0, memory.segment(), ValueLayout.JAVA_BYTE, 0, BLOCK);
            try (TestRequest write = TestRequest.over(fixture.loop, memory.address(), BLOCK)) {
                assertThat(fixture.run(write.as(BlockOp.WRITE, 2 * BLOCK).durably())).isEqualTo(BLOCK);
            }
            assertThat(fixture.read(2 * BLOCK, BLOCK)).as("read into other memory").isEqualTo(written);
        }
    }

    @Test
    void shouldForgetMemoryAndTakeOther() throws Exception {
        try (SinkFixture fixture = new SinkFixture(BackendOptions.of(image));
                NativeBlock first = NativeMemory.allocate(3 * BLOCK, BLOCK);
                NativeBlock second = NativeMemory.allocate(5 * BLOCK, BLOCK)) {
            assertThat(fixture.onLoop(() -> fixture.sink.registerBuffers(first.address(), first.bytes()))).isTrue();
            boolean _ = fixture.onLoop(() -> {
                fixture.sink.unregisterBuffers(second.address());
                fixture.sink.unregisterBuffers(first.address());
                return true;
            });
            assertRegistered(3 * BLOCK, false);
            assertThat(fixture.onLoop(() -> fixture.sink.registerBuffers(second.address(), second.bytes()))).isTrue();
            assertRegistered(5 * BLOCK, true);
            try (TestRequest read = TestRequest.over(fixture.loop, first.address(), 3 * BLOCK)) {
                assertThat(fixture.run(read.as(BlockOp.READ, 0))).isEqualTo(3 * BLOCK);
                assertThat(first.segment().toArray(ValueLayout.JAVA_BYTE)).isEqualTo(Arrays.copyOf(content, 3 * BLOCK));
            }
        }
    }

    @Test
    void shouldTakeTheOrdinaryWayAcrossTheEndOfRegisteredMemory() throws Exception {
        try (SinkFixture fixture = new SinkFixture(BackendOptions.of(image));
                NativeBlock memory = NativeMemory.allocate(4 * BLOCK, BLOCK)) {
            assertThat(fixture.onLoop(() -> fixture.sink.registerBuffers(memory.address() + BLOCK, 2 * BLOCK))).isTrue();
            try (TestRequest read = TestRequest.over(fixture.loop, memory.address(), 4 * BLOCK)) {
                assertThat(fixture.run(read.as(BlockOp.READ, 0))).isEqualTo(4 * BLOCK);
                assertThat(memory.segment().toArray(ValueLayout.JAVA_BYTE)).isEqualTo(Arrays.copyOf(content, 4 * BLOCK));
            }
            try (TestRequest read = TestRequest.over(fixture.loop, memory.address() + 2 * BLOCK, 2 * BLOCK)) {
                assertThat(fixture.run(read.as(BlockOp.READ, 4 * BLOCK))).isEqualTo(2 * BLOCK);
                assertThat(memory.segment().asSlice(2 * BLOCK).toArray(ValueLayout.JAVA_BYTE)).isEqualTo(Arrays.copyOfRange(content, 4 * BLOCK, 6 * BLOCK));
            }
        }
    }

    @Test
    void shouldRegisterTheBuffersOfABlockDeviceUntilItIsClosed() throws Exception {
        int bytes = 7 * BLOCK;
        BlockDeviceOptions options = BlockDeviceOptions.builder().backend("io_uring").buffers(3, bytes).build();
        BlockDevice device = BlockDevice.open(image, options);
        try (device; BlockBuffer buffer = Objects.requireNonNull(device.buffers().tryTake())) {
            ByteBuffer data = buffer.bytes();
            assertThat(device.read(0, data).block()).isEqualTo(bytes);
            byte[] read = new byte[bytes];
            data.flip().get(read);
            assertThat(read).isEqualTo(Arrays.copyOf(content, bytes));
            assertRegistered(3 * bytes, true);
        }
        assertRegistered(3 * bytes, false);
    }
}
