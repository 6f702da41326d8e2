package dev.sluice.simulation;

import dev.sluice.aio.linuxaio.SimulatedAio;
import dev.sluice.linux.Errno;
import dev.sluice.linux.EventFd;
import dev.sluice.linux.Fd;
import dev.sluice.linux.Iocb;
import dev.sluice.linux.Iovec;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.NativeBlock;
import dev.sluice.linux.NativeMemory;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.zip.CRC32C;

/**
 * A disk behind Linux AIO whose requests complete when and how the simulation wants. What is read and written is a real file; which of it a power failure
 * would leave is kept here, a checksum a sector.
 *
 * <p>A sync that fails does so once: what was dirty then never becomes durable, and the next sync succeeds all the same, as in Linux.
 */
final class SimulatedKernel implements SimulatedAio.Kernel, AutoCloseable {
    static final int SECTOR = 512;
    private static final int RWF_DSYNC = LinuxFile.RWF_DSYNC;
    /** One of so many sectors is not for O_DIRECT, where the file system is strict. */
    private static final int STRICT_EVERY = 61;

    private final SplittableRandom random;
    private final Trace trace;
    private final Fd file;
    private final FileChannel channel;
    private final int sectors;
    private final byte[] contents;
    private final ByteBuffer contentsBuffer;

    private final int[] checksum;
    private final long[] version;
    private final byte[] durableContents;
    private final int[] durableChecksum;
    private final long[] durableVersion;
    /** Up to this version a failed sync has made the sector clean without its being durable. */
    private final long[] lostVersion;
    private long versions;

    private final List<Op> inKernel = new ArrayList<>();
    private final ArrayDeque<Op> completed = new ArrayDeque<>();
    private int lastResult;
    private Faults faults;
    private long failures;
    private final List<Failure> failed = new ArrayList<>();
    private boolean syncFailed;

    private record Failure(long number, long offset, long bytes) {}

    private static final class Op {
        final short opcode;
        final long data;
        final long offset;
        final int rwFlags;
        final int resultFd;
        final long[] addresses;
        final long[] lengths;
        byte[] contents = {};
        int[] checksums = {};
        long[] versions = {};
        int result;

        Op(long iocb) {
            opcode = Iocb.opcode(iocb);
            data = Iocb.data(iocb);
            offset = NativeMemory.getLong(iocb + Iocb.FILE_OFFSET_OFFSET);
            rwFlags = NativeMemory.getInt(iocb + Iocb.RW_FLAGS_OFFSET);
            resultFd = NativeMemory.getInt(iocb + Iocb.RESULT_FD_OFFSET);
            long buffer = NativeMemory.getLong(iocb + Iocb.BUFFER_OFFSET);
            long bytes = NativeMemory.getLong(iocb + Iocb.BYTES_OFFSET);
            boolean vectored = opcode == Iocb.IOCB_CMD_PREADV || opcode == Iocb.IOCB_CMD_PWRITEV;
            int count = vectored ? (int) bytes : opcode == Iocb.IOCB_CMD_FDSYNC ? 0 : 1;
            addresses = new long[count];
            lengths = new long[count];
            for (int i = 0; i < count; i++) {
                addresses[i] = vectored ? Iovec.base(buffer, i) : buffer;
                lengths[i] = vectored ? Iovec.length(buffer, i) : bytes;
            }
        }

        boolean reads() {
            return opcode == Iocb.IOCB_CMD_PREAD || opcode == Iocb.IOCB_CMD_PREADV;
        }

        boolean syncs() {
            return opcode == Iocb.IOCB_CMD_FDSYNC;
        }

        /** The same memory and the same place: no two requests of a driver that keeps to the rules. */
        boolean isSame(Op other) {
            return !syncs() && opcode == other.opcode && offset == other.offset && Arrays.equals(addresses, other.addresses);
        }

        long bytes() {
            long sum = 0;
            for (long length : lengths) {
                sum += length;
            }
            return sum;
        }

        @Override
        public String toString() {
            return (syncs() ? "FDSYNC" : (reads() ? "READ " : "WRITE ") + offset + "+" + bytes() + (rwFlags != 0 ? " DSYNC" : "")) + " slot " + data;
        }
    }

    SimulatedKernel(Path image, int sectors, SplittableRandom random, Faults faults, Trace trace) throws IOException {
        this.random = random;
        this.faults = faults;
        this.trace = trace;
        this.sectors = sectors;
        this.file = LinuxFile.openOrThrow(image.toString(), LinuxFile.O_RDWR | LinuxFile.O_CLOEXEC, 0);
        this.channel = FileChannel.open(image, StandardOpenOption.READ);
        this.contents = new byte[sectors * SECTOR];
        this.contentsBuffer = ByteBuffer.wrap(contents);
        this.checksum = new int[sectors];
        this.version = new long[sectors];
        this.durableContents = new byte[sectors * SECTOR];
        this.durableChecksum = new int[sectors];
        this.durableVersion = new long[sectors];
        this.lostVersion = new long[sectors];
        reread(0, sectors);
        System.arraycopy(checksum, 0, durableChecksum, 0, sectors);
        System.arraycopy(version, 0, durableVersion, 0, sectors);
    }

    void faults(Faults faults) {
        this.faults = faults;
    }

    // ---- io_submit

    @Override
    public int submit(int count, long iocbAddresses) {
        if (Faults.happens(random, faults.refuseSubmission())) {
            trace.add("io_submit of " + count + ": EAGAIN");
            return -Errno.EAGAIN;
        }
        int taken = Faults.happens(random, faults.refuseSubmission()) ? random.nextInt(1, count + 1) : count;
        for (int i = 0; i < taken; i++) {
            Op op = new Op(NativeMemory.getLong(iocbAddresses + (long) i * Long.BYTES));
            if (op.syncs()) {
                op.contents = contents.clone();
                op.checksums = checksum.clone();
                op.versions = version.clone();
            } else if (inKernel.stream().anyMatch(op::isSame)) {
                trace.violation("the kernel has the same request twice: " + op);
            }
            inKernel.add(op);
            trace.add("submitted " + op);
        }
        return taken;
    }

    int inFlight() {
        return inKernel.size() + completed.size();
    }

    // ---- completing

    /** Completes one of what is in flight, whichever it wants. */
    void completeOne() {
        if (inKernel.isEmpty()) {
            return;
        }
        int which = random.nextInt(inKernel.size());
        Op op = inKernel.remove(which);
        op.result = outcome(op);
        trace.add("completed " + op + ": " + op.result);
        completed.add(op);
        int _ = EventFd.signal(op.resultFd);
    }

    private int outcome(Op op) {
        if (Faults.happens(random, faults.refuseCall())) {
            return random.nextBoolean() ? -Errno.EAGAIN : -Errno.EINTR;
        }
        if (op.syncs()) {
            return sync(op);
        }
        long bytes = op.bytes();
        if (faults.strictDirect() && touchesStrictSector(op.offset, bytes)) {
            return -Errno.EINVAL;
        }
        if (Faults.happens(random, faults.fail())) {
            failed.add(new Failure(++failures, op.offset, bytes));
            if (op.rwFlags != 0) {
                // Nobody says which of the two failed, the write or its sync.
                syncFailed = true;
                if (random.nextBoolean()) {
                    loseVolatile();
                }
            }
            return -Errno.EIO;
        }
        if (bytes > 1 && Faults.happens(random, faults.stopShort())) {
            // What O_DIRECT does not take is written by a thread: its sync would not be seen here.
            int unit = op.rwFlags == 0 && random.nextBoolean() ? 1 : SECTOR;
            bytes = bytes > unit ? random.nextLong(1, bytes / unit + 1) * unit : bytes;
        }
        return move(op, bytes);
    }

    private int move(Op op, long bytes) {
        long done = 0;
        for (int i = 0; i < op.addresses.length && done < bytes; i++) {
            long part = Math.min(op.lengths[i], bytes - done);
            long result = op.reads()
                    ? LinuxFile.pread(file.number(), op.addresses[i], part, op.offset + done)
                    : LinuxFile.pwrite(file.number(), op.addresses[i], part, op.offset + done);
            if (result < 0) {
                return done > 0 ? (int) done : (int) result;
            }
            done += result;
            if (result < part) {
                break;
            }
        }
        if (!op.reads() && done > 0) {
            int first = (int) (op.offset / SECTOR);
            int end = (int) ((op.offset + done + SECTOR - 1) / SECTOR);
            reread(first, Math.min(sectors, end));
            if ((op.rwFlags & RWF_DSYNC) != 0) {
                for (int sector = first; sector < Math.min(sectors, end); sector++) {
                    durable(sector, contents, checksum[sector], version[sector]);
                }
            }
        }
        return (int) done;
    }

    private int sync(Op op) {
        if (Faults.happens(random, faults.failSync())) {
            syncFailed = true;
            failed.add(new Failure(++failures, 0, (long) sectors * SECTOR));
            loseVolatile();
            return -Errno.EIO;
        }
        for (int sector = 0; sector < sectors; sector++) {
            durable(sector, op.contents, op.checksums[sector], op.versions[sector]);
        }
        return 0;
    }

    private static boolean touchesStrictSector(long offset, long bytes) {
        long first = offset / SECTOR;
        long last = (offset + Math.max(bytes, 1) - 1) / SECTOR;
        return last - first >= STRICT_EVERY || last % STRICT_EVERY < first % STRICT_EVERY || first % STRICT_EVERY == 0;
    }

    private void loseVolatile() {
        for (int sector = 0; sector < sectors; sector++) {
            if (version[sector] > durableVersion[sector]) {
                lostVersion[sector] = version[sector];
            }
        }
    }

    private void durable(int sector, byte[] from, int sum, long ofVersion) {
        if (ofVersion > durableVersion[sector] && ofVersion > lostVersion[sector]) {
            durableVersion[sector] = ofVersion;
            durableChecksum[sector] = sum;
            System.arraycopy(from, sector * SECTOR, durableContents, sector * SECTOR, SECTOR);
        }
    }

    /** The file has changed: by us, or by fallocate on a thread. */
    void reread(int first, int end) {
        try {
            contentsBuffer.limit(end * SECTOR).position(first * SECTOR);
            while (contentsBuffer.hasRemaining() && channel.read(contentsBuffer, contentsBuffer.position()) > 0) {
                // until all is there
            }
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
        for (int sector = first; sector < end; sector++) {
            int sum = sum(contents, sector * SECTOR);
            if (sum != checksum[sector]) {
                checksum[sector] = sum;
                version[sector] = ++versions;
            }
        }
    }

    void reread() {
        reread(0, sectors);
    }

    static int sum(byte[] bytes, int offset) {
        CRC32C crc = new CRC32C();
        crc.update(bytes, offset, SECTOR);
        return (int) crc.getValue();
    }

    // ---- the process ends

    /** The process was killed: of what the kernel has some has happened and the rest never does. What follows until {@link #restore} has not happened. */
    void killed() {
        for (Op op : inKernel) {
            if (random.nextBoolean()) {
                int _ = outcome(op);
            }
        }
        reread();
    }

    byte[] snapshot() {
        return contents.clone();
    }

    /** The file as it was, whatever has happened to it since. */
    void restore(byte[] snapshot) {
        write(snapshot);
    }

    /** What was not durable may be gone. */
    void powerFailure() {
        byte[] left = contents.clone();
        for (int sector = 0; sector < sectors; sector++) {
            if (durableVersion[sector] != version[sector] && random.nextBoolean()) {
                System.arraycopy(durableContents, sector * SECTOR, left, sector * SECTOR, SECTOR);
            }
        }
        write(left);
        System.arraycopy(contents, 0, durableContents, 0, contents.length);
        System.arraycopy(checksum, 0, durableChecksum, 0, sectors);
        System.arraycopy(version, 0, durableVersion, 0, sectors);
    }

    private void write(byte[] bytes) {
        try (NativeBlock block = NativeMemory.allocate(bytes.length, SECTOR)) {
            NativeMemory.copyFromArray(bytes, 0, block.address(), bytes.length);
            if (LinuxFile.pwrite(file.number(), block.address(), bytes.length, 0) != bytes.length) {
                throw new IllegalStateException("pwrite");
            }
        }
        reread();
    }

    /**
     * The image is repaired and opened again: what a failed sync has lost is gone, and that is nobody's to report any more. Returns the sectors that
     * it concerns.
     */
    boolean[] reopened() {
        boolean[] lost = new boolean[sectors];
        byte[] left = contents.clone();
        for (int sector = 0; sector < sectors; sector++) {
            lost[sector] = version[sector] == lostVersion[sector] && durableVersion[sector] < version[sector];
            if (lost[sector]) {
                System.arraycopy(durableContents, sector * SECTOR, left, sector * SECTOR, SECTOR);
            }
        }
        write(left);
        for (int sector = 0; sector < sectors; sector++) {
            if (lost[sector]) {
                durableVersion[sector] = ++versions;
                version[sector] = versions;
            }
        }
        if (syncFailed) {
            syncFailed = false;
            failed.add(new Failure(++failures, 0, (long) sectors * SECTOR));
        }
        return lost;
    }

    /** What the file takes of the disk. */
    long allocatedBlocks() throws IOException {
        return LinuxFile.status(file.number()).allocatedBlocks();
    }

    @Override
    public long nextCompletion() {
        Op op = completed.poll();
        if (op == null) {
            return NONE;
        }
        lastResult = op.result;
        return op.data;
    }

    @Override
    public int result() {
        return lastResult;
    }

    // ---- what there is

    int checksum(int sector) {
        return checksum[sector];
    }

    int durableChecksum(int sector) {
        return durableChecksum[sector];
    }

    /** Failures so far. */
    long failures() {
        return failures;
    }

    boolean syncHasFailed() {
        return syncFailed;
    }

    /** Whether a sync has failed since, or had failed before and the image was not opened again. */
    boolean syncFailedSince(long number) {
        return syncFailed || failedSince(number, 0, (long) sectors * SECTOR);
    }

    /** Whether something that touched this range has failed since. */
    boolean failedSince(long number, long offset, long bytes) {
        for (int i = failed.size() - 1; i >= 0 && failed.get(i).number > number; i--) {
            Failure failure = failed.get(i);
            if (failure.offset < offset + bytes && offset < failure.offset + failure.bytes) {
                return true;
            }
        }
        return false;
    }

    @Override
    public void close() throws IOException {
        channel.close();
        file.close();
    }
}
