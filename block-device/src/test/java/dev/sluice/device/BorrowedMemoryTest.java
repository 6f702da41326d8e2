package dev.sluice.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.pipeline.testing.Patience;
import dev.sluice.pipeline.testing.PollLoop;
import dev.sluice.pipeline.testing.SimulatedBackend;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousFileChannel;
import java.nio.channels.SeekableByteChannel;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Mono;

/** Memory that a program lends may be closed at any time, and is nobody's but the program's when a call is over. */
class BorrowedMemoryTest {
    private static final int BYTES = 4096;

    @Test
    void shouldRefuseMemoryOfAClosedArena() {
        try (DeviceRig rig = new DeviceRig()) {
            Arena arena = Arena.ofShared();
            ByteBuffer gone = arena.allocate(BYTES, 512).asByteBuffer();
            arena.close();
            ByteBuffer direct = ByteBuffer.allocateDirect(BYTES);
            for (Mono<Integer> transfer : List.of(rig.device.read(0, gone), rig.device.write(0, gone),
                    rig.device.read(0, List.of(direct, gone)), rig.device.write(0, List.of(gone, direct)))) {
                assertThat(rig.run(transfer).failure(IllegalStateException.class)).hasMessage("Already closed");
            }
            assertThat(rig.sink().submissions()).isZero();
        }
    }

    @Test
    void shouldRefuseMemoryThatItsThreadAloneMayUse() throws Exception {
        try (DeviceRig rig = new DeviceRig();
                Arena arena = Arena.ofConfined()) {
            rig.fillDisk(1);
            ByteBuffer mine = arena.allocate(BYTES, 512).asByteBuffer();
            assertThat(rig.run(rig.device.read(0, mine)).failure(WrongThreadException.class)).hasMessageContaining("confined");
            mine.put(DeviceRig.random(2, BYTES)).flip();
            rig.run(rig.device.write(512, mine)).assertValue(BYTES);
            assertThat(mine.hasRemaining()).isFalse();
            assertThat(rig.onDisk(512, BYTES)).isEqualTo(DeviceRig.random(2, BYTES));
            mine.clear();
            CompletableFuture<Throwable> elsewhere = new CompletableFuture<>();
            Thread.ofPlatform().start(() -> elsewhere.complete(DeviceRig.start(rig.device.write(0, mine)).errors.getFirst()));
            assertThat(elsewhere.get(Patience.seconds(60), TimeUnit.SECONDS)).isInstanceOf(WrongThreadException.class);
        }
    }

    @Test
    void shouldFailAReadWhoseArenaIsClosedWhileTheKernelHasIt() {
        try (DeviceRig rig = new DeviceRig(BlockDeviceOptions.builder().buffers(2, BYTES))) {
            for (int bytes : new int[] {512, BYTES, 4 * BYTES}) {
                rig.sink().hold();
                Arena arena = Arena.ofShared();
                ByteBuffer memory = arena.allocate(bytes, 512).asByteBuffer();
                DeviceRig.Outcome<Integer> reading = rig.run(rig.device.read(0, memory));
                arena.close();
                rig.sink().releaseAll();
                rig.loop.tickUntilIdle();
                assertThat(reading.failure(IllegalStateException.class)).hasMessageContaining("closed before the read completed");
                assertThat(rig.device.buffers().available()).isEqualTo(2);
            }
        }
    }

    @Test
    void shouldWriteWhatWasAskedForThoughItsArenaIsClosed() {
        try (DeviceRig rig = new DeviceRig(BlockDeviceOptions.builder().buffers(2, BYTES))) {
            for (int bytes : new int[] {512, BYTES, 4 * BYTES}) {
                byte[] content = DeviceRig.random(bytes, bytes);
                Arena arena = Arena.ofShared();
                ByteBuffer memory = arena.allocate(bytes, 512).asByteBuffer().put(content).flip();
                DeviceRig.Outcome<Integer> writing = DeviceRig.start(rig.device.write(1024, memory));
                arena.close();
                rig.loop.tickUntilIdle();
                writing.assertValue(bytes);
                assertThat(rig.onDisk(1024, bytes)).isEqualTo(content);
            }
        }
    }

    @Test
    void shouldReadAndWriteMemoryOfOpenArenas() {
        try (DeviceRig rig = new DeviceRig(BlockDeviceOptions.builder().buffers(2, BYTES));
                Arena shared = Arena.ofShared()) {
            rig.fillDisk(3);
            for (Arena arena : List.of(shared, Arena.ofAuto(), Arena.global())) {
                ByteBuffer memory = arena.allocate(4 * BYTES, 512).asByteBuffer();
                rig.run(rig.device.read(512, memory)).assertValue(4 * BYTES);
                assertThat(memory.hasRemaining()).isFalse();
                assertThat(DeviceRig.content(memory)).isEqualTo(rig.onDisk(512, 4 * BYTES));
                ByteBuffer first = memory.duplicate().clear().limit(1000);
                ByteBuffer second = memory.duplicate().clear().position(1000).limit(2048);
                rig.run(rig.device.read(1024, List.of(first, second))).assertValue(2048);
                assertThat(first.hasRemaining() || second.hasRemaining()).isFalse();
                assertThat(Arrays.copyOf(DeviceRig.content(memory), 2048)).isEqualTo(rig.onDisk(1024, 2048));
                rig.run(rig.device.write(8192, List.of(first.flip(), second.position(1000)))).assertValue(2048);
                assertThat(rig.onDisk(8192, 2048)).isEqualTo(rig.onDisk(1024, 2048));
            }
        }
    }

    @Test
    void shouldTreatOnlyMemoryThatCannotBeClosedAsLasting() {
        try (Arena confined = Arena.ofConfined();
                Arena shared = Arena.ofShared()) {
            assertThat(Scopes.lasts(ByteBuffer.allocateDirect(8))).isTrue();
            assertThat(Scopes.lasts(ByteBuffer.allocateDirect(8).slice(2, 3).asReadOnlyBuffer())).isTrue();
            assertThat(Scopes.lasts(Arena.ofAuto().allocate(8).asByteBuffer())).isTrue();
            assertThat(Scopes.lasts(Arena.global().allocate(8).asByteBuffer())).isTrue();
            assertThat(Scopes.lasts(confined.allocate(8).asByteBuffer().slice())).isFalse();
            assertThat(Scopes.lasts(shared.allocate(8).asByteBuffer().duplicate())).isFalse();
        }
    }

    @Test
    void shouldRefuseAPooledBufferOfADeviceThatIsClosed() {
        ByteBuffer stale;
        try (DeviceRig owner = new DeviceRig()) {
            try (BlockBuffer buffer = java.util.Objects.requireNonNull(owner.device.buffers().tryTake())) {
                stale = buffer.bytes();
            }
        }
        try (DeviceRig rig = new DeviceRig()) {
            assertThat(rig.run(rig.device.read(0, stale)).failure(IllegalStateException.class)).hasMessage("Already closed");
        }
    }

    // ---- channels

    @Test
    void shouldServeChannelsFromConfinedMemoryAndRefuseWhatFileChannelRefuses() throws Exception {
        try (PollLoop loop = PollLoop.start("borrowed")) {
            SimulatedBackend backend = SimulatedBackend.ofSize(1 << 20);
            try (BlockDevice device = BlockDevice.open(backend, List.of(loop), BlockDeviceOptions.builder().buffers(2, BYTES).build());
                    SeekableByteChannel channel = device.channel();
                    AsynchronousFileChannel asynchronous = device.asyncChannel()) {
                Arena arena = Arena.ofConfined();
                byte[] content = DeviceRig.random(4, 700);
                ByteBuffer memory = arena.allocate(700).asByteBuffer().put(content).flip();
                assertThat(channel.position(300).write(memory)).isEqualTo(700);
                assertThat(channel.position(300).read(memory.clear().put(new byte[700]).clear())).isEqualTo(700);
                assertThat(DeviceRig.content(memory)).isEqualTo(content);
                memory.clear();
                assertThatThrownBy(() -> asynchronous.read(memory, 0)).isInstanceOf(WrongThreadException.class);
                assertThatThrownBy(() -> asynchronous.write(memory, 0)).isInstanceOf(WrongThreadException.class);
                CompletableFuture<Throwable> elsewhere = new CompletableFuture<>();
                Thread.ofPlatform().start(() -> {
                    try {
                        elsewhere.completeExceptionally(new AssertionError(String.valueOf(channel.read(memory))));
                    } catch (Throwable refused) {
                        elsewhere.complete(refused);
                    }
                });
                assertThat(elsewhere.get(Patience.seconds(60), TimeUnit.SECONDS)).isInstanceOf(WrongThreadException.class);
                arena.close();
                long position = channel.position();
                assertThatThrownBy(() -> channel.read(memory)).isInstanceOf(IllegalStateException.class).hasMessage("Already closed");
                assertThatThrownBy(() -> channel.write(memory)).isInstanceOf(IllegalStateException.class).hasMessage("Already closed");
                assertThatThrownBy(() -> asynchronous.read(memory, 0)).isInstanceOf(IllegalStateException.class).hasMessage("Already closed");
                assertThatThrownBy(() -> asynchronous.write(memory, 0)).isInstanceOf(IllegalStateException.class).hasMessage("Already closed");
                assertThat(channel.position()).isEqualTo(position);
            }
            backend.close();
        }
    }

    // ---- what is cancelled

    @Test
    void shouldTellWhenACancelledRequestHasReleasedItsMemory() {
        try (DeviceRig rig = new DeviceRig()) {
            rig.sink().hold();
            ByteBuffer memory = ByteBuffer.allocateDirect(2 * BYTES);
            DeviceRig.Outcome<Integer> reading = rig.run(rig.device.read(0, memory.slice(0, BYTES)));
            rig.run(rig.device.released(memory)).assertCompleted();
            reading.cancel();
            DeviceRig.Outcome<Void> released = rig.run(rig.device.released(memory));
            DeviceRig.Outcome<Void> other = rig.run(rig.device.released(memory.slice(BYTES, BYTES)));
            assertThat(released.ended()).as("the kernel has it").isFalse();
            other.assertCompleted();
            rig.sink().releaseAll();
            rig.loop.tickUntilIdle();
            released.assertCompleted();
            rig.run(rig.device.released(memory)).assertCompleted();
        }
    }

    @Test
    void shouldReleaseAtOnceWhatNoLoopHasTaken() {
        try (DeviceRig rig = new DeviceRig()) {
            ByteBuffer memory = ByteBuffer.allocateDirect(BYTES);
            DeviceRig.start(rig.device.read(0, memory)).cancel();
            DeviceRig.start(rig.device.released(memory)).assertCompleted();
        }
    }
}
