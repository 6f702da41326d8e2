package dev.sluice.virtio.vhostuser;

import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.IoLoop;
import dev.sluice.pipeline.testing.Patience;
import dev.sluice.pipeline.testing.PollLoop;
import dev.sluice.pipeline.testing.SimulatedBackend;
import dev.sluice.pipeline.testing.SimulatedFaults;
import dev.sluice.pipeline.testing.SimulatedSink;
import dev.sluice.virtio.driver.BlockDriver;
import dev.sluice.virtio.driver.BlockDriverOptions;
import dev.sluice.virtio.driver.QueueShape;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.UnaryOperator;

/** A server on a simulated disk, with loops of its own; ends with the assertion that nothing was thrown into a loop. */
public final class ServerFixture implements AutoCloseable {
    static final long DISK_BYTES = 8 << 20;
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(Patience.seconds(20));

    final Path directory;
    final Path socket;
    final List<PollLoop> loops = new ArrayList<>();
    final SimulatedBackend backend;
    final RecordedEvents events = new RecordedEvents();
    final BlockPipeline pipeline;
    final VhostUserServer server;

    private ServerFixture(BlockGeometry geometry, int loopCount, Customizer customizer, SimulatedFaults faults) throws IOException {
        this(geometry, loopCount, customizer, faults, builder -> builder);
    }

    private ServerFixture(
            BlockGeometry geometry, int loopCount, Customizer customizer, SimulatedFaults faults, UnaryOperator<BlockPipeline.Builder> stages)
            throws IOException {
        directory = Files.createTempDirectory("sluice-server");
        socket = directory.resolve("s");
        for (int i = 0; i < loopCount; i++) {
            loops.add(PollLoop.start("loop-" + i));
        }
        backend = new SimulatedBackend(geometry, SimulatedBackend.DEFAULT_CAPACITY, faults);
        pipeline = stages.apply(BlockPipeline.builder().backend(backend).observer(events)).build();
        server = customizer
                .apply(VhostUserServer.builder()
                        .socketPath(socket).serial("sluice-test-serial").pipeline(pipeline).observer(events).loops(List.<IoLoop>copyOf(loops)))
                .build();
        server.start();
    }

    interface Customizer {
        VhostUserServerBuilder apply(VhostUserServerBuilder builder);
    }

    static ServerFixture start(int queues) throws IOException {
        return start(queues, 1, builder -> builder);
    }

    static ServerFixture start(int queues, int loops, Customizer customizer) throws IOException {
        return start(queues, loops, customizer, SimulatedFaults.NONE);
    }

    static ServerFixture start(int queues, int loops, Customizer customizer, SimulatedFaults faults) throws IOException {
        BlockGeometry geometry = new BlockGeometry(DISK_BYTES, 512, 4096, 0, false, true, true);
        return new ServerFixture(geometry, loops, builder -> customizer.apply(builder.numQueues(queues)), faults);
    }

    static ServerFixture staged(UnaryOperator<BlockPipeline.Builder> stages) throws IOException {
        return new ServerFixture(new BlockGeometry(DISK_BYTES, 512, 4096, 0, false, true, true), 1, builder -> builder, SimulatedFaults.NONE, stages);
    }

    static ServerFixture readOnly() throws IOException {
        return new ServerFixture(new BlockGeometry(DISK_BYTES, 512, 4096, 0, true, false, false), 1, builder -> builder, SimulatedFaults.NONE);
    }

    BlockDriver open(int queues) throws IOException {
        return open(options(queues));
    }

    BlockDriver open(BlockDriverOptions options) throws IOException {
        return BlockDriver.open(socket.toString(), options);
    }

    static BlockDriverOptions options(int queues) {
        return BlockDriverOptions.defaults().withQueues(queues).withShape(QueueShape.of(64, 32, 8192)).withTimeout(Duration.ofSeconds(Patience.seconds(20)));
    }

    /** The sink of a loop; asked on that loop. */
    SimulatedSink sink(int loop) {
        return backend.sinkOf(loops.get(loop));
    }

    /** Waits for something that another thread brings about; fails the test where it does not come. */
    static void await(String what, BooleanSupplier condition) {
        long begun = System.nanoTime();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - begun > PATIENCE_NANOS) {
                throw new AssertionError("never came: " + what);
            }
            LockSupport.parkNanos(200_000);
        }
    }

    @Override
    public void close() throws IOException {
        server.close();
        pipeline.close();
        loops.forEach(PollLoop::close);
        backend.close();
        Files.deleteIfExists(socket);
        Files.deleteIfExists(directory.resolve("s.state"));
        Files.delete(directory);
    }
}
