package dev.sluice.linux;

import java.util.Locale;

/**
 * Whether this JVM may call into Linux at all; check this before the first use of this package.
 *
 * <p>A launcher calls {@link #ensureAvailable()} first, so that a person reads one line. Otherwise the same condition
 * shows as an {@code ExceptionInInitializerError} from whichever class of this package is used first.
 *
 * <p><b>Threading</b>: any thread. <b>Failure</b>: {@link LinuxUnavailableException}. Source: JEP 454, JEP 472.
 */
public final class LinuxPlatform {
    static final boolean AARCH64 = "aarch64".equals(System.getProperty("os.arch"));
    private static final boolean X86_64 = "amd64".equals(System.getProperty("os.arch"));

    private LinuxPlatform() {}

    /** Returns if system calls can be made, throws {@link LinuxUnavailableException} with one line of advice if not. */
    public static void ensureAvailable() {
        String system = System.getProperty("os.name", "unknown");
        if (!system.toLowerCase(Locale.ROOT).equals("linux") || !(X86_64 || AARCH64)) {
            throw new LinuxUnavailableException(
                    "Sluice needs Linux on x86_64 or aarch64; this is " + system + " on " + System.getProperty("os.arch"), null);
        }
        try {
            Libc.probe();
        } catch (IllegalCallerException e) {
            throw new LinuxUnavailableException(
                    "Sluice calls Linux through java.lang.foreign, which this JVM denies:"
                            + " run java with --enable-native-access=ALL-UNNAMED",
                    e);
        }
    }
}
