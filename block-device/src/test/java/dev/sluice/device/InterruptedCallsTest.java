package dev.sluice.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.pipeline.testing.Patience;
import dev.sluice.pipeline.testing.PollLoop;
import dev.sluice.pipeline.testing.SimulatedBackend;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousFileChannel;
import java.nio.channels.SeekableByteChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;

/** Blocking calls that are interrupted, or made where nobody may block, or made by more callers than may wait. */
class InterruptedCallsTest {
    private static final int PATIENCE_SECONDS = Patience.seconds(60);
    private static final int BYTES = 4096;

    private final PollLoop loop = PollLoop.start("interrupted");
    private final SimulatedBackend backend = SimulatedBackend.ofSize(1 << 20);
    private final BlockDevice device =
            BlockDevice.open(backend, List.of(loop), BlockDeviceOptions.builder().buffers(4, BYTES).queueDepth(2).maxWaiting(4).build());

    @AfterEach
    void close() {
        device.close();
        assertThat(device.buffers().leaks()).isZero();
        loop.close();
        backend.close();
    }

    /** What a call on a thread of its own came to. */
    private static final class Caller {
        private final CompletableFuture<Object> outcome = new CompletableFuture<>();
        private final CompletableFuture<Boolean> flag = new CompletableFuture<>();
        private final Thread thread;

        Caller(Callable<?> call) {
            thread = Thread.ofPlatform().start(() -> {
                try {
                    outcome.complete(call.call());
                } catch (Throwable failure) {
                    outcome.complete(failure);
                }
                flag.complete(Thread.interrupted());
            });
        }

        Object outcome() throws Exception {
            return outcome.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        }

        InterruptedIOException interruption() throws Exception {
            assertThat(outcome()).isInstanceOf(InterruptedIOException.class);
            assertThat(flag.get(PATIENCE_SECONDS, TimeUnit.SECONDS)).as("the thread's flag").isTrue();
            return (InterruptedIOException) outcome();
        }
    }

    private void hold() {
        loop.run(() -> backend.sinkOf(loop).hold());
    }

    private void release() {
        loop.run(() -> backend.sinkOf(loop).releaseAll());
    }

    private void awaitHeld(int requests) {
        while (loop.call(() -> backend.sinkOf(loop).held().size()) < requests) {
            Thread.onSpinWait();
        }
    }

    private static void awaitParked(Thread thread) {
        while (thread.getState() != Thread.State.WAITING) {
            Thread.onSpinWait();
        }
    }

    @Test
    void shouldWaitForTheKernelAndSayWhatWasMoved() throws Exception {
        for (boolean write : new boolean[] {false, true}) {
            hold();
            ByteBuffer direct = ByteBuffer.allocateDirect(BYTES);
            SeekableByteChannel channel = device.channel();
            Caller caller = new Caller(() -> write ? channel.write(direct) : channel.read(direct));
            awaitHeld(1);
            caller.thread.interrupt();
            caller.thread.join(50);
            assertThat(caller.outcome).as("the kernel has its memory").isNotDone();
            release();
            assertThat(caller.interruption().bytesTransferred).isEqualTo(BYTES);
            assertThat(direct.position()).isEqualTo(BYTES);
            assertThat(channel.position()).isEqualTo(BYTES);
        }
    }

    @Test
    void shouldNotDoWhatNoLoopHasTaken() throws Exception {
        hold();
        ByteBuffer direct = ByteBuffer.allocateDirect(BYTES);
        for (int i = 0; i < 2; i++) {
            device.read(0, ByteBuffer.allocateDirect(512)).subscribe();
        }
        awaitHeld(2);
        SeekableByteChannel channel = device.channel();
        Caller caller = new Caller(() -> channel.write(direct));
        awaitParked(caller.thread);
        caller.thread.interrupt();
        assertThat(caller.interruption().bytesTransferred).isZero();
        assertThat(direct.position()).isZero();
        assertThat(channel.position()).isZero();
        release();
    }

    @Test
    void shouldWaitForAWriteThroughACopyToo() throws Exception {
        hold();
        ByteBuffer heap = ByteBuffer.wrap(DeviceRig.random(1, 512));
        SeekableByteChannel channel = device.channel();
        Caller caller = new Caller(() -> channel.write(heap));
        awaitHeld(1);
        caller.thread.interrupt();
        caller.thread.join(50);
        assertThat(caller.outcome).as("what comes later must not be overtaken by it").isNotDone();
        release();
        assertThat(caller.interruption().bytesTransferred).isEqualTo(512);
        assertThat(heap.hasRemaining()).isFalse();
        assertThat(channel.position()).isEqualTo(512);
    }

    @Test
    void shouldThrowAtOnceWhereTheThreadIsInterruptedAlready() throws Exception {
        SeekableByteChannel channel = device.channel();
        AsynchronousFileChannel asynchronous = device.asyncChannel();
        List<Callable<?>> calls =
                List.of(() -> channel.read(ByteBuffer.allocate(10)), () -> channel.write(ByteBuffer.allocate(10)), () -> channel.truncate(512),
                        () -> asynchronous.truncate(512), () -> {
                            asynchronous.force(true);
                            return null;
                        });
        for (Callable<?> call : calls) {
            Caller caller = new Caller(() -> {
                Thread.currentThread().interrupt();
                return call.call();
            });
            assertThat(caller.interruption().bytesTransferred).isZero();
        }
        assertThat(loop.call(() -> backend.sinkOf(loop).submissions())).isZero();
    }

    @Test
    void shouldThrowAnIoExceptionFromAnInterruptedForce() throws Exception {
        hold();
        AsynchronousFileChannel asynchronous = device.asyncChannel();
        Caller caller = new Caller(() -> {
            asynchronous.force(true);
            return null;
        });
        awaitHeld(1);
        caller.thread.interrupt();
        assertThat(caller.interruption()).hasMessageContaining("interrupted");
        release();
    }

    @Test
    void shouldRefuseOnThreadsThatMustNotBlockBeforeAnythingIsDone() throws Exception {
        byte[] before = backend.visible().toArray(java.lang.foreign.ValueLayout.JAVA_BYTE);
        SeekableByteChannel channel = device.channel();
        AsynchronousFileChannel asynchronous = device.asyncChannel();
        for (int bytes : new int[] {BYTES, 100}) {
            ByteBuffer direct = DeviceRig.direct(DeviceRig.random(bytes, bytes));
            Mono<Integer> onParallel = Mono.fromCallable(() -> {
                assertThatThrownBy(() -> channel.write(direct)).isInstanceOf(IllegalStateException.class).hasMessageContaining("must not block");
                assertThatThrownBy(() -> channel.read(direct)).isInstanceOf(IllegalStateException.class);
                assertThatThrownBy(() -> channel.truncate(0)).isInstanceOf(IllegalStateException.class);
                assertThatThrownBy(() -> asynchronous.force(true)).isInstanceOf(IllegalStateException.class);
                return direct.position();
            }).subscribeOn(Schedulers.parallel());
            assertThat(onParallel.block()).isZero();
            assertThat(channel.position()).isZero();
        }
        device.flush().block();
        assertThat(backend.visible().toArray(java.lang.foreign.ValueLayout.JAVA_BYTE)).isEqualTo(before);
    }

    @Test
    void shouldLetMoreCallersWaitThanTheRingHasPlacesFor() throws Exception {
        hold();
        List<Caller> callers = new ArrayList<>();
        AsynchronousFileChannel asynchronous = device.asyncChannel();
        for (int i = 0; i < 60; i++) {
            long position = i * (long) BYTES;
            int kind = i % 3;
            callers.add(new Caller(() -> {
                if (kind == 0) {
                    asynchronous.force(false);
                    return 0;
                }
                try (SeekableByteChannel channel = device.channel().position(position)) {
                    return kind == 1 ? channel.write(ByteBuffer.allocateDirect(BYTES)) : channel.read(ByteBuffer.allocateDirect(BYTES));
                }
            }));
        }
        for (Caller caller : callers) {
            awaitParked(caller.thread);
        }
        SeekableByteChannel last = device.channel();
        Caller interrupted = new Caller(() -> last.read(ByteBuffer.allocateDirect(BYTES)));
        awaitParked(interrupted.thread);
        interrupted.thread.interrupt();
        assertThat(interrupted.interruption().bytesTransferred).isZero();
        release();
        for (int i = 0; i < callers.size(); i++) {
            assertThat(callers.get(i).outcome()).as("caller %d", i).isEqualTo(i % 3 == 0 ? 0 : BYTES);
        }
    }

    @Test
    void shouldRefuseThoseWhoWaitForAPlaceWhenTheDeviceCloses() throws Exception {
        hold();
        List<Caller> callers = new ArrayList<>();
        for (int i = 0; i < 30; i++) {
            callers.add(new Caller(() -> {
                try (SeekableByteChannel channel = device.channel()) {
                    return channel.read(ByteBuffer.allocateDirect(BYTES));
                }
            }));
        }
        for (Caller caller : callers) {
            awaitParked(caller.thread);
        }
        device.shutdown().subscribe();
        release();
        int refused = 0;
        for (Caller caller : callers) {
            if (caller.outcome() instanceof IOException failure) {
                assertThat(failure).isInstanceOf(BlockIoException.class);
                refused++;
            } else {
                assertThat(caller.outcome()).isEqualTo(BYTES);
            }
        }
        assertThat(refused).as("two are with the kernel, four in the ring").isGreaterThanOrEqualTo(24);
    }
}
