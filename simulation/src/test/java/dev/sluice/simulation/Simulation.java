package dev.sluice.simulation;

import dev.sluice.linux.Mapping;
import dev.sluice.linux.UnixSocket;
import dev.sluice.simulation.GuestRequest.Kind;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * A guest, its front end, the process with the real device and a disk, moved one random step at a time; after each step what must never happen is looked for.
 *
 * <p>Every decision comes from one random number generator, in one thread: a seed replays exactly.
 */
final class Simulation implements ControlPlane.Whole, AutoCloseable {
    private static final int SECTORS = 1024;
    private static final int QUEUES = SimulatedProcess.QUEUES;
    private static final long STEP_NANOS = 20_000;
    /** Nothing that is owed may take longer, in steps without faults. */
    private static final int QUIET_STEPS = 60_000;
    private static final int QUIET_EVERY = 1_500;

    /** More than a file system may need to describe the hole. */
    private static final int PROBED_SECTORS = 128;

    private final long seed;
    private final int guestMappings;
    private final SplittableRandom random;
    private final Trace trace = new Trace();
    private final Faults faults;
    private final Path image;
    private final Path stateFile;
    private final Path stateFileInTheWay;
    private final SimulatedKernel kernel;
    private final DiskModel disk;
    private final SimulatedGuest guest;
    private final GuestLoad load;
    private final ControlPlane control;
    private final boolean stageInterested;
    private final Placement placement;
    /** How often a queue was asked to stop: requests that a stage has may fail then. */
    private long stops;

    private long nanos = 1_000_000_000L;
    private SimulatedProcess process;
    private boolean disconnecting;
    private boolean loading;
    private int loopFailures;

    Simulation(long seed, Placement placement, Path directory) throws IOException {
        this.seed = seed;
        this.placement = placement;
        this.random = new SplittableRandom(seed);
        this.faults = Faults.of(random);
        this.stageInterested = random.nextInt(3) != 0;
        this.image = Files.createTempFile(directory, "simulated-", ".img");
        this.stateFile = image.resolveSibling(image.getFileName() + ".state");
        this.stateFileInTheWay = image.resolveSibling(image.getFileName() + ".state.tmp");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            placement.prepare(file, SECTORS);
        }
        this.kernel = new SimulatedKernel(image, placement.fileSectors(SECTORS), random.split(), faults, trace);
        this.disk = new DiskModel(kernel, SECTORS, placement);
        Negotiated accepted = Negotiated.of(random);
        Negotiated negotiated = placement.zeroesStayZeroes ? accepted : accepted.withoutWriteZeroes();
        GuestRegion first = new GuestRegion(0x10_0000, 0x7f00_0000_0000L, 65536, (QUEUES - 1) * Layout.BYTES + Layout.bytes(negotiated.eventIdx()));
        GuestRegion second = new GuestRegion(0x4000_0000, 0x7e00_0000_0000L, Mapping.pageBytes(), 160 * 1024);
        this.guestMappings = SimulatedProcess.guestMappings();
        CompletionCheck check = new CompletionCheck(disk, kernel, this::mayHaveFailedInStage);
        List<GuestQueue> queues = new ArrayList<>();
        for (int i = 0; i < QUEUES; i++) {
            queues.add(new GuestQueue(i, first, i * Layout.BYTES, random.split(), disk, check, trace, negotiated.eventIdx(), negotiated.indirect(), faults));
        }
        this.guest = new SimulatedGuest(first, second, queues, negotiated, placement.zeroesStayZeroes, random.split(), trace);
        this.load = new GuestLoad(guest, disk, random.split(), () -> stops);
        this.control = new ControlPlane(guest, random, this);
        this.process = start();
        connect();
    }

    private SimulatedProcess start() throws IOException {
        loopFailures = 0;
        return new SimulatedProcess(image, stateFile, random.split(), kernel, () -> nanos, this::beforeArming, faults, stageInterested,
                placement.stage(), trace);
    }

    private void connect() throws IOException {
        UnixSocket.Pair pair = UnixSocket.pair();
        disconnecting = false;
        process.connect(pair.first());
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

    private void step(boolean withLoad) throws IOException {
        trace.step();
        nanos += random.nextLong(STEP_NANOS);
        loading = withLoad;
        switch (random.nextInt(14)) {
            case 0, 1, 2, 3 -> tick();
            case 4, 5 -> {
                for (int i = random.nextInt(6); i >= 0; i--) {
                    kernel.completeOne();
                }
            }
            case 6 -> runThread();
            case 7 -> serveFrontEnd();
            case 8 -> runStage();
            default -> drive(guest.queues.get(random.nextInt(QUEUES)));
        }
        if ((guest.busy() || disconnecting) && random.nextInt(4) == 0) {
            serveFrontEnd();
            runThread();
        }
        if (withLoad && Faults.happens(random, faults.control())) {
            control();
        }
        trace.check();
        checkSession();
    }

    private void tick() {
        if (!process.loop.tick()) {
            throw new Violation("the loop has ended");
        }
        checkMemory();
    }

    private void runThread() {
        if (process.threads.anyRunnable()) {
            process.threads.runOne();
            // It may have been fallocate, or the rest of a short transfer that O_DIRECT does not take.
            kernel.reread();
            checkMemory();
        }
    }

    private void runStage() {
        if (process.stageThreads.anyRunnable()) {
            process.stageThreads.runOne();
            checkMemory();
        } else if (!loading || random.nextBoolean()) {
            process.stage.releaseOne();
        }
    }

    private void checkMemory() {
        guest.queues.forEach(GuestQueue::allowWhatWasGiven);
        guest.first.check();
        guest.second.check();
    }

    private void serveFrontEnd() throws IOException {
        if (disconnecting) {
            if (process.sessionEnded()) {
                process.checkMappings(guestMappings);
                reconnect();
            }
            return;
        }
        if (process.sessionEnded()) {
            return;
        }
        guest.receive();
        if (guest.sendNext()) {
            process.messageSent();
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
        if (process.sessionEnded() && !disconnecting) {
            if (process.loop.failures() == loopFailures) {
                throw new Violation("the connection ended by itself: " + process.sessionEnd());
            }
            loopFailures = process.loop.failures();
            trace.add("the connection ended on a failure of the loop");
            stops++;
            guest.disconnect();
            disconnecting = true;
        }
    }

    /** A driver acts when the device has found its ring empty and has not asked for kicks yet. */
    private void beforeArming() {
        if (loading && guest.connected() && random.nextInt(16) == 0) {
            drive(guest.queues.get(random.nextInt(QUEUES)));
        }
    }

    /** The driver's share of a step: an application, or the interrupt handler. */
    private void drive(GuestQueue queue) {
        if (queue.kickIsLate() && random.nextInt(3) == 0) {
            queue.lateKick();
        }
        if (Faults.happens(random, faults.spuriousKick())) {
            queue.spuriousKick();
        }
        if (random.nextBoolean()) {
            queue.handleInterrupt();
        }
        if (loading && !queue.broken && random.nextInt(3) != 0) {
            load.submit(queue, faults);
            queue.publish();
            if (queue.running && guest.connected() && Faults.happens(random, faults.hostile())) {
                queue.breakRing();
            }
        }
    }

    private boolean mayHaveFailedInStage(GuestRequest request) {
        boolean stopping = disconnecting || guest.busy() || stops != request.stopsBefore;
        long sector = request.kind == Kind.FLUSH ? 0 : request.sector;
        return stopping && (placement != Placement.PLAIN || process.stage.sees(sector));
    }

    // ---- the control plane

    private void control() throws IOException {
        if (!disconnecting && !guest.busy() && !guest.cacheModeChanges) {
            stops++;
            control.act();
        }
    }

    @Override
    public SimulatedProcess process() {
        return process;
    }

    @Override
    public void disconnect() {
        trace.add("front end disconnects");
        stops++;
        guest.disconnect();
        disconnecting = true;
        process.messageSent();
    }

    /** A directory is where the new state would be written. */
    @Override
    public void stateFileFull(boolean full) throws IOException {
        if (full) {
            Files.createDirectories(stateFileInTheWay.resolve("full"));
        } else {
            Files.deleteIfExists(stateFileInTheWay.resolve("full"));
            Files.deleteIfExists(stateFileInTheWay);
        }
        guest.stateFileFull = full;
    }

    // ---- the process ends, and another one comes

    @Override
    public void restart() throws IOException {
        int way = random.nextInt(3);
        trace.add(way == 0 ? "the process is asked to end" : way == 1 ? "the process is killed" : "the power fails");
        boolean killed = way > 0;
        byte[] firstThen = {};
        byte[] secondThen = {};
        byte[] diskThen = {};
        if (killed) {
            kernel.killed();
            firstThen = guest.first.snapshot();
            secondThen = guest.second.snapshot();
            diskThen = kernel.snapshot();
        }
        endProcess();
        if (killed) {
            // Nothing of what it did since it was killed has happened.
            guest.first.restore(firstThen);
            guest.second.restore(secondThen);
            kernel.restore(diskThen);
            guest.queues.forEach(GuestQueue::reset);
        } else {
            // What was acknowledged was so before the image is repaired.
            guest.queues.forEach(GuestQueue::poll);
        }
        disk.lost(kernel.reopened());
        if (way == 2) {
            disk.powerFailed();
            kernel.powerFailure();
        }
        boolean stateFileValid = random.nextInt(4) != 0;
        if (!stateFileValid) {
            Files.writeString(stateFile, "of a version to come\n");
        }
        process = start();
        guest.processStarted(stateFileValid);
        reconnect();
    }

    /** The process drains and frees everything; it does not wait for stages. */
    private void endProcess() throws IOException {
        loading = false;
        process.loop.failNothing();
        kernel.faults(faults.quiet());
        process.faults(faults.quiet());
        process.cutDrainShort();
        if (!disconnecting) {
            disconnect();
        }
        for (int i = 0; i < QUIET_STEPS && !process.sessionEnded(); i++) {
            stepOfTheEnd();
            boolean _ = process.loop.tick();
        }
        if (!process.sessionEnded()) {
            throw new Violation("the session does not end");
        }
        process.checkMappings(guestMappings);
        checkMemory();
        process.close(this::stepOfTheEnd, QUIET_STEPS, guestMappings);
        kernel.faults(faults);
        kernel.reread();
    }

    private void stepOfTheEnd() {
        trace.step();
        nanos += STEP_NANOS;
        kernel.completeOne();
        if (process.threads.anyRunnable()) {
            process.threads.runOne();
            kernel.reread();
        }
        process.stageThreads.runOne();
    }

    // ---- quiet moments

    /** No more load and no more faults: what is owed is paid now, or never. */
    private void beQuiet() throws IOException {
        trace.add("all become quiet");
        faults(faults.quiet());
        process.loop.failNothing();
        awaitQuiet();
        kernel.reread();
        disk.checkAll();
        probeSpace();
        faults(faults);
        changeWhatNeedsQuiet();
    }

    /** What a guest does with nothing outstanding. */
    private void changeWhatNeedsQuiet() throws IOException {
        switch (random.nextInt(4)) {
            case 0 -> {
                stops++;
                guest.replug();
            }
            case 1 -> guest.cacheMode(guest.writeback());
            case 2 -> {
                stateFileFull(!guest.stateFileFull);
                guest.cacheMode(guest.writeback());
            }
            default -> guest.readConfig(process.geometry());
        }
    }

    private void faults(Faults chosen) {
        kernel.faults(chosen);
        process.faults(chosen);
        guest.queues.forEach(queue -> queue.faults(chosen));
    }

    private void awaitQuiet() throws IOException {
        for (int i = 0; i < QUIET_STEPS && !quiet(); i++) {
            step(false);
            if (guest.queues.stream().anyMatch(queue -> queue.broken && queue.errorReported()) && !disconnecting && !guest.busy()) {
                disconnect();
            }
        }
        if (!quiet()) {
            StringBuilder why = new StringBuilder("requests are not completed although nothing is in their way: " + kernel.inFlight() + " in the kernel");
            guest.queues.forEach(queue -> why.append("; ").append(queue.state()));
            why.append(guest.busy() ? "; front end waits" : "").append(disconnecting ? "; disconnecting" : "");
            throw new Violation(why.toString());
        }
    }

    private boolean quiet() {
        return !disconnecting && !guest.busy() && kernel.inFlight() == 0
                && guest.queues.stream().allMatch(queue -> queue.running && !queue.broken && queue.outstanding() == 0);
    }

    /** Zeroes take as much space as data, unless the guest allows its release. */
    private void probeSpace() throws IOException {
        if (!guest.negotiated.writeZeroes() || !process.geometry().discard() || kernel.syncHasFailed()) {
            return;
        }
        int sector = random.nextInt((SECTORS - PROBED_SECTORS) / 8) * 8;
        complete(load.request(Kind.WRITE, sector, PROBED_SECTORS, false));
        long data = kernel.allocatedBlocks();
        complete(load.request(Kind.WRITE_ZEROES, sector, PROBED_SECTORS, false));
        long zeroes = kernel.allocatedBlocks();
        complete(load.request(Kind.WRITE_ZEROES, sector, PROBED_SECTORS, true));
        long hole = kernel.allocatedBlocks();
        if (zeroes < data - PROBED_SECTORS / 2 || hole > zeroes - PROBED_SECTORS / 2) {
            throw new Violation(
                    "the file has " + data + " blocks with data, " + zeroes + " with zeroes there and " + hole + " with zeroes that may release space");
        }
    }

    private void complete(GuestRequest request) throws IOException {
        GuestQueue queue = guest.queues.getFirst();
        request.region = guest.first;
        if (!queue.submit(request)) {
            throw new Violation("an empty queue has no room");
        }
        queue.publish();
        awaitQuiet();
    }

    // ---- the end

    Trace trace() {
        return trace;
    }

    @Override
    public String toString() {
        return "seed " + seed + ", " + placement + ", " + faults + ", " + guest.negotiated;
    }

    /** Ends everything and sees that nothing is left. */
    void end() throws IOException {
        trace.add("the end");
        endProcess();
    }

    @Override
    public void close() throws IOException {
        guest.close();
        kernel.close();
        stateFileFull(false);
        Files.deleteIfExists(stateFile);
        Files.deleteIfExists(image);
    }
}
