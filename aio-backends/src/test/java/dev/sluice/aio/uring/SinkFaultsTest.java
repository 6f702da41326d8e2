package dev.sluice.aio.uring;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.aio.sink.CompletionSeam;
import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockOp;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A kernel that refuses and does half of what it was asked: the guest must not notice. */
class SinkFaultsTest {
    private static final int SIZE = 2 << 20;
    private static final int REQUESTS = 600;
    private static final int[] REFUSALS = {Errno.EAGAIN, Errno.EINTR, Errno.ECANCELED};

    /** Refuses one call in eight, and shortens one transfer in three to any number of bytes. */
    private static CompletionSeam unreliable(SplittableRandom random, AtomicInteger faults) {
        return (call, result) -> {
            if (random.nextInt(8) == 0) {
                faults.incrementAndGet();
                return -REFUSALS[random.nextInt(REFUSALS.length)];
            }
            boolean transfer = call == CompletionSeam.Call.READ || call == CompletionSeam.Call.WRITE;
            if (transfer && result > 1 && random.nextInt(3) == 0) {
                faults.incrementAndGet();
                int unit = random.nextBoolean() ? 1 : 512;
                return result > unit ? random.nextInt(1, result / unit + 1) * unit : result;
            }
            return result;
        };
    }

    @ParameterizedTest
    @CsvSource({"/dev/shm, true", "target, true", "target, false"})
    void shouldAgreeWithAnArrayWhenTheKernelRefusesAndShortens(String directory, boolean direct) throws IOException {
        long seed = System.nanoTime();
        System.out.println("SinkFaultsTest on " + directory + (direct ? " direct" : " buffered") + ": seed " + seed);
        SplittableRandom random = new SplittableRandom(seed);
        AtomicInteger faults = new AtomicInteger();
        byte[] expected = new byte[SIZE];
        random.nextBytes(expected);
        Path image = Files.createTempFile(Path.of(directory), "sluice-faults", ".raw");
        try {
            Files.write(image, expected);
            BackendOptions options = BackendOptions.of(image).withDirect(direct);
            try (SinkFixture fixture = new SinkFixture(options, unreliable(random.split(), faults), IoUringLoopOptions.DEFAULT)) {
                for (int i = 0; i < REQUESTS; i++) {
                    step(fixture, random, expected, "seed " + seed + " request " + i);
                }
            }
            assertThat(Files.readAllBytes(image)).as("seed %d", seed).isEqualTo(expected);
            assertThat(faults.get()).isGreaterThan(REQUESTS / 16);
        } finally {
            Files.delete(image);
        }
    }

    private static void step(SinkFixture fixture, SplittableRandom random, byte[] expected, String what) {
        int sectors = random.nextInt(1, 64);
        int length = sectors * 512;
        int offset = random.nextInt(0, SIZE / 512 - sectors) * 512;
        try (TestRequest request = fixture.make(random.nextInt(4) == 0 ? random.nextInt(4096) : 0, cut(random, length))) {
            switch (random.nextInt(10)) {
                case 0 -> assertThat(fixture.run(request.as(BlockOp.FLUSH, 0, 0))).as(what).isZero();
                case 1 -> {
                    Arrays.fill(expected, offset, offset + length, (byte) 0);
                    assertThat(fixture.run(request.as(BlockOp.DISCARD, offset, length).durably())).as(what).isZero();
                }
                case 2 -> {
                    Arrays.fill(expected, offset, offset + length, (byte) 0);
                    request.as(BlockOp.WRITE_ZEROES, offset, length);
                    assertThat(fixture.run(random.nextBoolean() ? request.unmapping() : request)).as(what).isZero();
                }
                case 3, 4, 5 -> {
                    byte[] content = new byte[length];
                    random.nextBytes(content);
                    System.arraycopy(content, 0, expected, offset, length);
                    assertThat(fixture.run(request.fill(content).as(BlockOp.WRITE, offset))).as(what).isEqualTo(length);
                }
                default -> {
                    assertThat(fixture.run(request.as(BlockOp.READ, offset))).as(what).isEqualTo(length);
                    assertThat(request.bytes()).as(what).isEqualTo(Arrays.copyOfRange(expected, offset, offset + length));
                }
            }
        }
    }

    /** Segments that add up to a length: sometimes one, sometimes of whole sectors, sometimes of any bytes. */
    private static long[] cut(SplittableRandom random, int length) {
        int unit = random.nextInt(3) == 0 ? 1 : 512;
        long[] segments = new long[0];
        int left = length;
        while (left > unit && segments.length < 7 && random.nextInt(4) != 0) {
            int part = random.nextInt(1, left / unit) * unit;
            segments = Arrays.copyOf(segments, segments.length + 1);
            segments[segments.length - 1] = part;
            left -= part;
        }
        segments = Arrays.copyOf(segments, segments.length + 1);
        segments[segments.length - 1] = left;
        return segments;
    }
}
