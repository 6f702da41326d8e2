package dev.sluice.pipeline.testing;

import dev.sluice.linux.Errno;
import dev.sluice.pipeline.BlockOp;
import dev.sluice.pipeline.BlockRequest;
import dev.sluice.pipeline.BlockSink;
import dev.sluice.pipeline.IoLoop;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * A sink for whoever writes stages, operators or queues: a loop's way into a {@link SimulatedBackend}. Put a pipeline on that backend, submit
 * through a {@link TestQueue}, and look at what the stage made of it; {@link SimulatedFaults} decide by chance, {@link SystemCallFaults} and
 * {@link #hold} by the test's word what goes wrong. {@code SimulatedSinkTest} has examples.
 *
 * <p>It works in rounds, one a tick, and completes requests with the faults it was given. The data is
 * moved when a request completes and not before, so that whoever reuses the buffers too early is found out.
 *
 * <p>Completions may be {@linkplain #hold held}; then the test releases them one by one and in any order.
 *
 * <p><b>Threading:</b> the loop's thread. <b>Allocation:</b> none where nothing is held.
 */
public final class SimulatedSink implements BlockSink {
    /** When requests complete that no fault delays. */
    public enum Pace {
        /** In the next tick. */
        NEXT_TICK,
        /** Inside {@link BlockSink#flush}: the earliest that the contract allows. */
        IN_FLUSH
    }

    private static final int NO_OVERRIDE = 0;
    private static final int NOT_DONE = Integer.MIN_VALUE;

    /** The round of a request that waits for a timer. */
    private static final long LATER = Long.MAX_VALUE;

    private static final int TRIES_AT_ONCE = 4;
    private static final long FIRST_PAUSE_NANOS = 1_000_000;
    private static final int MOST_DOUBLINGS = 7;

    private static final class Entry {
        BlockRequest request;
        long dueRound;
        boolean secondPieceLeft;
        boolean held;
        int errno;
        long doneBytes;
        int refusals;

        Entry(BlockRequest request) {
            this.request = request;
        }
    }

    private final SimulatedDisk disk;
    private final IoLoop loop;
    private final int capacity;
    private final SimulatedFaults faults;
    private final SplittableRandom random;
    private final IoLoop.Turn rounds = this::round;

    /** Taken and not completed; the first {@link #flushed} of them are with the "kernel". Entries are pooled behind the end. */
    private final List<Entry> entries = new ArrayList<>();

    private final BlockRequest[] dueRequests;
    private final int[] dueResults;
    private Pace pace = Pace.NEXT_TICK;
    private int taken;
    private int flushed;
    private int inFlight;
    private long round;
    private long flushes;
    private long submissions;
    private boolean holding;
    private boolean closed;
    private boolean released;

    SimulatedSink(SimulatedDisk disk, IoLoop loop, int capacity, SimulatedFaults faults) {
        this.disk = disk;
        this.loop = loop;
        this.capacity = capacity;
        this.faults = faults;
        this.random = new SplittableRandom(faults.seed());
        this.dueRequests = new BlockRequest[capacity];
        this.dueResults = new int[capacity];
    }

    // ---- what the test drives

    public void pace(Pace chosen) {
        pace = chosen;
    }

    /** From now on requests complete only when they are released. */
    public void hold() {
        holding = true;
    }

    /** Requests held, in the order in which they came in. */
    public List<BlockRequest> held() {
        return entries.subList(0, flushed).stream().filter(entry -> entry.held).map(entry -> entry.request).toList();
    }

    /** Releases one that is {@linkplain #held held}; it completes in the next round. */
    public void release(BlockRequest request) {
        release(request, NO_OVERRIDE);
    }

    /** Releases one; it fails with a positive errno, or ends as it would have where that is 0. */
    public void release(BlockRequest request, int errno) {
        loop.assertInLoop();
        for (int i = 0; i < flushed; i++) {
            Entry entry = entries.get(i);
            if (entry.request == request && entry.held) {
                entry.held = false;
                entry.errno = errno == NO_OVERRIDE ? entry.errno : errno;
                entry.dueRound = round;
                loop.requestTurn(rounds);
                return;
            }
        }
        throw new IllegalArgumentException("not held: " + request);
    }

    /** Releases everything that is held, in order, and holds nothing any more. */
    public void releaseAll() {
        holding = false;
        held().forEach(this::release);
    }

    /** Calls of {@link #flush} so far. */
    public long flushes() {
        return flushes;
    }

    /** Requests taken so far. */
    public long submissions() {
        return submissions;
    }

    /** True once it is closed and nothing is in flight. */
    public boolean released() {
        return released;
    }

    public IoLoop loop() {
        return loop;
    }

    // ---- the sink

    @Override
    public boolean submit(BlockRequest request) {
        loop.assertInLoop();
        if (closed || inFlight == capacity) {
            return false;
        }
        request.submitted();
        inFlight++;
        submissions++;
        if (taken == entries.size()) {
            entries.add(new Entry(request));
        } else {
            entries.get(taken).request = request;
        }
        taken++;
        return true;
    }

    @Override
    public void flush() {
        loop.assertInLoop();
        flushes++;
        for (int i = flushed; i < taken; i++) {
            decide(entries.get(i));
        }
        if (faults.reordering()) {
            for (int i = taken - 1; i > flushed; i--) {
                int other = flushed + random.nextInt(i - flushed + 1);
                entries.set(i, entries.set(other, entries.get(i)));
            }
        }
        flushed = taken;
        if (pace == Pace.IN_FLUSH) {
            completeDue();
        }
        if (anyToCome()) {
            loop.requestTurn(rounds);
        }
    }

    @Override
    public int capacity() {
        return capacity;
    }

    @Override
    public int inFlight() {
        return inFlight;
    }

    @Override
    public void close() {
        loop.assertInLoop();
        closed = true;
        if (flushed < taken) {
            flush();
        }
        released = inFlight == 0;
    }

    // ---- the simulation

    private void decide(Entry entry) {
        entry.held = holding;
        int refused = disk.refusal(entry.request);
        entry.errno = refused != 0 ? refused : chance(faults.errorPercent()) ? Errno.EIO : 0;
        entry.dueRound = round;
        if (chance(faults.delayPercent())) {
            entry.dueRound += 1 + random.nextInt(faults.delayRounds());
        }
        entry.secondPieceLeft = chance(faults.shortPercent());
        entry.doneBytes = 0;
        entry.refusals = 0;
    }

    private boolean chance(int percent) {
        return percent > 0 && random.nextInt(100) < percent;
    }

    private boolean round() {
        round++;
        completeDue();
        return anyToCome();
    }

    private boolean anyToCome() {
        for (int i = 0; i < flushed; i++) {
            if (!entries.get(i).held && entries.get(i).dueRound != LATER) {
                return true;
            }
        }
        return false;
    }

    /** Completes what is due. The lists are in order before the first completion, which may come back with a submission. */
    private void completeDue() {
        int due = 0;
        int kept = 0;
        for (int i = 0; i < taken; i++) {
            Entry entry = entries.get(i);
            int result = i < flushed && isDue(entry) ? attempt(entry) : NOT_DONE;
            if (result != NOT_DONE) {
                dueRequests[due] = entry.request;
                dueResults[due++] = result;
            } else {
                entries.set(i, entries.get(kept));
                entries.set(kept++, entry);
            }
        }
        flushed -= due;
        taken = kept;
        for (int i = 0; i < due; i++) {
            inFlight--;
            dueRequests[i].complete(dueResults[i]);
        }
        if (closed && inFlight == 0) {
            released = true;
        }
    }

    private boolean isDue(Entry entry) {
        if (entry.held || entry.dueRound > round) {
            return false;
        }
        if (entry.secondPieceLeft) {
            entry.secondPieceLeft = false;
            entry.dueRound = round + 1;
            if (movesData(entry.request) && entry.errno == 0) {
                long _ = disk.transfer(entry.request, 0, entry.request.lengthBytes() / 2);
            }
            return false;
        }
        return true;
    }

    /** One call, and what it means: the result of the request, or {@link #NOT_DONE}. */
    private int attempt(Entry entry) {
        BlockRequest request = entry.request;
        if (entry.errno != 0) {
            return -entry.errno;
        }
        if (movesData(request) && request.lengthBytes() == 0) {
            return 0;
        }
        int result = disk.call(request, entry.doneBytes);
        if (result == -Errno.EAGAIN || result == -Errno.EINTR) {
            tryAgain(entry);
            return NOT_DONE;
        }
        return result < 0 || !movesData(request) ? result : moved(entry, result);
    }

    private int moved(Entry entry, int bytes) {
        BlockRequest request = entry.request;
        if (bytes == 0 && request.op() == BlockOp.WRITE) {
            return -Errno.ENOSPC;
        }
        if (bytes == 0) {
            return -Errno.EIO;
        }
        entry.doneBytes += bytes;
        if (entry.doneBytes < request.lengthBytes()) {
            entry.dueRound = round + 1;
            return NOT_DONE;
        }
        return (int) request.lengthBytes();
    }

    private void tryAgain(Entry entry) {
        int tries = ++entry.refusals;
        if (tries <= TRIES_AT_ONCE) {
            entry.dueRound = round + 1;
            return;
        }
        entry.dueRound = LATER;
        loop.schedule(() -> {
            entry.dueRound = round;
            loop.requestTurn(rounds);
        }, FIRST_PAUSE_NANOS << Math.min(tries - TRIES_AT_ONCE - 1, MOST_DOUBLINGS));
    }

    private static boolean movesData(BlockRequest request) {
        return request.op() == BlockOp.READ || request.op() == BlockOp.WRITE;
    }
}
