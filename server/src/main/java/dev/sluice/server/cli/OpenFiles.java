package dev.sluice.server.cli;

import java.io.FileInputStream;
import java.io.IOException;

/**
 * Whether this process can open files at all. Uses nothing but the JDK: at a low limit even the classes of Sluice cannot be read, and the JVM's own
 * message (a class that is not found) is misleading.
 */
public final class OpenFiles {
    /** The remedy for a person. */
    public static final String MESSAGE = "sluice: error: too many open files: this process cannot open the files that it needs to start:"
            + " raise the limit of open files, RLIMIT_NOFILE (ulimit -n 1024 before the start, LimitNOFILE=1024 in the unit of a service)";

    private OpenFiles() {}

    /** Whether the limit is reached now. */
    public static boolean areExhausted() {
        try (FileInputStream _ = new FileInputStream("/dev/null")) {
            return false;
        } catch (IOException refused) {
            return true;
        }
    }
}
