package dev.sluice.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.Patience;
import dev.sluice.pipeline.testing.SimulatedBackend;
import dev.sluice.pipeline.testing.SimulatedFaults;
import dev.sluice.pipeline.testing.SimulatedSink;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import reactor.core.publisher.BaseSubscriber;
import reactor.core.publisher.Mono;

/** A device on a simulated disk, on a loop that the test drives. Closing it checks that nothing is left. */
final class DeviceRig implements AutoCloseable {
    static final int DISK_BYTES = 4 << 20;

    final ManualLoop loop = new ManualLoop();
    final SimulatedBackend backend;
    final BlockDevice device;

    DeviceRig() {
        this(SimulatedFaults.NONE, BlockDeviceOptions.builder());
    }

    DeviceRig(BlockDeviceOptions.Builder options) {
        this(SimulatedFaults.NONE, options);
    }

    DeviceRig(SimulatedFaults faults, BlockDeviceOptions.Builder options) {
        this(SimulatedBackend.of(DISK_BYTES, SimulatedBackend.DEFAULT_CAPACITY, faults), options);
    }

    DeviceRig(SimulatedBackend backend, BlockDeviceOptions.Builder options) {
        this.backend = backend;
        this.device = BlockDevice.open(backend, List.of(loop), options.build());
    }

    SimulatedSink sink() {
        return backend.sinkOf(loop);
    }

    /** Subscribes and lets the loop run until nothing is left to do. */
    <T> Outcome<T> run(Mono<T> mono) {
        Outcome<T> outcome = start(mono);
        loop.tickUntilIdle();
        return outcome;
    }

    /** Subscribes, without a tick. */
    static <T> Outcome<T> start(Mono<T> mono) {
        Outcome<T> outcome = new Outcome<>();
        mono.subscribe(outcome);
        return outcome;
    }

    byte[] onDisk(long offset, int bytes) {
        byte[] copy = new byte[bytes];
        MemorySegment.ofArray(copy).copyFrom(backend.visible().asSlice(offset, bytes));
        return copy;
    }

    void fillDisk(long seed) {
        backend.visible().copyFrom(MemorySegment.ofArray(random(seed, DISK_BYTES)));
    }

    static byte[] random(long seed, int bytes) {
        byte[] content = new byte[bytes];
        new SplittableRandom(seed).nextBytes(content);
        return content;
    }

    static ByteBuffer direct(byte[] content) {
        return ByteBuffer.allocateDirect(content.length).put(content).flip();
    }

    static byte[] content(ByteBuffer buffer) {
        byte[] copy = new byte[buffer.limit()];
        buffer.get(0, copy);
        return copy;
    }

    /** Drains, and lets the thread that frees things do so. */
    void shutDown() {
        Outcome<Void> closed = start(device.shutdown());
        loop.tickUntilIdle();
        closed.await();
        closed.assertCompleted();
    }

    @Override
    public void close() {
        shutDown();
        loop.close();
        assertThat(sink().released()).as("the sink has let go of everything").isTrue();
        assertThat(device.buffers().leaks()).as("forgotten buffers").isZero();
        backend.close();
    }

    /** What a subscriber saw. */
    static class Outcome<T> extends BaseSubscriber<T> {
        final List<T> values = new ArrayList<>();
        final List<Throwable> errors = new ArrayList<>();
        int completions;
        private final CountDownLatch ended = new CountDownLatch(1);

        @Override
        protected void hookOnNext(T value) {
            values.add(value);
        }

        @Override
        protected void hookOnComplete() {
            completions++;
            ended.countDown();
        }

        @Override
        protected void hookOnError(Throwable error) {
            errors.add(error);
            ended.countDown();
        }

        boolean ended() {
            return completions + errors.size() > 0;
        }

        void await() {
            try {
                assertThat(ended.await(Patience.seconds(30), TimeUnit.SECONDS)).as("ended in time").isTrue();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new AssertionError(e);
            }
        }

        void assertCompleted() {
            assertThat(errors).isEmpty();
            assertThat(completions).isEqualTo(1);
        }

        void assertValue(T value) {
            assertCompleted();
            assertThat(values).containsExactly(value);
        }

        <E extends Throwable> E failure(Class<E> type) {
            assertThat(values).isEmpty();
            assertThat(completions).isZero();
            assertThat(errors).hasSize(1);
            return type.cast(errors.getFirst());
        }
    }
}
