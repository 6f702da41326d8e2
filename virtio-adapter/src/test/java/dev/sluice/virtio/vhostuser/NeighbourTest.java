package dev.sluice.virtio.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.LinuxFile;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.testing.SimulatedBackend;
import dev.sluice.pipeline.testing.SimulatedFaults;
import dev.sluice.virtio.driver.BlockDriver;
import dev.sluice.virtio.driver.VerifyingLoad;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Two devices share a loop; one has a hostile front end, again and again, the other must not notice. */
final class NeighbourTest {
    private static final int ROUNDS = 120;
    private static final int REQUESTS_A_ROUND = 60;

    @Test
    void shouldServeOneDeviceWhileAnotherIsAttackedOnTheSameLoop() throws Exception {
        long seed = System.nanoTime();
        System.out.println("neighbours: seed " + seed);
        SplittableRandom random = new SplittableRandom(seed);
        BlockGeometry geometry = new BlockGeometry(ServerFixture.DISK_BYTES, 512, 4096, 0, false, true, true);
        try (ServerFixture attacked = ServerFixture.start(2);
                SimulatedBackend backend = new SimulatedBackend(geometry, SimulatedBackend.DEFAULT_CAPACITY, SimulatedFaults.NONE);
                BlockPipeline pipeline = BlockPipeline.builder().backend(backend).build();
                VhostUserServer neighbour = VhostUserServer.builder()
                        .socketPath(attacked.directory.resolve("neighbour"))
                        .pipeline(pipeline)
                        .loops(List.copyOf(attacked.loops))
                        .build()) {
            neighbour.start();
            Path socket = attacked.directory.resolve("neighbour");
            try (BlockDriver driver = BlockDriver.open(socket.toString(), ServerFixture.options(1))) {
                VerifyingLoad load = new VerifyingLoad(driver.queue(0), 0, 512, seed);
                load.run(REQUESTS_A_ROUND);
                for (int round = 0; round < ROUNDS; round++) {
                    attack(attacked, random, load);
                }
                load.drain();
                assertThat(load.reads() + load.writes()).isGreaterThanOrEqualTo((long) ROUNDS * REQUESTS_A_ROUND);
                assertThat(neighbour.state().needsReset()).isFalse();
            }
            for (var loop : attacked.loops) {
                assertThat(loop.takeFailures()).isEmpty();
            }
        }
    }

    /** A connection of its own, and all the neighbour's requests in the midst of it. */
    private static void attack(ServerFixture attacked, SplittableRandom random, VerifyingLoad load) throws IOException {
        try (RawFrontEnd front = RawFrontEnd.running(attacked)) {
            switch (random.nextInt(4)) {
                case 0 -> {
                    scribble(front, random);
                    front.queue.kick();
                }
                case 1 -> {
                    front.queue.splitRing().rawAvailIdx(random.nextInt(0x10000));
                    front.queue.kick();
                }
                case 2 -> {
                    assertThat(LinuxFile.ftruncate(front.region.fd(), 0)).isZero();
                    front.queue.kick();
                }
                default -> {
                    // A chain as long as the ring, all of it offered at once: the most work that a kick can ask for.
                    for (int i = 0; i < RawFrontEnd.SHAPE.queueSize(); i++) {
                        front.queue.splitRing().rawDescriptor(i, front.region.guestAddress(), 16, 1, (i + 1) % RawFrontEnd.SHAPE.queueSize());
                        front.queue.splitRing().rawAvailEntry(i, i);
                    }
                    front.queue.splitRing().rawAvailIdx(RawFrontEnd.SHAPE.queueSize());
                    front.queue.kick();
                }
            }
            load.run(REQUESTS_A_ROUND);
        }
    }

    /** Over rings and descriptors. */
    private static void scribble(RawFrontEnd front, SplittableRandom random) {
        for (int poke = 0; poke < 300; poke++) {
            front.region.memory().set(ValueLayout.JAVA_BYTE, random.nextLong(0x300), (byte) random.nextInt());
        }
    }
}
