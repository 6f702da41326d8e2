package dev.sluice.simulation;

import dev.sluice.aio.linuxaio.SimulatedAio;
import dev.sluice.aio.threads.CallThreads;
import dev.sluice.linux.UnixSocket;
import dev.sluice.pipeline.BackendOptions;
import dev.sluice.pipeline.BlockBackend;
import dev.sluice.pipeline.BlockPipeline;
import dev.sluice.simulation.GuestRequest.Kind;
import dev.sluice.virtio.blk.VirtioBlkDevice;
import dev.sluice.virtio.queue.CallBatch;
import dev.sluice.virtio.vhostuser.SimulatedSession;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.Semaphore;
import org.jspecify.annotations.Nullable;

/**
 * A guest, its front end, the real device and a disk, moved one random step at a time; after each step what must never happen is looked for.
 *
 * <p>Every decision comes from one random number generator, in one thread: a seed replays exactly.
 */
final class Simulation implements AutoCloseable {
    private static final int SECTORS = 1024;
    private static final int QUEUES = 2;
    private static final long STEP_NANOS = 20_000;
    /** Nothing that is owed may take longer, in steps without faults. */
    private static final int QUIET_STEPS = 60_000;
    private static final int QUIET_EVERY = 1_500;

    private final long seed;
    private final SplittableRandom random;
    private final Trace trace = new Trace();
    private final Faults faults;
    private final Threads threads = new Threads();
    private final Path image;
    private final SimulatedKernel kernel;
    private final DiskModel disk;
    private final SimulatedGuest guest;

    private long nanos = 1_000_000_000L;
    private HandDrivenLoop loop;
    private BlockBackend backend;
    private BlockPipeline pipeline;
    private CallBatch calls;
    private VirtioBlkDevice device;
    private Semaphore messages = new Semaphore(0);
    private boolean sessionEnded = true;
    private @Nullable String sessionEnd;
    private boolean disconnecting;
    private long requests;

    Simulation(long seed, Path directory) throws IOException {
        this.seed = seed;
        this.random = new SplittableRandom(seed);
        this.faults = Faults.of(random);
        this.image = Files.createTempFile(directory, "simulated-", ".img");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength((long) SECTORS * DiskModel.SECTOR);
        }
        this.kernel = new SimulatedKernel(image, SECTORS, random.split(), faults, trace);
        this.disk = new DiskModel(kernel, SECTORS);
        boolean eventIdx = random.nextBoolean();
        boolean indirect = random.nextInt(4) != 0;
        GuestRegion first = new GuestRegion(0x10_0000, 0x7f00_0000_0000L, 65536, (QUEUES - 1) * GuestQueue.BYTES + GuestQueue.bytes(eventIdx));
        GuestRegion second = new GuestRegion(0x4000_0000, 0x7e00_0000_0000L, 4096, 160 * 1024);
        List<GuestQueue> queues = new ArrayList<>();
        for (int i = 0; i < QUEUES; i++) {
            queues.add(new GuestQueue(i, first, i * GuestQueue.BYTES, random.split(), disk, kernel, trace, eventIdx, indirect, faults));
        }
        this.guest = new SimulatedGuest(first, second, queues, eventIdx, indirect, trace);
        startBackend();
        connect();
    }

    private void startBackend() throws IOException {
        loop = new HandDrivenLoop(() -> nanos);
        CallThreads callThreads = new CallThreads("simulated-aio-", 2, threads.factory());
        backend = SimulatedAio.open(BackendOptions.of(image).withSinkCapacity(1 + random.nextInt(48)), callThreads, kernel);
        pipeline = BlockPipeline.builder().backend(backend).serial(SimulatedGuest.SERIAL).build();
        calls = new CallBatch(loop);
        device = new VirtioBlkDevice(backend.geometry(), QUEUES, 126);
    }

    private void connect() throws IOException {
        UnixSocket.Pair pair = UnixSocket.pair();
        SimulatedSession made = new SimulatedSession(device, pipeline, loop, calls, pair.first(), GuestQueue.SIZE);
        Semaphore mine = new Semaphore(0);
        messages = mine;
        sessionEnded = false;
        sessionEnd = null;
        disconnecting = false;
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
                made.close();
                sessionEnd = end;
                sessionEnded = true;
            }
        });
        guest.connect(pair.second());
        trace.add("connected");
    }

    // ---- running

    /** Runs so many steps, with quiet moments in between at which everything has to have been completed. */
    void run(int steps) throws IOException {
        for (int i = 1; i <= steps; i++) {
            step(true);
            if (i % QUIET_EVERY == 0) {
                beQuiet();
            }
        }
        beQuiet();
    }

    private void step(boolean load) throws IOException {
        trace.step();
        nanos += random.nextLong(STEP_NANOS);
        switch (random.nextInt(12)) {
            case 0, 1, 2, 3 -> tick();
            case 4, 5 -> kernel.completeOne();
            case 6 -> runThread();
            case 7 -> serveFrontEnd();
            default -> drive(guest.queues.get(random.nextInt(QUEUES)), load);
        }
        if (load && Faults.happens(random, faults.control())) {
            control();
        }
        checkSession();
    }

    private void tick() {
        if (!loop.tick()) {
            throw new Violation("the loop has ended");
        }
        checkMemory();
    }

    private void runThread() {
        if (threads.anyRunnable()) {
            threads.runOne();
            // It may have been fallocate, or the rest of a short transfer that O_DIRECT does not take.
            kernel.reread();
            checkMemory();
        }
    }

    private void checkMemory() {
        guest.queues.forEach(GuestQueue::allowWhatWasGiven);
        guest.first.check();
        guest.second.check();
    }

    private void serveFrontEnd() throws IOException {
        if (disconnecting) {
            if (sessionEnded) {
                reconnect();
            }
            return;
        }
        guest.receive();
        if (guest.sendNext()) {
            messages.release();
        }
    }

    private void reconnect() throws IOException {
        for (GuestQueue queue : guest.queues) {
            queue.running = false;
            if (queue.broken) {
                queue.reset();
            }
        }
        connect();
    }

    private void checkSession() {
        if (sessionEnded && !disconnecting) {
            throw new Violation("the connection ended by itself: " + sessionEnd);
        }
    }

    /** The driver's share of a step: an application, or the interrupt handler. */
    private void drive(GuestQueue queue, boolean load) {
        if (queue.kickIsLate() && random.nextInt(3) == 0) {
            queue.lateKick();
        }
        if (Faults.happens(random, faults.spuriousKick())) {
            queue.spuriousKick();
        }
        if (random.nextBoolean()) {
            queue.handleInterrupt();
        }
        if (load && !queue.broken && random.nextInt(3) != 0) {
            for (int i = random.nextInt(6); i >= 0; i--) {
                submit(queue);
            }
            queue.publish();
            if (queue.running && guest.connected() && Faults.happens(random, faults.hostile())) {
                queue.breakRing();
            }
        }
    }

    private void submit(GuestQueue queue) {
        if (guest.cacheModeChanges) {
            return;
        }
        Kind kind = switch (random.nextInt(32)) {
            case 0, 1, 2 -> Kind.FLUSH;
            case 3, 4 -> Kind.DISCARD;
            case 5, 6 -> Kind.WRITE_ZEROES;
            case 7 -> Kind.GET_ID;
            case 8 -> Kind.BEYOND;
            case 9 -> Faults.happens(random, faults.hostile() * 8) ? Kind.MALFORMED : Kind.READ;
            default -> random.nextBoolean() ? Kind.READ : Kind.WRITE;
        };
        boolean data = kind == Kind.READ || kind == Kind.WRITE || kind == Kind.DISCARD || kind == Kind.WRITE_ZEROES;
        int sectors = data && random.nextInt(40) == 0 ? random.nextInt(513, 620) : random.nextInt(1, 8);
        int sector = random.nextInt(SECTORS - sectors);
        boolean free = switch (kind) {
            case READ -> disk.mayRead(sector, sectors);
            case WRITE, DISCARD, WRITE_ZEROES -> disk.mayWrite(sector, sectors);
            default -> true;
        };
        if (!free) {
            return;
        }
        boolean inSecond = guest.secondThere && random.nextInt(3) == 0;
        if (queue.submit(kind, sector, sectors, inSecond ? guest.second : guest.first, guest.writeThrough)) {
            requests++;
        }
    }

    /** Something on the control plane, while requests are in flight. */
    private void control() {
        if (disconnecting || guest.busy() || guest.cacheModeChanges) {
            return;
        }
        GuestQueue queue = guest.queues.get(random.nextInt(QUEUES));
        switch (random.nextInt(9)) {
            case 0 -> {
                if (!guest.secondThere) {
                    guest.addSecond();
                } else if (guest.queues.stream().noneMatch(each -> each.uses(guest.second))) {
                    guest.removeSecond();
                }
            }
            case 1 -> {
                if (!guest.secondThere) {
                    guest.memoryTable();
                }
            }
            case 2 -> {
                guest.enable(queue, false);
                guest.enable(queue, true);
            }
            case 3 -> {
                if (!queue.broken) {
                    guest.stopAndStart(queue);
                }
            }
            case 4 -> {
                queue.newCallFd();
                guest.call(queue);
            }
            case 5, 6 -> {
                if (guest.queues.stream().allMatch(each -> each.outstanding() == 0)) {
                    guest.cacheMode(!guest.writeThrough);
                }
            }
            default -> disconnect();
        }
    }

    private void disconnect() {
        trace.add("front end disconnects");
        guest.disconnect();
        disconnecting = true;
        messages.release();
    }

    // ---- quiet moments

    /** No more load and no more faults: what is owed is paid now, or never. */
    private void beQuiet() throws IOException {
        trace.add("all become quiet");
        kernel.faults(Faults.NONE);
        guest.queues.forEach(queue -> queue.faults(Faults.NONE));
        for (int i = 0; i < QUIET_STEPS && !quiet(); i++) {
            step(false);
            if (guest.queues.stream().anyMatch(queue -> queue.broken) && !disconnecting && !guest.busy()) {
                disconnect();
            }
        }
        if (!quiet()) {
            StringBuilder why = new StringBuilder("requests are not completed although nothing is in their way: " + kernel.inFlight() + " in the kernel");
            guest.queues.forEach(queue -> why.append("; ").append(queue.state()));
            why.append(guest.busy() ? "; front end waits" : "").append(disconnecting ? "; disconnecting" : "");
            throw new Violation(why.toString());
        }
        kernel.reread();
        disk.checkAll();
        kernel.faults(faults);
        guest.queues.forEach(queue -> queue.faults(faults));
    }

    private boolean quiet() {
        return !disconnecting && !guest.busy() && kernel.inFlight() == 0 && guest.queues.stream().allMatch(queue -> queue.running && !queue.broken && queue.outstanding() == 0);
    }

    long requests() {
        return requests;
    }

    Trace trace() {
        return trace;
    }

    @Override
    public String toString() {
        return "seed " + seed + ", " + faults;
    }

    /** Ends everything and sees that nothing is left. */
    void end() throws IOException {
        trace.add("the end");
        if (!disconnecting) {
            guest.disconnect();
            disconnecting = true;
            messages.release();
        }
        for (int i = 0; i < QUIET_STEPS && !sessionEnded; i++) {
            trace.step();
            nanos += STEP_NANOS;
            boolean _ = loop.tick();
            kernel.completeOne();
            threads.runOne();
        }
        if (!sessionEnded) {
            throw new Violation("the session does not end");
        }
        checkMemory();
        loop.execute(calls::close);
        pipeline.close();
        backend.close();
        loop.close();
        int ticks = 0;
        while (loop.tick()) {
            nanos += STEP_NANOS;
            threads.runOne();
            if (++ticks > QUIET_STEPS) {
                throw new Violation("the loop does not end");
            }
        }
        while (threads.anyRunnable()) {
            threads.runOne();
        }
        if (loop.watches() != 0) {
            throw new Violation(loop.watches() + " watches are left on the loop");
        }
    }

    @Override
    public void close() throws IOException {
        guest.close();
        kernel.close();
        Files.deleteIfExists(image);
    }
}
