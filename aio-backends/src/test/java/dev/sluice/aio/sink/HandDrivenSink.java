package dev.sluice.aio.sink;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.aio.loop.TickLoop;
import dev.sluice.aio.raw.RawImage;
import dev.sluice.linux.Fd;
import dev.sluice.linux.Iovec;
import dev.sluice.linux.LinuxFile;
import dev.sluice.linux.Mapping;
import dev.sluice.linux.Memfd;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A sink whose kernel is the test: it notes what is started, and ends it as the test says, with the data moved from or to {@link #disk}. */
final class HandDrivenSink extends RawSink {
    /** Something that was started and has not ended. */
    final class Started {
        private final int slot;
        private final CompletionSeam.Call kind;
        private final long[] addresses;
        private final long[] lengths;
        private final long offset;

        private Started(int slot, CompletionSeam.Call kind, long[] addresses, long[] lengths, long offset) {
            this.slot = slot;
            this.kind = kind;
            this.addresses = addresses;
            this.lengths = lengths;
            this.offset = offset;
        }

        int slot() {
            return slot;
        }

        int bytes() {
            long sum = 0;
            for (long length : lengths) {
                sum += length;
            }
            return (int) sum;
        }

        /** Moves so many of its bytes. */
        private void move(int bytes) {
            int left = bytes;
            int at = (int) offset;
            for (int i = 0; left > 0; i++) {
                int part = (int) Math.min(left, lengths[i]);
                MemorySegment onDisk = MemorySegment.ofArray(disk).asSlice(at, part);
                if (kind == CompletionSeam.Call.READ) {
                    scratch.view(0, part).copyFrom(onDisk);
                    assertThat(LinuxFile.pread(scratchFile.number(), addresses[i], part, 0)).isEqualTo(part);
                } else {
                    assertThat(LinuxFile.pwrite(scratchFile.number(), addresses[i], part, 0)).isEqualTo(part);
                    onDisk.copyFrom(scratch.view(0, part));
                }
                at += part;
                left -= part;
            }
        }
    }

    private static final int SCRATCH_BYTES = 2 << 20;

    final byte[] disk;
    final List<Started> inKernel = new ArrayList<>();
    /** Each start since the last look, as text. */
    final List<String> trace = new ArrayList<>();
    /** How many starts are refused from now on. */
    int refusals;
    /** What the next start throws, before the kernel has it. */
    @Nullable
    Error throwsBefore;
    /** What the next start throws, after the kernel has it. */
    @Nullable
    Error throwsAfter;
    @Nullable
    RuntimeException throwsAtRelease;
    int batches;
    /** How often a batch was to go to the kernel at once. */
    int handOvers;
    int releases;
    final List<Integer> cancelled = new ArrayList<>();
    /** Who makes the calls, if not the test. */
    @Nullable
    ThreadCalls threads;

    private final TickLoop loop;
    private final RawImage image;
    /** Between memory and disk: system calls survive addresses that are wrong. */
    private final Fd scratchFile;

    private final Mapping scratch;

    @SuppressWarnings("this-escape")
    HandDrivenSink(TickLoop loop, RawImage image, int capacity, CompletionSeam seam, Runnable onClosed) throws IOException {
        super(loop, image, capacity, seam, onClosed);
        this.loop = loop;
        this.image = image;
        this.disk = new byte[(int) image.geometry().sizeBytes()];
        this.scratchFile = Fd.adopt(Memfd.create("scratch", Memfd.MFD_CLOEXEC));
        assertThat(LinuxFile.ftruncate(scratchFile.number(), SCRATCH_BYTES)).isZero();
        this.scratch = Mapping.shared(scratchFile.number(), 0, SCRATCH_BYTES);
        loop.add(this);
    }

    // ---- the kernel's end

    /** The oldest call ends with all that it was to move. */
    void end() {
        end(0, inKernel.get(0).bytes());
    }

    void end(int index, int result) {
        Started call = inKernel.remove(index);
        if (result > 0 && call.lengths.length > 0) {
            call.move(result);
        }
        collect(call.slot, result);
        loop.completionSeen(this);
    }

    /** What was started since the last look. */
    List<String> started() {
        List<String> now = List.copyOf(trace);
        trace.clear();
        return now;
    }

    // ---- starts

    private String file(int fd) {
        if (fd == image.fd()) {
            return image.direct() ? "direct" : "buffered";
        }
        return fd == image.bufferedFd() ? "buffered" : fd == syncFd() ? "its sync file" : "file " + fd;
    }

    private boolean start(int slot, String text, CompletionSeam.Call kind, long[] addresses, long[] lengths, long offset) {
        if (refusals > 0) {
            refusals--;
            return false;
        }
        Error before = throwsBefore;
        throwsBefore = null;
        if (before != null) {
            throw before;
        }
        inKernel.add(new Started(slot, kind, addresses, lengths, offset));
        trace.add(text);
        Error after = throwsAfter;
        throwsAfter = null;
        if (after != null) {
            throw after;
        }
        return true;
    }

    private static String flags(int rwFlags) {
        return rwFlags == 0 ? "" : rwFlags == LinuxFile.RWF_DSYNC ? " dsync" : " flags " + rwFlags;
    }

    private static CompletionSeam.Call kind(boolean reads) {
        return reads ? CompletionSeam.Call.READ : CompletionSeam.Call.WRITE;
    }

    @Override
    protected boolean startVector(int slot, boolean reads, int fd, long iovecs, int iovecCount, long offset, int rwFlags) {
        ThreadCalls others = threads;
        if (others != null) {
            return others.startVector(slot, reads, fd, iovecs, iovecCount, offset, rwFlags);
        }
        long[] addresses = new long[iovecCount];
        long[] lengths = new long[iovecCount];
        long sum = 0;
        for (int i = 0; i < iovecCount; i++) {
            addresses[i] = Iovec.base(iovecs, i);
            lengths[i] = Iovec.length(iovecs, i);
            sum += lengths[i];
        }
        String text = (reads ? "readv " : "writev ") + file(fd) + " " + sum + " in " + iovecCount + " at " + offset + flags(rwFlags);
        return start(slot, text, kind(reads), addresses, lengths, offset);
    }

    @Override
    protected boolean startBuffer(int slot, boolean reads, int fd, long address, int bytes, long offset, int rwFlags) {
        ThreadCalls others = threads;
        if (others != null) {
            return others.startBuffer(slot, reads, fd, address, bytes, offset, rwFlags);
        }
        String zeroes = address == ZeroBuffer.ADDRESS ? " zeroes" : "";
        String text = (reads ? "read " : "write ") + file(fd) + " " + bytes + zeroes + " at " + offset + flags(rwFlags);
        return start(slot, text, kind(reads), new long[] {address}, new long[] {bytes}, offset);
    }

    @Override
    protected boolean startFallocate(int slot, int fd, int mode, long offset, long bytes) {
        ThreadCalls others = threads;
        if (others != null) {
            return others.startFallocate(slot, fd, mode, offset, bytes);
        }
        String what = switch (mode) {
            case LinuxFile.FALLOC_FL_PUNCH_HOLE | LinuxFile.FALLOC_FL_KEEP_SIZE -> "punch ";
            case LinuxFile.FALLOC_FL_ZERO_RANGE | LinuxFile.FALLOC_FL_KEEP_SIZE -> "zero ";
            default -> "fallocate mode " + mode + " ";
        };
        return start(slot, what + bytes + " at " + offset, CompletionSeam.Call.ALLOCATE, new long[0], new long[0], offset);
    }

    @Override
    protected boolean startSync(int slot, int fd) {
        ThreadCalls others = threads;
        if (others != null) {
            return others.startSync(slot, fd);
        }
        return start(slot, fd == image.fd() ? "sync of the main file" : "sync of " + file(fd), CompletionSeam.Call.SYNC, new long[0], new long[0], 0);
    }

    @Override
    protected void endBatch() {
        batches++;
    }

    @Override
    protected void submitNow() {
        handOvers++;
    }

    @Override
    protected int inKernel() {
        ThreadCalls others = threads;
        return inKernel.size() + (others == null ? 0 : others.inFlight());
    }

    @Override
    protected void cancelled(int slot) {
        cancelled.add(slot);
    }

    @Override
    protected void release() {
        releases++;
        loop.remove(this);
        scratch.close();
        scratchFile.close();
        RuntimeException failure = throwsAtRelease;
        if (failure != null) {
            throw failure;
        }
    }
}
