package dev.sluice.aio.uring;

import dev.sluice.aio.netty.NettyVersion;
import dev.sluice.linux.LinuxPlatform;
import dev.sluice.linux.LinuxUnavailableException;
import io.netty.channel.uring.IoUring;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Why io_uring cannot be used here, in one line for a person. Any thread. Source: io_uring_setup(2), sysctl/kernel.rst "io_uring_disabled". */
final class IoUringAvailability {
    private static final Path DISABLED_SYSCTL = Path.of("/proc/sys/kernel/io_uring_disabled");

    private static final Path LIMITS = Path.of("/proc/self/limits");
    private static final String LOCKED_MEMORY = "Max locked memory";

    /** A ring was entered before: what has worked once is not forbidden later. */
    private static volatile boolean entered;

    private IoUringAvailability() {}

    static Optional<String> reason() {
        try {
            LinuxPlatform.ensureAvailable();
            Optional<String> unsupported = unsupportedNetty();
            if (unsupported.isPresent()) {
                return unsupported;
            }
            if (!IoUring.isAvailable()) {
                return Optional.of(explain(IoUring.unavailabilityCause(), disabledSysctl()));
            }
            return entered ? Optional.empty() : enter();
        } catch (LinuxUnavailableException notHere) {
            return Optional.of(String.valueOf(notHere.getMessage()));
        } catch (LinkageError broken) {
            return Optional.of("io_uring is not available: Netty's io_uring classes do not load (" + firstLine(broken)
                    + "): put netty-transport-classes-io_uring and its natives on the class path");
        }
    }

    /** Whether the Netty on the class path is too old for a ring; empty if it is not. */
    static Optional<String> unsupportedNetty() {
        return NettyVersion.unsupported("io.netty.channel.uring.IoUringIoHandler");
    }

    /** Netty's own look at it ends with io_uring_setup and io_uring_register. */
    private static Optional<String> enter() {
        try {
            IoUringLoop.tryOnce();
            entered = true;
            return Optional.empty();
        } catch (Exception refused) {
            return Optional.of(explain(refused, disabledSysctl()));
        }
    }

    /** The limit of locked memory, which old kernels (before 5.12) count rings against; for people. */
    private static String lockedMemory() {
        try {
            for (String line : Files.readAllLines(LIMITS)) {
                if (line.startsWith(LOCKED_MEMORY)) {
                    return line.substring(LOCKED_MEMORY.length()).strip().split("\\s+", 2)[0];
                }
            }
        } catch (IOException unreadable) {
            // Then it is not named.
        }
        return "unknown";
    }

    private static boolean fewCanBeLocked(String limit) {
        return limit.length() <= 6 && limit.chars().allMatch(Character::isDigit);
    }

    /**
     * The line for a cause.
     *
     * @param disabled value of kernel.io_uring_disabled, or null where this kernel has no such switch
     */
    static String explain(@Nullable Throwable cause, @Nullable String disabled) {
        if ("2".equals(disabled)) {
            return "io_uring is disabled on this machine (kernel.io_uring_disabled = 2): run 'sysctl kernel.io_uring_disabled=0' as root,"
                    + " or choose another backend";
        }
        String text = firstLine(cause);
        if ("1".equals(disabled)) {
            return "io_uring is limited to privileged processes here (kernel.io_uring_disabled = 1, " + text
                    + "): add this user to the group of kernel.io_uring_group, or choose another backend";
        }
        for (Throwable link = cause; link != null; link = link.getCause()) {
            if (link instanceof UnsatisfiedLinkError) {
                return "io_uring is not available: Netty's native library does not load (" + text
                        + "): put netty-transport-native-io_uring for this architecture ("
                        + System.getProperty("os.arch") + ") on the class path, with java.io.tmpdir on a file system that allows exec";
            }
        }
        if (text.contains("Operation not permitted") || text.contains("EPERM")) {
            return "io_uring is forbidden to this process (" + text
                    + "), usually by a container's seccomp profile: allow io_uring_setup, io_uring_enter and io_uring_register, or choose another backend";
        }
        if (text.contains("Function not implemented") || text.contains("ENOSYS")) {
            return "this kernel has no io_uring (" + text + "): use Linux 5.9 or newer, or choose another backend";
        }
        // At a low limit Netty's look at the kernel fails as well, and takes that for a feature which is missing.
        if (text.contains("Cannot allocate memory") || text.contains("ENOMEM") || (text.contains("is not supported") && fewCanBeLocked(lockedMemory()))) {
            return "io_uring cannot lock memory (" + text + ", RLIMIT_MEMLOCK = " + lockedMemory()
                    + "): raise the limit (LimitMEMLOCK= of the unit, ulimit -l), or choose another backend and loop (--backend linux-aio --loop epoll)";
        }
        if (text.contains("Too many open files")) {
            return "io_uring cannot be opened (" + text + "): raise the limit of open files (ulimit -n)";
        }
        return "io_uring is not available: " + text + ": choose another backend";
    }

    private static @Nullable String disabledSysctl() {
        try {
            return Files.readString(DISABLED_SYSCTL).strip();
        } catch (IOException noSuchSwitch) {
            return null;
        }
    }

    private static String firstLine(@Nullable Throwable cause) {
        if (cause == null) {
            return "unknown cause";
        }
        String text = String.valueOf(cause.getMessage());
        Throwable under = cause.getCause();
        if (under != null && under.getMessage() != null) {
            text = text + ": " + under.getMessage();
        }
        return text.lines().findFirst().orElse("unknown cause");
    }
}
