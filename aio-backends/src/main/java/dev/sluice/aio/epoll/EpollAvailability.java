package dev.sluice.aio.epoll;

import dev.sluice.aio.netty.NettyVersion;
import dev.sluice.linux.LinuxPlatform;
import dev.sluice.linux.LinuxUnavailableException;
import io.netty.channel.epoll.Epoll;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Whether there can be an {@link EpollLoop} here, and why not, in one line for a person. Loads nothing of Netty where there is no Linux. Any thread; set-up
 * only.
 */
final class EpollAvailability {
    private EpollAvailability() {}

    static Optional<String> reason() {
        try {
            LinuxPlatform.ensureAvailable();
            Optional<String> unsupported = NettyVersion.unsupported("io.netty.channel.epoll.EpollIoHandler");
            if (unsupported.isPresent()) {
                return unsupported;
            }
            return Epoll.isAvailable() ? Optional.empty() : Optional.of(explain(Epoll.unavailabilityCause()));
        } catch (LinuxUnavailableException notHere) {
            return Optional.of(String.valueOf(notHere.getMessage()));
        } catch (LinkageError broken) {
            return Optional.of(explain(broken));
        }
    }

    static String explain(@Nullable Throwable cause) {
        String text = cause == null ? "unknown cause" : String.valueOf(cause.getMessage()).lines().findFirst().orElse("unknown cause");
        if (text.contains("Too many open files")) {
            return "epoll cannot be opened (" + text + "): raise the limit of open files (ulimit -n)";
        }
        if (cause instanceof LinkageError) {
            return "epoll is not available: Netty's classes or native library do not load (" + text
                    + "): put netty-transport-native-epoll for this architecture ("
                    + System.getProperty("os.arch") + ") on the class path, with java.io.tmpdir on a file system that allows exec";
        }
        return "epoll is not available: " + text + ": choose another loop";
    }
}
