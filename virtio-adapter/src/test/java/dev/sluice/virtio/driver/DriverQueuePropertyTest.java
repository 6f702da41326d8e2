package dev.sluice.virtio.driver;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;

/**
 * Random requests in random shapes, completed in random order, against a model of the disk. Requests in flight never touch
 * the same sectors, so that the order does not matter. {@code -Dsluice.seed=N} repeats one run.
 */
final class DriverQueuePropertyTest {
    private static final int SLOTS = 24;
    private static final int MAX_SECTORS = 16;
    private static final int STEPS = 3000;

    @RepeatedTest(8)
    void shouldMoveTheSameBytesAsAModelWhateverTheShape(RepetitionInfo repetition) throws IOException {
        long seed = Long.getLong("sluice.seed", System.nanoTime() + repetition.getCurrentRepetition());
        try {
            run(new SplittableRandom(seed));
        } catch (AssertionError | RuntimeException e) {
            throw new AssertionError("seed: -Dsluice.seed=" + seed, e);
        }
    }

    private static void run(SplittableRandom random) throws IOException {
        int queueSize = 1 << random.nextInt(5, 9);
        QueueShape shape = new QueueShape(queueSize, SLOTS, MAX_SECTORS * 512, 64);
        boolean indirect = random.nextBoolean();
        try (QueueFixture f = QueueFixture.create(shape, indirect, random.nextBoolean(), random.nextInt(65_536))) {
            Model model = new Model(f);
            for (int step = 0; step < STEPS; step++) {
                int burst = random.nextInt(6);
                for (int i = 0; i < burst && model.submitOne(random); i++) {}
                boolean _ = f.queue.publish();
                f.device.takeAll();
                f.device.completeSome(random.nextInt(5), random);
                int _ = f.queue.poll(model::completed);
            }
            f.device.takeAll();
            f.device.completeSome(SLOTS, random);
            int _ = f.queue.poll(model::completed);
            assertThat(f.queue.inFlight()).isZero();
            assertThat(f.queue.ring().freeDescriptors()).isEqualTo(queueSize);
            assertThat(f.device.disk()).isEqualTo(model.disk);
            assertThat(model.done).isGreaterThan(STEPS / 4);
        }
    }

    private static final class Model {
        final byte[] disk = new byte[QueueFixture.DISK_BYTES];
        final DriverQueue queue;
        final int[] type = new int[SLOTS];
        final int[] firstSector = new int[SLOTS];
        final int[] bytes = new int[SLOTS];
        final boolean[] busy = new boolean[QueueFixture.DISK_BYTES / 512];
        int done;

        Model(QueueFixture fixture) {
            queue = fixture.queue;
        }

        boolean submitOne(SplittableRandom random) {
            int wanted = switch (random.nextInt(6)) {
                case 0, 1 -> BlkRequest.T_OUT;
                case 2, 3 -> BlkRequest.T_IN;
                case 4 -> BlkRequest.T_WRITE_ZEROES;
                default -> BlkRequest.T_FLUSH;
            };
            int sectors = wanted == BlkRequest.T_FLUSH ? 0 : random.nextInt(1, MAX_SECTORS + 1);
            int sector = random.nextInt(busy.length - sectors);
            for (int i = 0; i < sectors; i++) {
                if (busy[sector + i]) {
                    return true;
                }
            }
            int slot = submit(wanted, sector, sectors, random);
            if (slot == DriverQueue.FULL) {
                return false;
            }
            type[slot] = wanted;
            firstSector[slot] = sector;
            bytes[slot] = sectors * 512;
            Arrays.fill(busy, sector, sector + sectors, true);
            MemorySegment data = queue.data(slot).asSlice(0, sectors * 512L);
            if (wanted == BlkRequest.T_OUT) {
                data.fill((byte) random.nextInt());
                data.set(ValueLayout.JAVA_BYTE, random.nextInt(sectors * 512), (byte) random.nextInt());
                MemorySegment.copy(data, 0, MemorySegment.ofArray(disk), sector * 512L, sectors * 512L);
            } else if (wanted == BlkRequest.T_WRITE_ZEROES) {
                Arrays.fill(disk, sector * 512, (sector + sectors) * 512, (byte) 0);
            }
            return true;
        }

        private int submit(int wanted, int sector, int sectors, SplittableRandom random) {
            if (wanted == BlkRequest.T_WRITE_ZEROES) {
                return queue.submitRange(wanted, sector, sectors, 0);
            }
            return random.nextInt(3) == 0
                    ? queue.submit(wanted, sector, sectors * 512)
                    : queue.submit(wanted, sector, sectors * 512, shape(sectors * 512, random));
        }

        private static ChainShape shape(int dataBytes, SplittableRandom random) {
            int[] cuts = random.ints(random.nextInt(12), 1, 17 + dataBytes).sorted().toArray();
            int direct = random.nextInt(4) == 0 ? Integer.MAX_VALUE : random.nextInt(4);
            return ChainShape.of(direct, cuts);
        }

        void completed(int slot, int status, int writtenBytes) {
            done++;
            assertThat(status).isEqualTo(BlkRequest.S_OK);
            boolean read = type[slot] == BlkRequest.T_IN;
            assertThat(writtenBytes).isEqualTo(read ? bytes[slot] + 1 : 1);
            int from = firstSector[slot] * 512;
            if (read) {
                assertThat(queue.data(slot).asSlice(0, bytes[slot]).toArray(ValueLayout.JAVA_BYTE))
                        .isEqualTo(Arrays.copyOfRange(disk, from, from + bytes[slot]));
            }
            Arrays.fill(busy, from / 512, (from + bytes[slot]) / 512, false);
        }
    }
}
