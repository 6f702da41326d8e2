package dev.sluice.simulation;

import dev.sluice.simulation.GuestRequest.Flaw;
import dev.sluice.simulation.GuestRequest.Kind;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * What the guest expects of the completion of a request: its status and length, its data, what became of the disk, and that no request fails without
 * a reason.
 */
final class CompletionCheck {
    private static final int OK = 0;
    private static final int IOERR = 1;
    private static final int UNSUPP = 2;

    /** Whether something else than the disk has made a request fail. */
    @FunctionalInterface
    interface Excuse {
        boolean of(GuestRequest request);
    }

    private final DiskModel disk;
    private final SimulatedKernel kernel;
    private final Excuse excuse;

    CompletionCheck(DiskModel disk, SimulatedKernel kernel, Excuse excuse) {
        this.disk = disk;
        this.kernel = kernel;
        this.excuse = excuse;
    }

    void begin(GuestRequest request) {
        request.failuresBefore = kernel.failures();
        if (request.readsDisk()) {
            disk.beginRead(request.sector, request.sectors);
        } else if (request.changesDisk()) {
            disk.beginWrite(request.sector, request.sectors);
        } else if (request.kind == Kind.FLUSH) {
            request.covered = disk.acknowledged();
            request.generationsThen = disk.generations();
        }
    }

    void completed(int queue, GuestRequest request, int status, int written) {
        Flaw flaw = request.flaw;
        if (flaw != null) {
            require(status == (flaw.hasStatus ? IOERR : GuestQueue.UNWRITTEN) && written == (flaw.hasStatus ? 1 : 0), queue, request, status, written);
            return;
        }
        if (request.unsupported) {
            require(status == UNSUPP && written == 1, queue, request, status, written);
            return;
        }
        int most = request.deviceWritesData() ? request.bytes() + 1 : 1;
        require(status <= UNSUPP && written == (status == OK ? most : 1), queue, request, status, written);
        if (status == OK) {
            succeeded(request);
        } else {
            failed(queue, request, status);
        }
    }

    private static void require(boolean right, int queue, GuestRequest request, int status, int written) {
        if (!right) {
            throw new Violation("queue " + queue + ": " + request + " was completed with status " + status + " and " + written + " bytes written");
        }
    }

    private void succeeded(GuestRequest request) {
        switch (request.kind) {
            case READ -> {
                for (int i = 0; i < request.sectors; i++) {
                    disk.checkRead(request.sector + i, request.region.memory(), request.dataAt + (long) i * DiskModel.SECTOR);
                }
                disk.endRead(request.sector, request.sectors);
            }
            case WRITE -> {
                disk.wrote(request.sector, request.sectors, request.stamp);
                checkDurable(request);
            }
            case WRITE_ZEROES, DISCARD -> {
                // Sluice punches holes: what was discarded reads as zeroes.
                disk.zeroed(request);
                checkDurable(request);
            }
            case FLUSH -> disk.checkDurable(request.covered, request.generationsThen);
            case GET_ID -> {
                byte[] id = request.region.memory().asSlice(request.dataAt, 20).toArray(ValueLayout.JAVA_BYTE);
                if (!new String(id, StandardCharsets.UTF_8).startsWith(SimulatedGuest.SERIAL)) {
                    throw new Violation("GET_ID gave " + Arrays.toString(id));
                }
            }
            case BEYOND -> throw new Violation("a write behind the end of the disk succeeded");
        }
    }

    private void checkDurable(GuestRequest request) {
        if (request.durable) {
            disk.checkDurable(request.sector, request.sectors, "an acknowledged " + request.kind + " in write-through mode");
        }
    }

    private void failed(int queue, GuestRequest request, int status) {
        boolean excused = switch (request.kind) {
            case BEYOND -> status == IOERR;
            case FLUSH -> kernel.syncFailedSince(request.failuresBefore);
            case READ -> disk.failedToRead(request);
            case WRITE, DISCARD, WRITE_ZEROES -> (request.mayNeedSync && kernel.syncFailedSince(request.failuresBefore))
                    || disk.failedToWrite(request);
            case GET_ID -> false;
        };
        if (!excused && !excuse.of(request)) {
            throw new Violation("queue " + queue + ": " + request + " failed with status " + status + " although nothing had");
        }
        if (request.changesDisk()) {
            disk.lost(request.sector, request.sectors);
        } else if (request.readsDisk()) {
            disk.endRead(request.sector, request.sectors);
        }
    }
}
