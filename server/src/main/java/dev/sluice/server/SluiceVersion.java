package dev.sluice.server;

import io.netty.util.Version;
import java.io.IOException;
import java.io.InputStream;
import java.util.Properties;
import picocli.CommandLine.IVersionProvider;

/** The first lines of a bug report: the build of Sluice, and what it runs on. */
final class SluiceVersion implements IVersionProvider {
    /** The artifact with the native half of the io_uring loop. */
    private static final String NETTY = "netty-transport-native-io_uring";

    SluiceVersion() {}

    @Override
    public String[] getVersion() throws IOException {
        Properties build = new Properties();
        try (InputStream in = SluiceVersion.class.getResourceAsStream("version.properties")) {
            if (in == null) {
                throw new IllegalStateException("version.properties is not in the jar");
            }
            build.load(in);
        }
        String commit = build.getProperty("commit", "");
        Version netty = Version.identify().get(NETTY);
        return new String[] {
            "sluice " + build.getProperty("version") + (commit.isEmpty() ? "" : " (commit " + commit + ")"),
            "java " + Runtime.version() + " (" + System.getProperty("java.vendor") + ")",
            "netty " + (netty == null ? "unknown" : netty.artifactVersion()),
            "kernel " + System.getProperty("os.name") + " " + System.getProperty("os.version") + " " + System.getProperty("os.arch"),
        };
    }
}
