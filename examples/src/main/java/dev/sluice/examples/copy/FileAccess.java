package dev.sluice.examples.copy;

import dev.sluice.linux.Errno;
import dev.sluice.linux.Fd;
import dev.sluice.linux.LinuxFile;
import dev.sluice.server.cli.LaunchException;
import java.nio.file.Path;

/** Whether files of a copy can be created and written to, and if not, the errno, which exceptions of the JDK lack. <b>Failure:</b> {@link LaunchException}. */
final class FileAccess {
    private static final int MODE = 0666; // less the umask

    private FileAccess() {}

    /**
     * Creates an empty file that did not exist.
     *
     * @param failure the beginning of the message if that fails, such as "cannot create the target t"
     */
    static void create(Path path, String failure) {
        open(path, LinuxFile.O_CREAT | LinuxFile.O_EXCL, failure);
    }

    static void assertWritable(Path path, String failure) {
        open(path, 0, failure);
    }

    private static void open(Path path, int flags, String failure) {
        int fd = LinuxFile.open(path.toString(), LinuxFile.O_RDWR | LinuxFile.O_CLOEXEC | flags, MODE);
        if (fd < 0) {
            throw new LaunchException(failure + ": " + Errno.describe(fd) + ": " + advice(-fd));
        }
        Fd.adopt(fd).close();
    }

    private static String advice(int errno) {
        return switch (errno) {
            case Errno.ENOENT, Errno.ENOTDIR -> "use a file in an existing directory";
            case Errno.EACCES, Errno.EPERM -> "use a file in a directory that you may write to, or get access to it";
            case Errno.EROFS -> "mount its file system for writing, or use a file elsewhere";
            case Errno.ENOSPC -> "free some space, or use a file elsewhere";
            case Errno.EEXIST -> "it is a dangling link, or another process has just created it: remove it, or use another file";
            default -> "use another file";
        };
    }
}
