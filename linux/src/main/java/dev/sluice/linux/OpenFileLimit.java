package dev.sluice.linux;

/**
 * The limit on descriptors of this process (RLIMIT_NOFILE). Any thread; needs no descriptor, so that it works when none is left.
 * Source: getrlimit(2).
 */
public final class OpenFileLimit {
    private static final int RLIMIT_NOFILE = 7;
    private static final Libc.Call2 GETRLIMIT = new Libc.Call2(Libc.returningInt("getrlimit"));

    private OpenFileLimit() {}

    /** The soft limit, which the JVM raises to the hard one when it starts; or a negative errno. */
    public static long current() {
        long words = Libc.ThreadScratch.current().words().address();
        int result = (int) GETRLIMIT.call(RLIMIT_NOFILE, words);
        return result < 0 ? result : NativeMemory.getLong(words);
    }

    /** Whether no descriptor is left now. */
    public static boolean isReached() {
        int probe = EventFd.create(0, EventFd.EFD_CLOEXEC);
        if (probe >= 0) {
            int _ = Fd.closeNumber(probe);
        }
        return probe == -Errno.EMFILE;
    }

    /** The remedy for EMFILE. */
    public static String advice() {
        return "raise the limit of open files, RLIMIT_NOFILE, which is " + current()
                + " (ulimit -n N before the start, LimitNOFILE=N in the unit of a service)";
    }
}
