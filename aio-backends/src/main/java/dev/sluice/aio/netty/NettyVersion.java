package dev.sluice.aio.netty;

import io.netty.util.Version;
import java.util.Optional;

/** Whether the Netty on the class path is one that our loops run on: a program may have brought an older one. Any thread; set-up only. */
public final class NettyVersion {
    /** Since Netty 4.2. */
    private static final String IO_HANDLER = "io.netty.channel.IoHandler";

    private NettyVersion() {}

    /**
     * Why the loops of a transport cannot run, in one line for a person; empty if they can. Initialises no class of Netty's.
     *
     * @param handler name of the transport's handler, which Netty 4.2 has and earlier versions do not
     */
    public static Optional<String> unsupported(String handler) {
        if (exists(IO_HANDLER) && exists(handler)) {
            return Optional.empty();
        }
        String found = found();
        return Optional.of(found.startsWith("4.2.")
                ? handler + " is not on the class path: add the transport of Netty " + found + " (sluice-bom has its version)"
                : "Netty 4.2 is needed, and the class path has " + found
                        + ": import sluice-bom before other BOMs, or set netty.version to 4.2 where Spring Boot's parent is used");
    }

    private static boolean exists(String name) {
        try {
            Class.forName(name, false, NettyVersion.class.getClassLoader());
            return true;
        } catch (ClassNotFoundException | LinkageError missing) {
            return false;
        }
    }

    private static String found() {
        try {
            Version common = Version.identify().get("netty-common");
            return common == null ? "another one" : common.artifactVersion();
        } catch (LinkageError missing) {
            return "none";
        }
    }
}
