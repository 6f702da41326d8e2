package dev.sluice.simulation;

import dev.sluice.aio.linuxaio.SimulatedAio;
import dev.sluice.aio.threads.CallThreads;
import dev.sluice.linux.UnixSocket;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockGeometry;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.pipeline.BlockStage;
import dev.sluice.virtio.blk.CacheMode;
import dev.sluice.virtio.blk.DiskStateFile;
import dev.sluice.virtio.blk.VirtioBlkDevice;
import dev.sluice.virtio.queue.CallBatch;
import dev.sluice.virtio.queue.SimulatedCalls;
import dev.sluice.virtio.vhostuser.SimulatedSession;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.SplittableRandom;
import java.util.concurrent.Semaphore;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/** The process that serves the disk, from its start to its end: all of it real but what the {@link Simulation} gives it. */
final class SimulatedProcess {
    static final int QUEUES = 2;
    static final int SEG_MAX = 126;

    final HandDrivenLoop loop;
    final Threads threads = new Threads();
    final Threads stageThreads = new Threads();
    final HoldingStage stage;
    private final SimulatedObserver observer;
    private final BlockBackend backend;
    private final BlockPipeline pipeline;
    private final CallBatch calls;
    private final VirtioBlkDevice device;
    private final Trace trace;
    private final int aioContextsBefore;

    private Semaphore messages = new Semaphore(0);
    private boolean sessionEnded = true;
    private @Nullable String sessionEnd;
    private Faults faults;

    SimulatedProcess(
            Path image, Path stateFile, SplittableRandom random, SimulatedKernel kernel, LongSupplier clock, Runnable beforeArming, Faults faults,
            boolean stageInterested, @Nullable BlockStage placing, Trace trace)
            throws IOException {
        this.trace = trace;
        this.faults = faults;
        aioContextsBefore = aioContexts();
        loop = new HandDrivenLoop(clock, beforeArming);
        stage = new HoldingStage(random.split(), stageInterested, stageThreads, faults, trace);
        observer = new SimulatedObserver(random.split(), faults);
        CallThreads callThreads = new CallThreads("simulated-aio-", 2, threads.factory());
        backend = SimulatedAio.open(BackendOptions.of(image).withSinkCapacity(1 + random.nextInt(48)), callThreads, kernel);
        // Some 2000 steps; or so many that only cutting it short ends a queue that a stage holds up.
        Duration drainLimit = random.nextBoolean() ? Duration.ofMillis(20) : Duration.ofHours(1);
        BlockPipeline.Builder builder = BlockPipeline.builder().backend(backend).stage(stage).observer(observer).drainLimit(drainLimit);
        if (placing != null) {
            builder.stage(placing);
        }
        pipeline = builder.build();
        SplittableRandom interrupts = random.split();
        calls = SimulatedCalls.over(loop, () -> Faults.happens(interrupts, this.faults.refuseInterrupt()), trace::violation);
        device = new VirtioBlkDevice(pipeline::geometry, QUEUES, SEG_MAX, CacheMode.GUEST, SimulatedGuest.SERIAL);
        device.keepCacheModeIn(new DiskStateFile(stateFile));
    }

    BlockGeometry geometry() {
        return pipeline.geometry();
    }

    void faults(Faults chosen) {
        faults = chosen;
        stage.faults(chosen);
        observer.faults(chosen);
    }

    // ---- its connection

    /** Serves a front end on the control thread. */
    void connect(UnixSocket socket) {
        SimulatedSession made = new SimulatedSession(device, pipeline, loop, calls, socket, Layout.QUEUE_SIZE);
        Semaphore mine = new Semaphore(0);
        messages = mine;
        sessionEnded = false;
        sessionEnd = null;
        Thread _ = threads.start(() -> {
            String end = null;
            try {
                while (end == null) {
                    mine.acquireUninterruptibly();
                    end = made.serveNext();
                }
            } catch (Throwable bug) {
                end = "a bug: " + bug;
            } finally {
                try {
                    made.close();
                } catch (Throwable bug) {
                    end = "a bug at the end: " + bug;
                }
                sessionEnd = end;
                sessionEnded = true;
            }
        });
    }

    /** There is a message, or the front end has gone. */
    void messageSent() {
        messages.release();
    }

    boolean sessionEnded() {
        return sessionEnded;
    }

    @Nullable
    String sessionEnd() {
        return sessionEnd;
    }

    /** Once the connection has ended: what a stage has left may be in use, so it stays mapped. */
    void checkMappings(int ofTheGuest) throws IOException {
        int ofTheDevice = guestMappings() - ofTheGuest;
        if (stage.held() > 0 && ofTheDevice < 1) {
            throw new Violation("the guest's memory was unmapped while a stage has " + stage.held() + " requests in it");
        }
    }

    // ---- its end

    /** A process that has to end does not wait for stages. */
    void cutDrainShort() {
        pipeline.cutDrainShort();
    }

    /** With its connection ended: everything is closed, and nothing may be left. */
    void close(Runnable step, int limit, int mappingsOfTheGuest) throws IOException {
        while (stage.held() > 0) {
            stage.releaseOne();
        }
        // What stages signal late is the loop's to hear.
        for (int i = 0; i < limit && (anyRunnable() || i < 100); i++) {
            step.run();
        }
        loop.execute(calls::close);
        pipeline.close();
        backend.close();
        loop.close();
        for (int ticks = 0; loop.tick(); ticks++) {
            step.run();
            if (ticks > limit) {
                throw new Violation("the loop does not end");
            }
        }
        while (anyRunnable()) {
            threads.runOne();
            stageThreads.runOne();
        }
        trace.check();
        if (loop.watches() != 0) {
            throw new Violation(loop.watches() + " watches are left on the loop");
        }
        int mapped = guestMappings() - mappingsOfTheGuest;
        if (mapped != 0) {
            throw new Violation(mapped + " mappings of the guest's memory are left");
        }
        int contexts = aioContexts() - aioContextsBefore;
        if (contexts > 0) {
            throw new Violation(contexts + " AIO contexts are left");
        }
    }

    private boolean anyRunnable() {
        return threads.anyRunnable() || stageThreads.anyRunnable();
    }

    /** Of the guest's memory: its own and the device's. */
    static int guestMappings() throws IOException {
        return lines("memfd:" + GuestRegion.NAME);
    }

    private static int aioContexts() throws IOException {
        return lines("/[aio]");
    }

    /** Mappings of this process with such a name. */
    private static int lines(String name) throws IOException {
        int found = 0;
        for (String line : Files.readAllLines(Path.of("/proc/self/maps"))) {
            found += line.contains(name) ? 1 : 0;
        }
        return found;
    }
}
