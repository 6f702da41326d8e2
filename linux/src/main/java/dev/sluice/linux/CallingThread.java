package dev.sluice.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The kernel's view of the calling thread. Only meaningful on platform threads.
 *
 * <p><b>Threading</b>: concerns the caller itself. <b>Failure</b>: a negative errno. <b>Allocation</b>: a mask for
 * {@link #pin}. Source: gettid(2), sched_setaffinity(2), sched_getcpu(3).
 */
public final class CallingThread {
    /** Number of CPUs that {@link #pin} supports. */
    public static final int MAX_CPUS = 1024;

    private static final Libc.Call0 GETTID = new Libc.Call0(Libc.returningInt("gettid"));
    private static final Libc.Call0 SCHED_GETCPU = new Libc.Call0(Libc.returningInt("sched_getcpu"));
    private static final Libc.Call3 SCHED_SETAFFINITY = new Libc.Call3(Libc.returningInt("sched_setaffinity"));

    private CallingThread() {}

    /** The thread's id in /proc/self/task. */
    public static int id() {
        return (int) GETTID.call();
    }

    /** The CPU that the thread runs on. */
    public static int cpu() {
        return (int) SCHED_GETCPU.call();
    }

    /** Restricts the thread to the given CPUs. Returns 0, or -EINVAL if none of them may be used. */
    public static int pin(int... cpus) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment mask = arena.allocate(MAX_CPUS / Byte.SIZE, 8);
            for (int cpu : cpus) {
                if (cpu < 0 || cpu >= MAX_CPUS) {
                    return -Errno.EINVAL;
                }
                long at = cpu / Byte.SIZE;
                mask.set(ValueLayout.JAVA_BYTE, at, (byte) (mask.get(ValueLayout.JAVA_BYTE, at) | 1 << cpu % Byte.SIZE));
            }
            return (int) SCHED_SETAFFINITY.call(0, mask.byteSize(), mask.address());
        }
    }
}
