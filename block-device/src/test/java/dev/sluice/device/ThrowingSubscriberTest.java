package dev.sluice.device;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Sinks;

/** An {@code Error} in a program's code, which Reactor's operators let through, ends what it happened in and releases what that held. */
class ThrowingSubscriberTest {
    private static final int BYTES = 4096;
    private static final int BUFFERS = 16;

    static List<Supplier<Error>> errors() {
        return List.of(() -> new OutOfMemoryError("on purpose"), () -> new StackOverflowError("on purpose"), () -> new NoClassDefFoundError("on purpose"));
    }

    private static DeviceRig rig() {
        return new DeviceRig(BlockDeviceOptions.builder().buffers(BUFFERS, BYTES).readAhead(8));
    }

    private static <T> Error fail(Supplier<Error> error, T ignored) {
        throw error.get();
    }

    private static void assertAllIsBack(DeviceRig rig) {
        rig.loop.tickUntilIdle();
        assertThat(rig.device.buffers().available()).isEqualTo(BUFFERS);
        rig.run(rig.device.read(0, ByteBuffer.allocateDirect(512))).assertValue(512);
    }

    @ParameterizedTest
    @MethodSource("errors")
    void shouldEndARead(Supplier<Error> error) {
        try (DeviceRig rig = rig()) {
            ByteBuffer memory = ByteBuffer.allocateDirect(BYTES);
            rig.run(rig.device.read(0, memory).doOnNext(bytes -> fail(error, bytes))).failure(error.get().getClass());
            rig.run(rig.device.write(0, List.of(memory.clear())).doOnNext(bytes -> fail(error, bytes))).failure(error.get().getClass());
            rig.run(rig.device.buffers().take().doOnNext(buffer -> fail(error, buffer))).failure(error.get().getClass());
            assertAllIsBack(rig);
        }
    }

    @ParameterizedTest
    @MethodSource("errors")
    void shouldEndARangeThatIsReadAndReleaseItsBuffers(Supplier<Error> error) {
        for (int failing = 0; failing < 12; failing++) {
            try (DeviceRig rig = rig()) {
                int left = failing;
                AtomicInteger seen = new AtomicInteger();
                DeviceRig.Outcome<Integer> outcome = rig.run(rig.device.readRange(0, 20L * BYTES)
                        .doOnNext(buffer -> {
                            if (seen.getAndIncrement() == left) {
                                fail(error, buffer);
                            }
                        })
                        .doOnNext(BlockBuffer::close)
                        .then(reactor.core.publisher.Mono.just(1)));
                outcome.failure(error.get().getClass());
                assertAllIsBack(rig);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("errors")
    void shouldEndARangeThatIsWrittenWhereItsSourceThrows(Supplier<Error> error) {
        for (int failing = 0; failing < 16; failing++) {
            try (DeviceRig rig = rig()) {
                int left = failing;
                Flux<BlockBuffer> source = Flux.range(0, 20).map(i -> {
                    if (i == left) {
                        fail(error, i);
                    }
                    BlockBuffer buffer = Objects.requireNonNull(rig.device.buffers().tryTake());
                    buffer.bytes().limit(512);
                    return buffer;
                });
                rig.run(rig.device.writeRange(0, source)).failure(error.get().getClass());
                assertAllIsBack(rig);
                rig.run(rig.device.writeRange(0, rig.device.readRange(0, 20L * BYTES).doOnNext(buffer -> {
                    if (buffer.bytes().limit() == BYTES) {
                        fail(error, buffer);
                    }
                }))).failure(error.get().getClass());
                rig.run(rig.device.writeRange(0, rig.device.readRange(0, 4L * BYTES)).doOnNext(bytes -> fail(error, bytes))).failure(error.get().getClass());
                assertAllIsBack(rig);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("errors")
    void shouldTellOnlyOnceWhereTheEndItselfThrows(Supplier<Error> error) {
        try (DeviceRig rig = rig()) {
            List<String> signals = new ArrayList<>();
            rig.device.readRange(0, BYTES).doOnComplete(() -> {
                signals.add("complete");
                fail(error, signals);
            }).doOnError(failure -> signals.add("error")).subscribe(BlockBuffer::close, failure -> {});
            rig.loop.tickUntilIdle();
            rig.device.flush().doOnSuccess(none -> fail(error, signals)).subscribe();
            assertThat(signals).first().isEqualTo("complete");
            assertAllIsBack(rig);
        }
    }

    @org.junit.jupiter.api.Test
    void shouldEndARangeWhoseSourceNeverSignalsWhenTheDeviceCloses() {
        DeviceRig rig = rig();
        Sinks.Many<BlockBuffer> silent = Sinks.many().unicast().onBackpressureBuffer();
        DeviceRig.Outcome<Long> writing = rig.run(rig.device.writeRange(0, silent.asFlux()));
        silent.tryEmitNext(Objects.requireNonNull(rig.device.buffers().tryTake())).orThrow();
        rig.loop.tickUntilIdle();
        assertThat(writing.ended()).isFalse();
        rig.close();
        assertThat(writing.failure(BlockIoException.class)).hasMessageContaining("closed");
    }
}
