package dev.sluice.aio.linuxaio;

import dev.sluice.linux.Errno;
import dev.sluice.linux.ErrnoException;
import dev.sluice.linux.Fd;
import dev.sluice.linux.Iocb;
import dev.sluice.linux.LinuxPlatform;
import dev.sluice.linux.LinuxUnavailableException;
import dev.sluice.linux.Memfd;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * What the kernel gives of Linux AIO, and why it gives no more, in one line for a person. Any thread; set-up only. Source: io_setup(2), aio-nr in
 * sysctl/fs.rst.
 */
final class AioLimits {
    private static final Path IN_USE = Path.of("/proc/sys/fs/aio-nr");
    private static final Path MOST = Path.of("/proc/sys/fs/aio-max-nr");

    private AioLimits() {}

    /** Why there are no contexts with so many events; empty where there are. */
    static Optional<String> unavailable(int maxEvents) {
        try {
            LinuxPlatform.ensureAvailable();
            boolean _ = kernelSyncs(maxEvents);
            return Optional.empty();
        } catch (LinuxUnavailableException notHere) {
            return Optional.of(String.valueOf(notHere.getMessage()));
        } catch (ErrnoException refused) {
            return Optional.of(String.valueOf(refused.getMessage()));
        }
    }

    static String advice(int errno) {
        return switch (Math.abs(errno)) {
            case Errno.EAGAIN -> exhausted(number(IN_USE), number(MOST));
            case Errno.ENOSYS -> "this kernel has no Linux AIO (CONFIG_AIO): choose another backend";
            case Errno.EPERM, Errno.EACCES -> "Linux AIO is forbidden to this process, usually by a container's seccomp profile: allow io_setup, io_submit, "
                    + "io_getevents and io_destroy, or choose another backend";
            default -> "choose another backend, or fewer events";
        };
    }

    static String exhausted(String inUse, String most) {
        return "the machine's AIO events are used up: fs.aio-nr = " + inUse + " of fs.aio-max-nr = " + most
                + ": raise it as root ('sysctl fs.aio-max-nr=1048576'), ask for fewer events, or choose another backend";
    }

    private static String number(Path sysctl) {
        try {
            // Not readString, which begins with a single byte where a file has no size: a number of sysctl is read with one call or cut off.
            return Files.readAllLines(sysctl).getFirst().strip();
        } catch (IOException unreadable) {
            return "unknown";
        }
    }

    /**
     * Whether the kernel has FDSYNC (Linux 4.18), asked of a file in memory, where there is nothing to wait for.
     *
     * @param maxEvents as many as the sinks will have, so that a limit in their way shows when the image is opened
     * @throws ErrnoException where the kernel gives no such context, or lets nothing be submitted
     */
    static boolean kernelSyncs(int maxEvents) throws ErrnoException {
        return kernelSyncs(maxEvents, AioCalls.KERNEL);
    }

    static boolean kernelSyncs(int maxEvents, AioCalls calls) throws ErrnoException {
        AioContext context = AioContext.open(maxEvents, calls);
        int file = Memfd.create("sluice-aio-probe", Memfd.MFD_CLOEXEC);
        if (file < 0) {
            context.destroy();
            throw new ErrnoException("memfd_create", "", file, "raise the limit of open files (ulimit -n)");
        }
        try (Fd probed = Fd.adopt(file)) {
            Iocb.setDataSync(context.iocb(0), probed.number(), 0);
            context.add(0);
            int[] refusal = {0};
            int entered = context.submit(new AioContext.Ends() {
                @Override
                public void refused(int slot, int errno) {
                    refusal[0] = errno;
                }

                @Override
                public void completed(int slot, int result) {}
            });
            if (refusal[0] != 0 && refusal[0] != -Errno.EINVAL) {
                // Not of this opcode alone.
                throw new ErrnoException("io_submit", "", refusal[0], advice(refusal[0]));
            }
            return refusal[0] == 0 && entered > 0;
        } finally {
            // Waits for the sync.
            context.destroy();
        }
    }
}
