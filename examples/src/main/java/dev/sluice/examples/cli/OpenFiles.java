package dev.sluice.examples.cli;

import java.io.FileInputStream;
import java.io.IOException;

/**
 * Whether this process can open files at all. Uses nothing but the JDK: where the limit is low even the classes of Sluice cannot be read, and what the JVM
 * says then (a class that is not found) misleads.
 */
public final class OpenFiles {
    /** What a person can do. */
    public static final String MESSAGE = "sluice: error: this process may not open as many files as it needs to start:"
            + " raise the limit of open files, RLIMIT_NOFILE (ulimit -n 1024 before the start, LimitNOFILE=1024 in the unit of a service)";

    private OpenFiles() {}

    /** Whether the limit is reached at this moment. */
    public static boolean areExhausted() {
        try (FileInputStream _ = new FileInputStream("/dev/null")) {
            return false;
        } catch (IOException refused) {
            return true;
        }
    }
}
