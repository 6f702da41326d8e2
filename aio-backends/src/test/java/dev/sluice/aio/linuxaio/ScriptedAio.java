package dev.sluice.aio.linuxaio;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sluice.linux.IoEvent;
import dev.sluice.linux.Iocb;
import dev.sluice.linux.LinuxAio;
import dev.sluice.linux.NativeMemory;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A kernel that takes and ends iocbs as the test says. Its contexts are real, and stay empty. */
final class ScriptedAio implements AioCalls {
    /** A copy of an iocb that was taken. */
    record Taken(int opcode, int fd, long buffer, long bytes, long offset, int rwFlags, int slot, int flags, int resultFd) {
        static Taken of(long iocb) {
            return new Taken(
                    Iocb.opcode(iocb),
                    NativeMemory.getInt(iocb + Iocb.FD_OFFSET),
                    NativeMemory.getLong(iocb + Iocb.BUFFER_OFFSET),
                    NativeMemory.getLong(iocb + Iocb.BYTES_OFFSET),
                    NativeMemory.getLong(iocb + Iocb.FILE_OFFSET_OFFSET),
                    NativeMemory.getInt(iocb + Iocb.RW_FLAGS_OFFSET),
                    (int) Iocb.data(iocb),
                    NativeMemory.getInt(iocb + Iocb.FLAGS_OFFSET),
                    NativeMemory.getInt(iocb + Iocb.RESULT_FD_OFFSET));
        }
    }

    /** What the next submissions give: how many are taken at most, or a negative errno. Without a word all are taken. */
    final ArrayDeque<Integer> submissions = new ArrayDeque<>();
    /** What the next io_getevents give; without a word the completions. */
    final ArrayDeque<Integer> getEvents = new ArrayDeque<>();
    /** How many iocbs each io_submit was given. */
    final List<Integer> asked = new ArrayList<>();
    final List<Taken> taken = new ArrayList<>();
    final List<Long> contexts = new ArrayList<>();
    int reaps;
    @Nullable
    RuntimeException submitThrows;
    private final List<int[]> completions = new ArrayList<>();

    /** A completion that the next io_getevents finds. */
    void complete(int slot, int result) {
        completions.add(new int[] {slot, result});
    }

    @Override
    public long setup(int events) {
        long context = AioCalls.super.setup(events);
        assertThat(context).isPositive();
        contexts.add(context);
        return context;
    }

    @Override
    public int submit(long context, int count, long iocbAddresses) {
        assertThat(contexts).contains(context);
        asked.add(count);
        RuntimeException failure = submitThrows;
        Integer word = submissions.poll();
        if (failure != null && word == null) {
            submitThrows = null;
            throw failure;
        }
        int result = word == null ? count : Math.min(word, count);
        for (int i = 0; i < result; i++) {
            taken.add(Taken.of(NativeMemory.getLong(iocbAddresses + 8L * i)));
        }
        return result;
    }

    @Override
    public int getEvents(long context, int maximum, long events) {
        reaps++;
        Integer word = getEvents.poll();
        if (word != null) {
            return word;
        }
        int many = Math.min(maximum, completions.size());
        for (int i = 0; i < many; i++) {
            long event = IoEvent.address(events, i);
            int[] completion = completions.removeFirst();
            NativeMemory.putLong(event + IoEvent.DATA_OFFSET, completion[0]);
            NativeMemory.putLong(event + IoEvent.RESULT_OFFSET, completion[1]);
        }
        return many;
    }

    @Override
    public boolean mayReadRing(long context) {
        return false;
    }

    /** For a context whose owner has not destroyed it. */
    static boolean destroyed(long context) {
        return LinuxAio.destroy(context) < 0;
    }
}
