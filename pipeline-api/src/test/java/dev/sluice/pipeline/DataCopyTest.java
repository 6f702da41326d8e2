package dev.sluice.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.linux.Iovec;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import dev.sluice.pipeline.testing.ManualLoop;
import dev.sluice.pipeline.testing.TestIo;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Mono;

/** How stages and operators get at the data of a request. */
class DataCopyTest {
    private static final int BYTES = 8192;

    private static byte[] content() {
        byte[] content = new byte[BYTES];
        for (int i = 0; i < BYTES; i++) {
            content[i] = (byte) (i * 31 + i / 256);
        }
        return content;
    }

    /** Has a stage do something with the request before it sends it on. */
    private static int result(TestIo io, Consumer<BlockRequest> before, Consumer<BlockRequest> after) {
        try (PipelineRig rig = new PipelineRig(builder -> builder.stage((request, chain) -> {
            before.accept(request);
            return chain.proceed(request).doOnNext(status -> after.accept(request));
        }))) {
            return rig.result(io);
        }
    }

    @Test
    void shouldCopyAcrossIovecsToArraysSegmentsAndBuffers() {
        byte[] content = content();
        int[] iovecs = {0};
        int result = result(TestIo.write(0, content), request -> {
            iovecs[0] = request.iovecCount();
            for (int at : new int[] {0, 1, 511, 512, 1000, 4095, 4096, 5001, BYTES - 1}) {
                for (int bytes : new int[] {0, 1, 7, 8, 9, 513, 4096}) {
                    int fits = Math.min(bytes, BYTES - at);
                    byte[] expected = Arrays.copyOfRange(content, at, at + fits);
                    copiesOut(request, at, expected);
                }
            }
        }, request -> {});
        assertThat(result).isEqualTo(BYTES);
        assertThat(iovecs[0]).as("else it tests nothing").isGreaterThan(1);
    }

    private static void copiesOut(BlockRequest request, long at, byte[] expected) {
        byte[] array = new byte[expected.length + 3];
        request.copyDataTo(at, array, 3, expected.length);
        assertThat(Arrays.copyOfRange(array, 3, array.length)).isEqualTo(expected);
        for (ByteBuffer buffer : List.of(ByteBuffer.allocate(BYTES), ByteBuffer.allocateDirect(BYTES))) {
            buffer.position(5).limit(5 + expected.length);
            request.copyDataTo(at, buffer);
            assertThat(buffer.remaining()).isZero();
            byte[] got = new byte[expected.length];
            buffer.position(5).get(got);
            assertThat(got).isEqualTo(expected);
        }
        try (Arena arena = Arena.ofConfined()) {
            for (MemorySegment segment : List.of(arena.allocate(BYTES), MemorySegment.ofArray(new long[BYTES / 8]))) {
                request.copyDataTo(at, segment, 0, expected.length);
                assertThat(segment.asSlice(0, expected.length).toArray(ValueLayout.JAVA_BYTE)).isEqualTo(expected);
            }
        }
    }

    @Test
    void shouldCopyIntoTheDataOfARead() {
        byte[] content = content();
        try (PipelineRig rig = new PipelineRig(builder -> builder.stage((request, chain) -> {
            request.copyDataFrom(0, content, 0, 3000);
            request.copyDataFrom(3000, ByteBuffer.wrap(content, 3000, 2000));
            request.copyDataFrom(5000, ByteBuffer.allocateDirect(1000).put(content, 5000, 1000).flip());
            request.copyDataFrom(6000, MemorySegment.ofArray(content), 6000, BYTES - 6000);
            return Mono.just(BlockResult.OK);
        }))) {
            TestIo read = rig.submit(TestIo.read(0, BYTES));
            rig.settle();
            assertThat(read.result()).isEqualTo(BYTES);
            assertThat(read.data()).isEqualTo(content);
        }
    }

    @Test
    void shouldRefuseToCopyBeyondTheDataOrTheOtherSide() {
        List<Class<?>> refused = new ArrayList<>();
        int result = result(TestIo.write(0, new byte[512]), request -> {
            refused.add(thrownBy(() -> request.copyDataTo(1, new byte[512], 0, 512)));
            refused.add(thrownBy(() -> request.copyDataTo(-1, new byte[512], 0, 1)));
            refused.add(thrownBy(() -> request.copyDataTo(0, new byte[511], 0, 512)));
            refused.add(thrownBy(() -> request.copyDataTo(0, new byte[512], -1, 1)));
            refused.add(thrownBy(() -> request.copyDataTo(0, new byte[512], 0, -1)));
            refused.add(thrownBy(() -> request.copyDataTo(Long.MAX_VALUE, MemorySegment.ofArray(new byte[1]), 0, Long.MAX_VALUE)));
        }, request -> {});
        assertThat(refused).hasSize(6).containsOnly(IndexOutOfBoundsException.class);
        assertThat(result).isEqualTo(512);
        assertThat(result(TestIo.flush(), request -> {
            assertThat(request.dataBytes()).isZero();
            assertThatThrownBy(() -> request.copyDataTo(0, new byte[1], 0, 1)).isInstanceOf(IndexOutOfBoundsException.class);
        }, request -> {})).isZero();
    }

    private static Class<?> thrownBy(Runnable call) {
        try {
            call.run();
            return Void.class;
        } catch (RuntimeException thrown) {
            return thrown.getClass();
        }
    }

    @Test
    void shouldGiveNobodyButASinkABufferForSystemCalls() {
        List<Class<?>> refused = new ArrayList<>();
        List<BlockRequest> shown = new ArrayList<>();
        Consumer<BlockRequest> asks = request -> refused.add(thrownBy(() -> request.callBuffer(0, 0)));
        try (PipelineRig rig = new PipelineRig(builder -> builder
                .operator(flux -> flux.doOnNext(asks))
                .stage((request, chain) -> {
                    shown.add(request);
                    Mono<BlockResult> rest = chain.proceed(request);
                    asks.accept(request);
                    return rest.doOnSubscribe(subscription -> asks.accept(request)).doOnNext(status -> asks.accept(request));
                }))) {
            rig.sink().hold();
            rig.submit(TestIo.write(0, content()));
            rig.settle();
            asks.accept(shown.getFirst());
            BlockRequest taken = rig.sink().held().getFirst();
            ByteBuffer rest = taken.callBuffer(1, 100);
            assertThat(rest.remaining()).isEqualTo(BYTES / 2 - 100);
            assertThat(rest.get(0)).isEqualTo(content()[BYTES / 2 + 100]);
            assertThat(taken.callBuffer(1, BYTES / 2).remaining()).as("at the end of the iovec").isZero();
            assertThat(thrownBy(() -> taken.callBuffer(2, 0))).isEqualTo(IndexOutOfBoundsException.class);
            rig.sink().releaseAll();
            rig.settle();
        }
        assertThat(refused).hasSize(5).containsOnly(IllegalStateException.class);
    }

    @Test
    void shouldPassNoMoreThanAGibibyteToASystemCall() {
        try (ManualLoop loop = new ManualLoop();
                NativeBlock iovecs = NativeMemory.allocate(Iovec.SIZE, Long.BYTES)) {
            long length = (3L << 30) + 512;
            Iovec.set(iovecs.address(), 0, 4096, length);
            BareRequest request = new BareRequest(loop, 0, 0).parse(BlockOp.READ, length, iovecs.address(), 1);
            request.submitted();
            assertThat(request.callBuffer(0, 0).remaining()).isEqualTo(1 << 30);
            assertThat(request.callBuffer(0, (2L << 30) + 512).remaining()).isEqualTo(1 << 30);
            assertThat(request.callBuffer(0, (2L << 30) + 513).remaining()).isEqualTo((1 << 30) - 1);
        }
    }

    /** Segments of several lengths, none of which lies where the one before ends. */
    @Test
    void shouldCopySegmentsThatLieApartAndNothingBeside() {
        int[] lengths = {100, 1, 0, 411};
        int total = 512;
        try (ManualLoop loop = new ManualLoop();
                NativeBlock memory = NativeMemory.allocate(8192, 8);
                NativeBlock iovecs = NativeMemory.allocate((long) lengths.length * Iovec.SIZE, Long.BYTES)) {
            for (int i = 0; i < lengths.length; i++) {
                // From the end backwards.
                Iovec.set(iovecs.address(), i, memory.address() + 8192 - 1024L * (i + 1), lengths[i]);
            }
            BareRequest request = new BareRequest(loop, 0, 0).parse(BlockOp.READ, total, iovecs.address(), lengths.length);
            byte[] content = Arrays.copyOf(content(), total);
            for (int at : new int[] {0, 1, 99, 100, 101, 102, 511}) {
                for (int bytes : new int[] {0, 1, 2, 3, 100, 102, 300, total}) {
                    int fits = Math.min(bytes, total - at);
                    NativeMemory.fill(memory.address(), 8192, (byte) 0x5A);
                    request.copyDataFrom(0, content, 0, total);
                    byte[] out = new byte[fits];
                    request.copyDataTo(at, out, 0, fits);
                    assertThat(out).isEqualTo(Arrays.copyOfRange(content, at, at + fits));
                    request.copyDataFrom(at, new byte[fits], 0, fits);
                    byte[] all = new byte[total];
                    request.copyDataTo(0, all, 0, total);
                    byte[] expected = content.clone();
                    Arrays.fill(expected, at, at + fits, (byte) 0);
                    assertThat(all).as(fits + " bytes at " + at).isEqualTo(expected);
                    int untouched = 0;
                    for (int i = 0; i < 8192; i++) {
                        int segment = 7 - i / 1024;
                        if (segment >= lengths.length || i % 1024 >= lengths[segment]) {
                            untouched += NativeMemory.getByte(memory.address() + i) == 0x5A ? 1 : 0;
                        }
                    }
                    assertThat(untouched).as("bytes beside the segments").isEqualTo(8192 - total);
                }
            }
        }
    }

    /** As where the front end has truncated its memory: the access is reported after the copy. */
    @Test
    void shouldReportAFaultOfACopyAsTruncatedMemory() {
        try (ManualLoop loop = new ManualLoop()) {
            BareRequest request = new BareRequest(loop, 0, 0) {
                @Override
                protected void surfaceFault() {
                    throw new InternalError("simulated");
                }
            }.parse(BlockOp.READ);
            assertThatThrownBy(() -> new BareRequest(loop, 0, 1).parse(BlockOp.WRITE).copyDataFrom(0, new byte[0], 0, 0))
                    .isInstanceOf(UnsupportedOperationException.class).hasMessageContaining("read-only");
            assertThatThrownBy(() -> request.copyDataTo(0, new byte[1], 0, 0))
                    .isInstanceOf(TruncatedMemoryException.class).hasMessageContaining("truncated").hasRootCauseInstanceOf(InternalError.class);
            assertThatThrownBy(() -> request.copyDataFrom(0, new byte[1], 0, 0)).isInstanceOf(TruncatedMemoryException.class);
        }
    }

    @Test
    void shouldNotEndARequestUnderACopy() throws InterruptedException {
        List<BlockRequest> kept = new ArrayList<>();
        try (PipelineRig rig = new PipelineRig(builder -> builder.stage((request, chain) -> {
            kept.add(request);
            return Mono.never();
        }))) {
            TestIo read = rig.submit(TestIo.read(0, 512));
            rig.settle();
            BlockRequest request = kept.getFirst();
            CountDownLatch copied = new CountDownLatch(1);
            List<Throwable> ends = new ArrayList<>();
            byte[] ones = new byte[512];
            Arrays.fill(ones, (byte) 1);
            Thread copier = Thread.ofPlatform().start(() -> {
                try {
                    while (true) {
                        request.copyDataFrom(0, ones, 0, 512);
                        copied.countDown();
                    }
                } catch (IllegalStateException over) {
                    ends.add(over);
                }
            });
            copied.await();
            request.complete(512);
            rig.settle();
            copier.join();
            assertThat(read.result()).isEqualTo(512);
            assertThat(ends).singleElement().asInstanceOf(org.assertj.core.api.InstanceOfAssertFactories.THROWABLE).hasMessageContaining("completed");
        }
    }
}
